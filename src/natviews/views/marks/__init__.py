"""Watermarks as pictures, for standing on photos: shop names, seller numbers, claims and logos.

There are two pools. What a network has learnt to ignore is only known when it meets marks it has never seen,
so the pools share no word, no number, no logo's shape, no typeface and no treatment of letters: see POOLS.
"""

from natviews.views.marks.painting import mark
from natviews.views.marks.plans import POOLS, Plan, plan

__all__ = ["POOLS", "Plan", "mark", "plan"]
