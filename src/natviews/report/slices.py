"""What is judged besides all photos: parts of them by the catalogue's columns."""

from dataclasses import dataclass, replace

import numpy as np

from natviews.catalog import Catalog
from natviews.evaluation import Judging
from natviews.training import judging_of
from natviews.types import NatviewsError

PER_PRODUCT = "all, each product once"
"""The slice in which a product's photos count together as one."""


@dataclass(frozen=True)
class Slices:
    """What is judged besides all photos.

    `within`: a column whose value query and gallery must share (a shop, a seller); `by`: a column, each of whose
    values is a slice of the queries; `query` and `gallery`: (column, value), who asks and who may be found in a
    slice of its own (buyers' photos among sellers', detail shots among whole ones). `colour` and `style`: columns
    whose entropy and information in clusters are told, never one without the other; `design`: a column that
    products of one design in several colours share, which are then to find each other.
    """

    within: str | None = None
    by: str | None = None
    query: tuple[str, str] | None = None
    gallery: tuple[str, str] | None = None
    colour: str | None = None
    style: str | None = None
    design: str | None = None

    def __post_init__(self) -> None:
        colour_is_used = self.style is not None or self.design is not None
        if (self.colour is not None and not colour_is_used) or (self.style is not None and self.colour is None):
            raise NatviewsError(
                "Colour entropy says nothing without style information; give --colour and --style both."
            )

    def check(self, catalog: Catalog) -> None:
        """Raises NatviewsError for a column that the catalogue lacks, before long work."""
        for name in (self.within, self.by, self.colour, self.style, self.design):
            if name is not None:
                catalog.text(name)

    def judgings(self, catalog: Catalog) -> list[tuple[Judging, dict[str, np.ndarray]]]:
        """Ways of judging, each with its slices: name -> which photos may ask (N,) bool. `all` is first."""
        base = judging_of(catalog, self.within)
        everyone = np.ones(len(catalog), bool)
        parts = {"all": everyone}
        if self.by:
            column = catalog.column(self.by)
            parts |= {f"{self.by}={value}": column == value for value in np.unique(column)}
        judgings = [(base, parts)]
        if self.query or self.gallery:
            asking, answering = (_holds(catalog, condition) for condition in (self.query, self.gallery))
            restricted = replace(base, queries=base.queries & asking, gallery=base.gallery & answering)
            name = " -> ".join("=".join(c) if c else "all" for c in (self.query, self.gallery))
            judgings.append((restricted, {name: everyone}))
        return judgings


def _holds(catalog: Catalog, condition: tuple[str, str] | None) -> np.ndarray:
    if condition is None:
        return np.ones(len(catalog), bool)
    column, value = condition
    holds = catalog.column(column) == value
    if not holds.any():
        known = ", ".join(sorted(set(catalog.column(column).tolist()))[:8])
        raise NatviewsError(f"No photo here has {column}={value}; there are: {known}.")
    return holds
