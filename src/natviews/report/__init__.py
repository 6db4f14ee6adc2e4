from natviews.report.judge import Slices, evaluate
from natviews.report.report import Example, Quadrants, Report, Shown
from natviews.report.sheet import contact_sheet

__all__ = ["Example", "Quadrants", "Report", "Shown", "Slices", "contact_sheet", "evaluate"]
