"""Draws plots, as PNG or SVG. Nobody else speaks to matplotlib."""

from improve_git.views.plots.figure import MARK, draw

__all__ = ["MARK", "draw"]
