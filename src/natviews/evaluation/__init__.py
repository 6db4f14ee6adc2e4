from natviews.evaluation.histogram import colour_histogram
from natviews.evaluation.intervals import means_with_intervals
from natviews.evaluation.natural_views import METRICS, Judging, Retrieval, retrieval

__all__ = ["METRICS", "Judging", "Retrieval", "colour_histogram", "means_with_intervals", "retrieval"]
