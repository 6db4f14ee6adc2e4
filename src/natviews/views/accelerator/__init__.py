"""The renderer on an accelerator: of all below the torch line it alone imports torch, and training alone it."""

from natviews.views.accelerator.renderer import render_batch

__all__ = ["render_batch"]
