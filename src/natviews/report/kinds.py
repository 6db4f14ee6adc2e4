"""Figures of disturbed photos, a panel for each kind of disturbance, over its strengths."""

from collections.abc import Sequence

from natviews.report.disturbing import CLEAN, DISTURBANCES, KINDS, Disturbance
from natviews.report.panels import Panel
from natviews.types import Metric

SHOWN = "recall@1"


def kind_panels(metrics: Sequence[Metric], disturbances: Sequence[Disturbance] = DISTURBANCES) -> list[Panel]:
    """Recall@1 of every row over the strengths of each kind that was measured; one not trained on says so."""
    found = {(m.row, m.slice): m for m in metrics if m.name == SHOWN}
    rows = list(dict.fromkeys(row for row, slice in found if slice == CLEAN))
    panels = []
    for kind in KINDS:
        of_kind = [d for d in disturbances if d.kind == kind and any((row, d.name) in found for row in rows)]
        if not of_kind:
            continue
        slices = [CLEAN, *(d.name for d in of_kind)]
        lines = {row: [found[row, s] for s in slices] for row in rows if all((row, s) in found for s in slices)}
        title = kind if of_kind[0].is_trained else f"{kind} (not trained on)"
        panels.append(Panel(title, [CLEAN, *(d.strength for d in of_kind)], lines))
    return panels
