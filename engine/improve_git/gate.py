"""The gate: whether a candidate is merged. A pure function of plain data."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from improve_git.schema import METRICS

Kind = Literal["merge", "reject"]  # a noise-aware rule would add "measure": look once more

# Fractions of images or of classes: their differences are told in points.
IN_POINTS = {"accuracy", "balanced_accuracy", "macro_f1"}


@dataclass(frozen=True)
class Scores:
    """One pipeline's scores on the validation part."""

    metric: str
    by_seed: Mapping[int, float]  # seed of the training -> score

    def mean(self) -> float:
        """Return the mean over the seeds."""
        return math.fsum(self.by_seed.values()) / len(self.by_seed)


@dataclass(frozen=True)
class Decision:
    """What becomes of the candidate, and why in one readable line."""

    kind: Kind
    reason: str


def decide(candidate: Scores, incumbent: Scores, rule: str = "improves") -> Decision:
    """Decide on a candidate against the incumbent, both measured the same way.

    ``improves`` merges only a score that is strictly better in the metric's direction.

    Raises ValueError for scores that do not compare (another metric, other seeds, none, not
    finite) and for an unknown rule: deciding on those would be a bug.
    """
    _check_comparable(candidate, incumbent)
    if rule != "improves":
        raise ValueError(f"unknown rule: {rule}")
    new, old = candidate.mean(), incumbent.mean()
    better = new > old if METRICS[candidate.metric] else new < old
    return Decision("merge" if better else "reject", _reason(candidate.metric, new, old))


def gain_text(metric: str, gain: float) -> str:
    """Return a difference of two scores for people: ``+1.11 points``."""
    return f"{100 * gain:+.2f} points" if metric in IN_POINTS else f"{gain:+.4f}"


def _check_comparable(one: Scores, other: Scores) -> None:
    if one.metric != other.metric:
        raise ValueError(f"{one.metric} does not compare with {other.metric}")
    if set(one.by_seed) != set(other.by_seed) or not one.by_seed:
        seeds = f"{sorted(one.by_seed)} and {sorted(other.by_seed)}"
        raise ValueError(f"scores of different seeds do not compare: {seeds}")
    for value in (*one.by_seed.values(), *other.by_seed.values()):
        if not math.isfinite(value):
            raise ValueError(f"{one.metric} {value} is not finite")


def _reason(metric: str, new: float, old: float) -> str:
    name = metric.replace("_", " ")
    if new == old:
        return f"{name} {new:.4f}, the same as main"
    # As many digits as it takes to see the difference.
    digits = next((n for n in (4, 6, 8) if f"{new:.{n}f}" != f"{old:.{n}f}"), 17)
    way = "over" if new > old else "under"
    return f"{name} {new:.{digits}f} {way} {old:.{digits}f} ({gain_text(metric, new - old)})"
