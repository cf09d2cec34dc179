"""One figure of several pictures, as PNG or SVG.

The same data gives the same bytes: no date, no settings of the user's, no random names.
"""

import io
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from improve_git.errors import ImproveError
from improve_git.views.course import Picture, Sides
from improve_git.views.plots.look import drawable
from improve_git.views.plots.search import draw_gains, draw_scores
from improve_git.views.plots.sides import MOST_CLASSES, draw_confusions, draw_curves

if TYPE_CHECKING:
    from matplotlib.figure import SubFigure

MARK = "improve-git"  # in the metadata of every plot
_WIDTH = 8.5  # inches: a README's, with letters that can be read there
_ROWS = (("score",), ("gain", "curves"), ("confusion",))
_SHARES = {"gain": 0.6}  # of a row's width; 1 unless told
_STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#444444",
    "legend.frameon": False,
    "legend.fontsize": 8,
    "text.parse_math": False,  # a class may be called $x$
    "svg.hashsalt": MARK,
    "svg.fonttype": "path",
}
_METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": MARK},
    "svg": {"Creator": MARK, "Date": None},
}


def draw(pictures: Mapping[str, Picture], title: str, kind: str) -> bytes:
    """Return one figure with all of these pictures.

    Args:
        pictures: what to draw, by the names of ``course.PICTURES``.
        title: stands above them; none where empty.
        kind: png or svg.

    Raises:
        ImproveError: matplotlib is not installed.
    """
    matplotlib = _matplotlib()
    from matplotlib.figure import Figure

    rows = [[name for name in row if name in pictures] for row in _ROWS]
    rows = [row for row in rows if row]
    heights = [max(_height(name, pictures[name]) for name in row) for row in rows]
    with matplotlib.rc_context():
        # A matplotlibrc may lie in the current folder, and that may be anybody's.
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        figure = Figure(figsize=(_WIDTH, sum(heights) + 0.35 * bool(title)), layout="constrained")
        if title:
            figure.suptitle(drawable(title, 100), fontsize=12, fontweight="bold")
        for band, row in zip(_bands(figure.subfigures(len(rows), 1, height_ratios=heights)), rows,
                             strict=True):  # fmt: skip
            shares = [_SHARES.get(name, 1) for name in row]
            parts = _bands(band.subfigures(1, len(row), width_ratios=shares))
            for name, part in zip(row, parts, strict=True):
                _DRAWERS[name](part, pictures[name])
        buffer = io.BytesIO()
        figure.savefig(buffer, format=kind, dpi=200, metadata=_METADATA[kind])
    return buffer.getvalue()


def _matplotlib() -> Any:
    # It tells of its font cache and of fonts that are not there.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    try:
        import matplotlib
    except ImportError as error:
        raise ImproveError("plots need matplotlib, which is not installed",
                           "pip install 'improve-git[plot]'") from error  # fmt: skip
    return matplotlib


def _bands(found: Any) -> "list[SubFigure]":
    """Return what ``subfigures`` gave as a list, also where it is a single one."""
    return list(found.flat) if hasattr(found, "flat") else [found]


def _height(name: str, picture: Picture) -> float:
    if name == "score":
        return 3.5
    if name == "confusion" and isinstance(picture, Sides):
        return 1.6 + 0.22 * min(MOST_CLASSES, max(4, len(picture.classes)))
    return 2.7


_DRAWERS: dict[str, Callable[..., None]] = {
    "score": draw_scores,
    "gain": draw_gains,
    "curves": draw_curves,
    "confusion": draw_confusions,
}
