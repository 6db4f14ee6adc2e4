from natviews.training.measuring import (
    Known,
    choose_head,
    features_of,
    has_natural_views,
    judging_of,
    measure,
)
from natviews.training.processes import is_first
from natviews.training.recipe import Recipe, Schedule
from natviews.training.run import Run, train
from natviews.training.settling import recommended
from natviews.training.supervised import Supervised, from_scratch, train_supervised

__all__ = [
    "Known",
    "Recipe",
    "Run",
    "Schedule",
    "Supervised",
    "choose_head",
    "features_of",
    "from_scratch",
    "has_natural_views",
    "is_first",
    "judging_of",
    "measure",
    "recommended",
    "train",
    "train_supervised",
]
