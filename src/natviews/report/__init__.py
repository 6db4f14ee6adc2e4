"""Nouns of a report. What needs torch is not imported here: `report.judge` and `report.explanations`."""

from natviews.report.page import write_report
from natviews.report.report import Example, Quadrants, Report, Shown, write_metrics
from natviews.report.sheet import contact_sheet
from natviews.report.views_sheet import op_sheet, policy_sheet, write_picture

__all__ = [
    "Example",
    "Quadrants",
    "Report",
    "Shown",
    "contact_sheet",
    "op_sheet",
    "policy_sheet",
    "write_metrics",
    "write_picture",
    "write_report",
]
