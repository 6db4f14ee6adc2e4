from natviews.evaluation.histogram import colour_histogram
from natviews.evaluation.intervals import means_with_intervals
from natviews.evaluation.natural_views import METRICS, Judging, Retrieval, retrieval
from natviews.evaluation.probe import Labelled, Probed, linear_probe

__all__ = [
    "METRICS",
    "Judging",
    "Labelled",
    "Probed",
    "Retrieval",
    "colour_histogram",
    "linear_probe",
    "means_with_intervals",
    "retrieval",
]
