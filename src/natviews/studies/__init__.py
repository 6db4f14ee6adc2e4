from natviews.studies.label_free import study_label_free
from natviews.studies.methods import study_methods

STUDIES = {"methods": study_methods, "label-free": study_label_free}

__all__ = ["STUDIES", "study_label_free", "study_methods"]
