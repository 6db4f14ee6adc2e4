"""The CPU renderer: from photos and drawn parameters to pixels, without the GIL."""

from natviews.views.cpu.renderer import Normal, render, render_into

__all__ = ["Normal", "render", "render_into"]
