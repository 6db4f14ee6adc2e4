from natviews.views.policies import POLICIES, Policy, policy
from natviews.views.render import render
from natviews.views.view import View

__all__ = ["POLICIES", "Policy", "View", "policy", "render"]
