"""The CPU renderer: from photos and drawn parameters to pixels, without the GIL."""

from natviews.views.cpu.pictures import Picture
from natviews.views.cpu.renderer import render, render_into

__all__ = ["Picture", "render", "render_into"]
