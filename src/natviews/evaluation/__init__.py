from natviews.evaluation.histogram import colour_histogram
from natviews.evaluation.intervals import mean_with_interval
from natviews.evaluation.retrieval import METRICS, Judging, Retrieval, retrieval

__all__ = ["METRICS", "Judging", "Retrieval", "colour_histogram", "mean_with_interval", "retrieval"]
