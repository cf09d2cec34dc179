"""What came of evolutions: the figures of one rule, with their intervals.

Intervals are 95 %: Wilson's for rates, Student's t for means over evolutions; differences from
`improves` are paired, since every rule gets the same evolutions.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

Rows = list[dict[str, Any]]
HARM = 1e-9  # below minus this a true gain is a loss


def ends(rows: Rows, budget: int) -> Rows:
    """Return how each evolution stood when a budget was spent."""
    return [row["ends"][str(budget)] | {"start": row["start"]} for row in rows]


def figures(rows: Rows, against: Rows) -> dict[str, Any]:
    """Return the figures of one rule beside those of `improves` on the same evolutions."""
    merges = [merge for row in rows for merge in row["merges"]]
    nulls = sum(row["nulls"] for row in rows)
    true = np.array([row["true"] for row in rows])
    less = true - np.array([row["true"] for row in against])
    wrong = [row["certified"] and row["true"] <= row["start"] for row in rows]
    return {
        "nulls merged": rate(sum(merge["null"] for merge in merges), nulls),
        "harmful": rate(sum(merge["true"] < -HARM for merge in merges), len(merges)),
        "no gain": rate(sum(merge["true"] <= HARM for merge in merges), len(merges)),
        "end": 100 * true.mean(),
        "less improves": mean(100 * less),
        "spread": 100 * true.std(ddof=1),
        "worst": 100 * float(np.quantile(true - [row["start"] for row in rows], 0.05)),
        "merges": len(merges) / len(rows),
        "candidates": np.mean([row["candidates"] for row in rows]),
        "told": 100 * float(np.mean([merge["told"] - merge["true"] for merge in merges] or [0])),
        "certified": rate(sum(row["certified"] for row in rows), len(rows)),
        "falsely": rate(sum(wrong), len(rows)),
    }


def rate(hits: int, trials: int) -> tuple[float, float, float]:
    """Return a rate with Wilson's interval (Journal of the American Statistical Association, 1927).

    Merges of one evolution are taken for independent.
    """
    if not trials:
        return math.nan, 0.0, 1.0
    low, high = stats.binomtest(hits, trials).proportion_ci(method="wilson")
    return hits / trials, float(low), float(high)


def mean(values: Sequence[float] | Any) -> tuple[float, float, float]:
    """Return a mean with Student's interval."""
    values = np.asarray(values)
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values))
    return float(values.mean()), float(values.mean() - half), float(values.mean() + half)


def percent(found: tuple[float, float, float]) -> str:
    """Return a rate for a table."""
    value, low, high = (100 * part for part in found)
    return f"{value:.1f} ({low:.1f} to {high:.1f})"
