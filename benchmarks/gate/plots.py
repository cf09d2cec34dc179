"""The plots of docs/gate.md; see report.py."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt

from replay import BUDGETS, SUPPLIES
from report import Rows, ends, figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MIDDLE = BUDGETS[1]
COURSE = ("improves", "improves-fresh", "confirmed-2-0.8-0.3", "confirmed-3-0.9-0.3")
COLOURS = {"improves": "tab:red", "improves-fresh": "tab:orange", "2": "tab:blue", "3": "tab:green"}
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
    for rule, rows in rules.items():
        found = figures(ends(rows, MIDDLE), against)
        colour = _colour(rule)
        gain, low, high = found["less improves"]
        share, left, right = (100 * part for part in found["nulls merged"])
        at.errorbar(
            share, gain, xerr=[[share - left], [right - share]], yerr=[[gain - low], [high - gain]],
            fmt="o", color=colour, ms=5, lw=1,
        )  # fmt: skip
        at.annotate(rule.removeprefix("confirmed-"), (share, gain), fontsize=8,
                    xytext=(5, 4), textcoords="offset points", color=colour)  # fmt: skip
    at.axvline(5, color="grey", lw=1, ls=":")
    at.axhline(-1, color="grey", lw=1, ls=":")
    at.axhline(0, color="grey", lw=0.5)
    at.set_xlabel("changes of a comment that were merged, %")
    at.set_ylabel(f"true accuracy after {MIDDLE} trainings,\npoints more than by improves")


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


def _colour(rule: str) -> str:
    return COLOURS.get(rule) or COLOURS[rule.split("-")[1]]
