"""The plots of docs/gate.md; see report.py."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt

from outcomes import Rows, ends, figures
from replay import BUDGETS, SUPPLIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MIDDLE = BUDGETS[1]
COURSE = ("improves", "confirmed-3-0.7-0.3", "confirmed-3-0.8-0.3", "confirmed-3-0.9-0.3")
LINES = {"confirmed-3": "tab:green", "confirmed-2": "tab:blue"}  # at a chance of 0.3
Found = dict[tuple[str, str], Rows]


def draw(found: Found, folder: Path) -> None:
    """Write gate-frontier.png and gate-course.png."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, one in (("frontier", _frontier), ("course", _course)):
        figure, axes = plt.subplots(1, len(SUPPLIES), figsize=(11, 4.6), sharey=name == "frontier")
        for at, supply in zip(axes, SUPPLIES, strict=True):
            one(at, {rule: rows for (rule, of), rows in found.items() if of == supply})
            at.set_title(f"{supply} supply of good ideas")
            at.grid(alpha=0.3)
        figure.tight_layout()
        figure.savefig(folder / f"gate-{name}.png", dpi=110)
        plt.close(figure)


def _frontier(at: "Axes", rules: dict[str, Rows]) -> None:
    against = ends(rules["improves"], MIDDLE)
    told = {rule: figures(ends(rows, MIDDLE), against) for rule, rows in rules.items()}
    _points(at, {"improves": told["improves"]}, "improves", "tab:red")
    for name, colour in LINES.items():
        line = {
            rule.split("-")[2]: found
            for rule, found in told.items()
            if rule.startswith(name) and rule.endswith("-0.3")
        }
        _points(at, line, f"{name}, by confidence", colour)
    at.axvline(5, color="grey", lw=1, ls=":")
    at.axhline(-1, color="grey", lw=1, ls=":")
    at.axhline(0, color="grey", lw=0.5)
    at.set_xlabel("changes of a comment that were merged, %")
    at.set_ylabel(f"true accuracy after {MIDDLE} trainings,\npoints more than by improves")
    at.legend(fontsize=8, loc="lower right")


def _points(at: "Axes", line: dict[str, Any], label: str, colour: str) -> None:
    nulls = [[100 * part for part in found["nulls merged"]] for found in line.values()]
    gains = [found["less improves"] for found in line.values()]
    at.errorbar(
        [value for value, _, _ in nulls], [value for value, _, _ in gains],
        xerr=[[v - low for v, low, _ in nulls], [high - v for v, _, high in nulls]],
        yerr=[[v - low for v, low, _ in gains], [high - v for v, _, high in gains]],
        fmt="o-", color=colour, ms=4, lw=1, label=label,
    )  # fmt: skip
    for name, x, y in zip(line, nulls, gains, strict=True):
        if name != label:
            at.annotate(name, (x[0], y[0]), fontsize=8, color=colour,
                        xytext=(6, -10), textcoords="offset points")  # fmt: skip


def _course(at: "Axes", rules: dict[str, Rows]) -> None:
    for rule in COURSE:
        if rule not in rules:
            continue
        rows = rules[rule]
        start: Any = [100 * row["start"] for row in rows]
        told = [[100 * end["true"] for end in ends(rows, budget)] for budget in BUDGETS]
        means = [sum(values) / len(values) for values in (start, *told)]
        at.plot([1, *BUDGETS], means, "o-", label=rule, ms=4)
    at.set_xlabel("trainings spent")
    at.set_ylabel("true accuracy, %")
    at.legend(fontsize=8)
