from natviews.evaluation.categories import Spoilt, Suggested, suggestion_study, suggestions
from natviews.evaluation.classification import FIGURES, ClassFigures, Probed, classification, per_class
from natviews.evaluation.colour_entropy import CLUSTER_METRICS, Attributes, cluster_figures
from natviews.evaluation.colour_variants import VARIANTS_SLICE, variants_judging
from natviews.evaluation.covering import Covering, covering
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
from natviews.evaluation.plane import Plane, planes
from natviews.evaluation.precision_recall import PRECISIONS, Operating, Thresholds
from natviews.evaluation.probe import Labelled, linear_probe, mlp_probe
from natviews.evaluation.robustness import (
    ROBUSTNESS,
    AdditionalRecall,
    additional_recall,
    copies_found,
    disturbed_metrics,
    mcnemar,
)

__all__ = [
    "CLUSTER_METRICS",
    "FIGURES",
    "LABEL_FREE",
    "METRICS",
    "PRECISIONS",
    "PROBES",
    "ROBUSTNESS",
    "VARIANTS_SLICE",
    "AdditionalRecall",
    "Attributes",
    "ClassFigures",
    "Covering",
    "Efficiency",
    "Judging",
    "Labelled",
    "Operating",
    "Plane",
    "Probed",
    "RankingQuality",
    "Retrieval",
    "Spoilt",
    "Suggested",
    "Tally",
    "Thresholds",
    "additional_recall",
    "alpha_req",
    "classification",
    "cluster_figures",
    "colour_histogram",
    "copies_found",
    "covering",
    "disturbed_metrics",
    "label_efficiency",
    "label_free_figures",
    "labels_needed",
    "lidar",
    "linear_probe",
    "mcnemar",
    "means_with_intervals",
    "mlp_probe",
    "neighbours_probe",
    "per_class",
    "planes",
    "ranking_quality",
    "rankme",
    "retrieval",
    "suggestion_study",
    "suggestions",
    "variants_judging",
    "with_imbalance",
    "with_noise",
    "with_share",
]
