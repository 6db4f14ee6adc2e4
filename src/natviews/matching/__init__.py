from natviews.matching.calibration import Calibration, calibrate
from natviews.matching.pairs import match_file, match_table

__all__ = ["Calibration", "calibrate", "match_file", "match_table"]
