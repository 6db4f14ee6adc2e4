from natviews.matching.attributes import inferred_attributes
from natviews.matching.calibration import Calibration, calibrate
from natviews.matching.colourways import colourway_pairs
from natviews.matching.comparison import Comparison, compare
from natviews.matching.decision import Decision, write_decision
from natviews.matching.gaps import gap_items, opportunities
from natviews.matching.groups import copied_photos, same_item_groups
from natviews.matching.labels import Labels, read_labels
from natviews.matching.prices import price_comparison, read_history
from natviews.matching.profile import user_profile
from natviews.matching.promises import Threshold
from natviews.matching.same_item import Choosing, match_halves, match_sides, same_items
from natviews.matching.scoring import Scoring
from natviews.matching.side import Side, open_side, side_of

__all__ = [
    "Calibration",
    "Choosing",
    "Comparison",
    "Decision",
    "Labels",
    "Scoring",
    "Side",
    "Threshold",
    "calibrate",
    "colourway_pairs",
    "compare",
    "copied_photos",
    "gap_items",
    "inferred_attributes",
    "match_halves",
    "match_sides",
    "open_side",
    "opportunities",
    "price_comparison",
    "read_history",
    "read_labels",
    "same_item_groups",
    "same_items",
    "side_of",
    "user_profile",
    "write_decision",
]
