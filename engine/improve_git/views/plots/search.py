"""How the search went: the score over the iterations, and the gain by component."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from improve_git.figures import IN_POINTS, METRICS, OPTIMISTIC, gain_text, metric_text
from improve_git.views.course import Gains, Mark, Scores
from improve_git.views.plots.look import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, whole_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

MOST_NAMED = 12  # merges; of more, none is named
_COMPONENTS = {"data": ORANGE, "model": BLUE, "train": GREEN, "by hand": PURPLE}


def draw_scores(part: "SubFigure", found: Scores) -> None:
    """Draw main's score as a step line, and every attempt by its verdict."""
    axes = part.subplots()
    told = [mark for mark in found.marks if mark.score is not None]
    main = [mark for mark in found.main if mark.score is not None]
    last = max(mark.place for mark in found.marks)
    low, high = _frame([_value(m) for m in main], [_value(mark) for mark in told], found)
    axes.set_ylim(low, high)
    axes.set_xlim(-0.6, last + 0.6)
    places, values = [m.place for m in main], [_value(m) for m in main]
    axes.plot([*places, last], [*values, values[-1]], drawstyle="steps-post", color=BLUE, lw=1.8,
              label="main", zorder=2)  # fmt: skip
    axes.axhline(values[0], color=GREY, lw=1, ls="--", label="baseline", zorder=1)
    if found.luck:
        line = values[0] + (found.luck if METRICS[found.metric] else -found.luck)
        axes.axhline(line, color=GREY, lw=1, ls=":", zorder=1,
                     label="best of as many idle changes")  # fmt: skip
    _verdicts(axes, told, low, high)
    failed = [mark.place for mark in found.marks if mark.verdict == "failed"]
    if failed:
        axes.plot(failed, [0.035] * len(failed), "x", color=RED, ms=6, mew=1.6, label="failed",
                  transform=axes.get_xaxis_transform(), clip_on=False)  # fmt: skip
    merges = [mark for mark in main if mark.verdict == "merged"]
    for mark in merges if len(merges) <= MOST_NAMED else []:
        axes.annotate(f"{mark.place:04.0f} {mark.component}", (mark.place, _value(mark)),
                      xytext=(-5 if mark.place > 1 else 5, 4), textcoords="offset points",
                      ha="right" if mark.place > 1 else "left", fontsize=7.5,
                      color="#222222")  # fmt: skip
    axes.set_title("score over the iterations")
    axes.set_title(OPTIMISTIC, loc="right", fontsize=8,
                   fontweight="normal", color=GREY)  # fmt: skip
    better = "" if METRICS[found.metric] else "\n(lower is better)"
    axes.set_ylabel(metric_text(found.metric) + better)
    axes.set_xlabel("iteration")
    whole_numbers(axes)
    axes.grid(axis="y", alpha=0.25)
    part.legend(loc="outside lower center", ncols=4)


def _verdicts(axes: "Axes", told: Sequence[Mark], low: float, high: float) -> None:
    """Draw the scored attempts and main's own scores; what is off the scale lies at its edge."""
    size = 6 if len(told) <= 100 else 3
    styles: dict[str, dict[str, Any]] = {
        "merged": {"marker": "o", "color": GREEN},
        "rejected": {"marker": "o", "mfc": "white", "mec": GREY, "color": GREY},
        "measured": {"marker": "D", "color": PURPLE},
        "baseline": {"marker": "s", "color": GREY},
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
        axes.plot([], [], "|", color=GREY, ms=9, label="lowest to highest seed")
    for marker, edge, side, marks in (
        ("v", 0.035, "below", [mark for mark in told if _value(mark) < low]),
        ("^", 0.965, "above", [mark for mark in told if _value(mark) > high]),
    ):
        if marks:
            axes.plot([m.place for m in marks], [edge] * len(marks), marker, mfc="white",
                      mec=GREY, ms=size, transform=axes.get_xaxis_transform(),
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


def draw_gains(part: "SubFigure", found: Gains) -> None:
    """Draw what each component brought to main."""
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
