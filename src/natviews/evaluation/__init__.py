from natviews.evaluation.categories import Spoilt, Suggested, suggestion_study, suggestions
from natviews.evaluation.classification import FIGURES, ClassFigures, Probed, classification, per_class
from natviews.evaluation.histogram import colour_histogram
from natviews.evaluation.intervals import Tally, means_with_intervals
from natviews.evaluation.label_free import (
    LABEL_FREE,
    RankingQuality,
    alpha_req,
    label_free_figures,
    lidar,
    ranking_quality,
    rankme,
)
from natviews.evaluation.labels import (
    PROBES,
    Efficiency,
    label_efficiency,
    labels_needed,
    with_imbalance,
    with_noise,
    with_share,
)
from natviews.evaluation.natural_views import METRICS, Judging, Retrieval, retrieval
from natviews.evaluation.neighbours import neighbours_probe
from natviews.evaluation.precision_recall import PRECISIONS, Operating, Thresholds
from natviews.evaluation.probe import Labelled, linear_probe, mlp_probe

__all__ = [
    "FIGURES",
    "LABEL_FREE",
    "METRICS",
    "PRECISIONS",
    "PROBES",
    "ClassFigures",
    "Efficiency",
    "Judging",
    "Labelled",
    "Operating",
    "Probed",
    "RankingQuality",
    "Retrieval",
    "Spoilt",
    "Suggested",
    "Tally",
    "Thresholds",
    "alpha_req",
    "classification",
    "colour_histogram",
    "label_efficiency",
    "label_free_figures",
    "labels_needed",
    "lidar",
    "linear_probe",
    "means_with_intervals",
    "mlp_probe",
    "neighbours_probe",
    "per_class",
    "ranking_quality",
    "rankme",
    "retrieval",
    "suggestion_study",
    "suggestions",
    "with_imbalance",
    "with_noise",
    "with_share",
]
