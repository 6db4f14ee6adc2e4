from natviews.training.measuring import features_of, has_natural_views, judging_of, measure
from natviews.training.recipe import Recipe, Schedule
from natviews.training.run import Run, train

__all__ = ["Recipe", "Run", "Schedule", "features_of", "has_natural_views", "judging_of", "measure", "train"]
