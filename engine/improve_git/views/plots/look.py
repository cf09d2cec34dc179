"""What all pictures share: colours, and text that the font can draw."""

from typing import TYPE_CHECKING

from improve_git.messages import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

# The colours of Okabe and Ito, which colour-blind people tell apart; markers and dashes differ too.
BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, GREY = "#CC79A7", "#707070"


def panels_of(part: "SubFigure", count: int) -> "list[Axes]":
    """Return so many panels beside each other."""
    return list(part.subplots(1, count, squeeze=False).flat)


def whole_numbers(axes: "Axes") -> None:
    """Let the horizontal axis count."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def drawable(text: str, limit: int) -> str:
    """Return foreign text as one line that the font can draw."""
    from matplotlib.font_manager import findfont, get_font

    known = get_font(findfont("DejaVu Sans")).get_charmap()
    return "".join(c if ord(c) in known else "?" for c in one_line(text, limit))
