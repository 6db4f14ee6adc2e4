from natviews.evaluation.histogram import colour_histogram
from natviews.evaluation.intervals import means_with_intervals
from natviews.evaluation.label_free import (
    LABEL_FREE,
    RankingQuality,
    alpha_req,
    label_free_figures,
    lidar,
    ranking_quality,
    rankme,
)
from natviews.evaluation.natural_views import METRICS, Judging, Retrieval, retrieval
from natviews.evaluation.probe import Labelled, Probed, linear_probe

__all__ = [
    "LABEL_FREE",
    "METRICS",
    "Judging",
    "Labelled",
    "Probed",
    "RankingQuality",
    "Retrieval",
    "alpha_req",
    "colour_histogram",
    "label_free_figures",
    "lidar",
    "linear_probe",
    "means_with_intervals",
    "ranking_quality",
    "rankme",
    "retrieval",
]
