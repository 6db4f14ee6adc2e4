from natviews.views.cpu import render
from natviews.views.ops import OPS
from natviews.views.policies import POLICIES, Policy, policy
from natviews.views.view import View

__all__ = ["OPS", "POLICIES", "Policy", "View", "policy", "render"]
