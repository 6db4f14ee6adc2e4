from natviews.studies.methods import study_methods

STUDIES = {"methods": study_methods}

__all__ = ["STUDIES", "study_methods"]
