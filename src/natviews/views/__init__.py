from natviews.views.ops import OPS
from natviews.views.policies import POLICIES, Policy, policy
from natviews.views.render import render
from natviews.views.view import View

__all__ = ["OPS", "POLICIES", "Policy", "View", "policy", "render"]
