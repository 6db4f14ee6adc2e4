from natviews.matching.calibration import Calibration, calibrate
from natviews.matching.pairs import match_table, write_matches

__all__ = ["Calibration", "calibrate", "match_table", "write_matches"]
