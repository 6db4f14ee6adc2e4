"""How a photo may look. The renderers load when first asked for: policies and their checks do without."""

from typing import TYPE_CHECKING, Any

from natviews.views.geometry import Window
from natviews.views.ops import OPS
from natviews.views.policies import POLICIES, Policy, load_policy, op_named, policy
from natviews.views.preparation import Preparation
from natviews.views.view import Shape, View

if TYPE_CHECKING:
    from natviews.views.cpu import render, render_into

__all__ = [
    "OPS",
    "POLICIES",
    "Policy",
    "Preparation",
    "Shape",
    "View",
    "Window",
    "load_policy",
    "op_named",
    "policy",
    "render",
    "render_into",
]


def __getattr__(name: str) -> Any:
    if name in ("render", "render_into"):
        from natviews.views import cpu

        return getattr(cpu, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
