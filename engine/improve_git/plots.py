"""Draws plots, as PNG or SVG. Nobody else speaks to matplotlib.

The same data gives the same bytes: no date, no settings of the user's, no random names.
"""

import io
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from improve_git.course import Gains, Mark, Picture, Scores, Side, Sides
from improve_git.errors import ImproveError
from improve_git.figures import IN_POINTS, METRICS, gain_text, metric_text
from improve_git.messages import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

MARK = "improve-git"  # in the metadata of every plot
MOST_CLASSES = 12  # of a confusion; of more, those that are confused most
MOST_NAMED = 12  # merges; of more, none is named
_WIDTH = 8.5  # inches: a README's, with letters that can be read there
_ROWS = (("score",), ("gain", "curves"), ("confusion",))
_SHARES = {"gain": 0.6}  # of a row's width; 1 unless told
# The colours of Okabe and Ito, which colour-blind people tell apart; markers and dashes differ too.
_BLUE, _ORANGE, _GREEN, _RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
_PURPLE, _GREY = "#CC79A7", "#707070"
_COMPONENTS = {"data": _ORANGE, "model": _BLUE, "train": _GREEN, "by hand": _PURPLE}
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
            figure.suptitle(_plain(title, 100), fontsize=12, fontweight="bold")
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


def _scores(part: "SubFigure", found: Scores) -> None:
    axes = part.subplots()
    told = [mark for mark in found.marks if mark.score is not None]
    main = [mark for mark in found.main if mark.score is not None]
    last = max(mark.place for mark in found.marks)
    low, high = _frame([_value(m) for m in main], [_value(mark) for mark in told], found)
    axes.set_ylim(low, high)
    axes.set_xlim(-0.6, last + 0.6)
    places, values = [m.place for m in main], [_value(m) for m in main]
    axes.plot([*places, last], [*values, values[-1]], drawstyle="steps-post", color=_BLUE, lw=1.8,
              label="main", zorder=2)  # fmt: skip
    axes.axhline(values[0], color=_GREY, lw=1, ls="--", label="baseline", zorder=1)
    if found.luck:
        line = values[0] + (found.luck if METRICS[found.metric] else -found.luck)
        axes.axhline(line, color=_GREY, lw=1, ls=":", zorder=1,
                     label="best of as many idle changes")  # fmt: skip
    _verdicts(axes, told, low, high)
    failed = [mark.place for mark in found.marks if mark.verdict == "failed"]
    if failed:
        axes.plot(failed, [0.035] * len(failed), "x", color=_RED, ms=6, mew=1.6, label="failed",
                  transform=axes.get_xaxis_transform(), clip_on=False)  # fmt: skip
    merges = [mark for mark in main if mark.verdict == "merged"]
    for mark in merges if len(merges) <= MOST_NAMED else []:
        axes.annotate(f"{mark.place:04.0f} {mark.component}", (mark.place, _value(mark)),
                      xytext=(-5, 4), textcoords="offset points", ha="right", fontsize=7.5,
                      color="#222222")  # fmt: skip
    axes.set_title("score over the iterations")
    axes.set_title("on val, optimistic: a search kept the best", loc="right", fontsize=8,
                   fontweight="normal", color=_GREY)  # fmt: skip
    better = "" if METRICS[found.metric] else "\n(lower is better)"
    axes.set_ylabel(metric_text(found.metric) + better)
    axes.set_xlabel("iteration")
    _whole_numbers(axes)
    axes.grid(axis="y", alpha=0.25)
    part.legend(loc="outside lower center", ncols=4)


def _verdicts(axes: "Axes", told: Sequence[Mark], low: float, high: float) -> None:
    """Draw the scored attempts and main's own scores; what is off the scale lies at its edge."""
    size = 6 if len(told) <= 100 else 3
    styles: dict[str, dict[str, Any]] = {
        "merged": {"marker": "o", "color": _GREEN},
        "rejected": {"marker": "o", "mfc": "white", "mec": _GREY, "color": _GREY},
        "measured": {"marker": "D", "color": _PURPLE},
        "baseline": {"marker": "s", "color": _GREY},
    }
    names = {"measured": "a commit by hand", "baseline": None}
    for verdict, style in styles.items():
        marks = [m for m in told if m.verdict == verdict and low <= _value(m) <= high]
        if marks:
            axes.plot([m.place for m in marks], [_value(m) for m in marks], ls="", ms=size,
                      zorder=4, label=names.get(verdict, verdict), **style)  # fmt: skip
        spread = [mark for mark in marks if mark.seed_scores]
        if spread:
            axes.errorbar(
                [mark.place for mark in spread], [_value(mark) for mark in spread],
                yerr=[[max(0.0, _value(m) - min(m.seed_scores)) for m in spread],
                      [max(0.0, max(m.seed_scores) - _value(m)) for m in spread]],
                fmt="none", ecolor=style["color"], elinewidth=1, capsize=2, zorder=3,
            )  # fmt: skip
    if any(mark.seed_scores for mark in told):
        axes.plot([], [], "|", color=_GREY, ms=9, label="lowest to highest seed")
    for marker, edge, side, marks in (
        ("v", 0.035, "below", [mark for mark in told if _value(mark) < low]),
        ("^", 0.965, "above", [mark for mark in told if _value(mark) > high]),
    ):
        if marks:
            axes.plot([m.place for m in marks], [edge] * len(marks), marker, mfc="white",
                      mec=_GREY, ms=size, transform=axes.get_xaxis_transform(),
                      label=f"rejected, {side} the scale")  # fmt: skip


def _frame(main: Sequence[float], told: Sequence[float], found: Scores) -> tuple[float, float]:
    """Return the ends of the axis: all of main, and what is not far from it."""
    middle = sorted(told)[len(told) // 4 : len(told) - len(told) // 4]
    span = max(max(main) - min(main), middle[-1] - middle[0], found.luck or 0, 1e-3)
    low = max(min(told), min(main) - 2 * span)
    high = min(max(told), max(main) + 2 * span)
    seeds = [score for mark in found.main for score in mark.seed_scores]
    low, high = min([low, *seeds]), max([high, *seeds])
    if found.luck:
        high, low = max(high, main[0] + found.luck), min(low, main[0])
    room = 0.14 * max(high - low, 1e-3)
    return low - room, high + room


def _value(mark: Mark) -> float:
    return mark.score if mark.score is not None else math.nan


def _gains(part: "SubFigure", found: Gains) -> None:
    axes = part.subplots()
    factor = 100 if found.metric in IN_POINTS else 1
    values = [factor * gain.gain for gain in found.parts]
    names = [
        gain.name if gain.tried is None else f"{gain.name}\n{gain.merged} of {gain.tried} merged"
        for gain in found.parts
    ]
    colours = [_COMPONENTS[gain.name] for gain in found.parts]
    axes.barh(range(len(values)), values, color=colours, height=0.6)
    axes.set_yticks(range(len(values)), names, fontsize=8)
    axes.invert_yaxis()
    axes.axvline(0, color="#444444", lw=0.8)
    for place, (gain, value) in enumerate(zip(found.parts, values, strict=True)):
        text = gain_text(found.metric, gain.gain).removesuffix(" points")
        axes.annotate(text if gain.merged != 0 else "0", (value, place), va="center", fontsize=8,
                      xytext=(4 if value >= 0 else -4, 0), textcoords="offset points",
                      ha="left" if value >= 0 else "right")  # fmt: skip
    axes.margins(x=0.3)
    axes.set_title("brought to main")
    unit = "points of " if factor == 100 else "gain in "
    axes.set_xlabel(f"{unit}{metric_text(found.metric)} on val")


def _curves(part: "SubFigure", found: Sides) -> None:
    names = _telling([row for side in found.sides for row in side.curve])
    panels = _axes(part, len(names))
    for axes, name in zip(panels, names, strict=True):
        for side, colour, width in _sides(found.sides):
            _curve(axes, side, name, colour, width)
        axes.set_title(f"learning: {_plain(name.replace('_', ' '), 24)}")
        axes.set_xlabel("epoch")
        _whole_numbers(axes)
        axes.grid(alpha=0.25)
        axes.margins(y=0.1)
    told = [
        entry for axes in panels for entry in zip(*axes.get_legend_handles_labels(), strict=True)
    ]
    handles = {label: handle for handle, label in told}
    part.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4)


def _curve(axes: "Axes", side: Side, name: str, colour: str, width: float) -> None:
    """Draw what was reported of tune, and thinner and dotted the same of train."""
    of_train = name.replace("tune", "train", 1) if name.startswith("tune") else ""
    for reported, style, label in ((name, "-", ""), (of_train, ":", ", on train")):
        rows = [
            (row.get("epoch", float(place)), row[reported])
            for place, row in enumerate(side.curve, 1)
            if reported in row
        ]
        if rows:
            axes.plot(*zip(*rows, strict=True), color=colour, ls=style,
                      marker="o" if len(rows) < 3 else "", ms=4,
                      lw=width if style == "-" else 1, label=side.name + label)  # fmt: skip


def _telling(rows: Sequence[Mapping[str, float]]) -> list[str]:
    """Return at most two names of what was reported: a score on tune, and a loss."""
    names = [name for name in dict.fromkeys(key for row in rows for key in row) if name != "epoch"]
    tune = [name for name in names if name.startswith("tune") and "loss" not in name]
    losses = [name for name in names if "loss" in name]
    chosen = tune[:1] + losses[:1]
    return chosen or names[:1]


def _sides(sides: Sequence[Side]) -> list[tuple[Side, str, float]]:
    """Return each side with its colour and the width of its line; the newer is the stronger."""
    styles = [(_ORANGE, 1.6), (_BLUE, 1.8)][-len(sides) :]
    return [(side, *style) for side, style in zip(sides, styles, strict=True)]


def _confusions(part: "SubFigure", found: Sides) -> None:
    sides = [side for side in found.sides if side.confusion]
    kept = _most_confused(sides, len(found.classes))
    panels = _axes(part, len(sides))
    names = [_class_name(found.classes[index], index) for index in kept]
    small = 8 if len(kept) <= 8 else 7
    for axes, side in zip(panels, sides, strict=True):
        shares = [_shares(side.confusion[row], kept) for row in kept]
        image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100, aspect="auto")
        for row, line in enumerate(shares):
            for column, share in enumerate(line):
                if share >= 0.5:
                    colour = "white" if share > 55 else "#222222"
                    axes.text(column, row, f"{share:.0f}", ha="center", va="center",
                              fontsize=small, color=colour)  # fmt: skip
        axes.set_xticks(range(len(kept)), names, fontsize=small)
        if max(map(len, names)) * len(kept) > 40:
            axes.tick_params("x", rotation=45)
            for label in axes.get_xticklabels():
                label.set(ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(kept)), names, fontsize=small)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        axes.set_title(f"confusion, {side.name}")
        axes.set_xlabel("predicted")
    panels[0].set_ylabel("label")
    bar = part.colorbar(image, ax=panels, shrink=0.8, pad=0.02)
    bar.outline.set_visible(False)
    of_many = f"\n({len(kept)} most confused of {len(found.classes):,})"
    bar.set_label("% of the label's val images" + of_many * (len(kept) < len(found.classes)),
                  fontsize=8)  # fmt: skip


def _most_confused(sides: Sequence[Side], classes: int) -> list[int]:
    """Return the classes with the most images that are mistaken, for them or for others."""

    def mistaken(index: int) -> int:
        return sum(
            side.confusion[index][other] + side.confusion[other][index]
            for side in sides for other in range(classes) if other != index
        )  # fmt: skip

    return sorted(sorted(range(classes), key=mistaken, reverse=True)[:MOST_CLASSES])


def _shares(row: Sequence[int], kept: Sequence[int]) -> list[float]:
    images = sum(row)
    return [100 * row[column] / images if images else 0.0 for column in kept]


def _class_name(name: str, index: int) -> str:
    """Return a class's name, clipped; where the font cannot draw it, its number."""
    text = one_line(name, 18)
    return text if text and text == _plain(text, 18) else f"class {index}"


def _whole_numbers(axes: "Axes") -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _axes(part: "SubFigure", count: int) -> "list[Axes]":
    return list(part.subplots(1, count, squeeze=False).flat)


def _plain(text: str, limit: int) -> str:
    """Return foreign text as one line that the font can draw."""
    from matplotlib.font_manager import findfont, get_font

    known = get_font(findfont("DejaVu Sans")).get_charmap()
    return "".join(c if ord(c) in known else "?" for c in one_line(text, limit))


_DRAWERS: dict[str, Callable[..., None]] = {
    "score": _scores,
    "gain": _gains,
    "curves": _curves,
    "confusion": _confusions,
}
