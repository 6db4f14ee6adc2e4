"""Studies: many runs that answer one question together. Each takes a catalogue, a folder and what is `Asked`."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from natviews.catalog import Catalog
from natviews.studies.asked import Asked
from natviews.studies.drawn import drawn_marketplaces, drawn_shop
from natviews.studies.label_free import study_label_free
from natviews.studies.mercari import PRODUCTS as MERCARI
from natviews.studies.mercari import study_mercari
from natviews.studies.methods import study_methods
from natviews.studies.sea import PRODUCTS as SEA
from natviews.studies.sea import study_sea
from natviews.studies.skill import PRODUCTS as SKILL
from natviews.studies.skill import study_skill


class Offered(NamedTuple):
    """A study, and what it draws where no catalogue is given: `draw` (folder, products) -> CSV, so many."""

    carry_out: Callable[[Catalog, Path, Asked], Path]
    products: int
    draw: Callable[[Path, int], Path] = drawn_shop


STUDIES = {
    "methods": Offered(study_methods, 900),
    "label-free": Offered(study_label_free, 900),
    "mercari": Offered(study_mercari, MERCARI),
    "skill": Offered(study_skill, SKILL),
    "sea": Offered(study_sea, SEA, drawn_marketplaces),
}

__all__ = [
    "STUDIES",
    "Asked",
    "Offered",
    "study_label_free",
    "study_mercari",
    "study_methods",
    "study_sea",
    "study_skill",
]
