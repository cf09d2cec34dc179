"""Scores as agents are told them: in steps of half a standard error, so that val stays unseen.

An agent that saw exact scores could, over many attempts, learn the val part from them.
"""

import math
import re
from dataclasses import dataclass

from improve_git.domain import Attempt, Context
from improve_git.gate import IN_POINTS
from improve_git.judge import standard_error


@dataclass(frozen=True)
class Scale:
    """How a metric's figures are told. A gain is positive where the metric gets better."""

    metric: str
    higher_is_better: bool
    step: float  # of the metric itself, not of points

    @property
    def unit(self) -> str:
        """What gains are told in."""
        return "points" if self.metric in IN_POINTS else self.metric.replace("_", " ")

    @property
    def better(self) -> str:
        """Which way is better, in words."""
        return "higher is better" if self.higher_is_better else "lower is better"

    def score(self, value: float) -> str:
        """Return a score, rounded: ``90.1 %`` or ``0.473``."""
        text = f"{self._rounded(value) * self._factor:.{self._digits}f}"
        return f"{text} %" if self.metric in IN_POINTS else text

    def gain(self, value: float) -> str:
        """Return a gain, rounded: ``+1.2 points``."""
        rounded = self._rounded(value)
        if not rounded:
            return f"about 0 {self.unit}"
        return f"{rounded * self._factor:+.{self._digits}f} {self.unit}"

    def size(self, value: float) -> str:
        """Return a size that tells nothing of val, such as the smallest gain that counts."""
        return f"{value * self._factor:.2g} {self.unit}"

    def forecast(self, gain: float) -> str:
        """Return an expected gain, which need not be rounded."""
        return f"{gain * self._factor:+.2g} {self.unit}"

    def got(self, attempt: Attempt) -> float | None:
        """Return what an attempt gained over main, exactly; None where it was not measured."""
        if attempt.score is None or attempt.main_score is None:
            return None
        change = attempt.score - attempt.main_score
        return change if self.higher_is_better else -change

    def expected_text(self, gain: float) -> str:
        """Return an expected gain, given in this scale's unit, as the trail keeps it."""
        change = gain if self.higher_is_better else -gain
        return f"{change:+.3g} points" if self.metric in IN_POINTS else f"{change:+.3g}"

    def expected(self, attempt: Attempt) -> float | None:
        """Read an expected gain back from the trail; None where it is told in another way."""
        end = " points" if self.metric in IN_POINTS else ""
        found = re.fullmatch(rf"([+-]\d+(?:\.\d+)?(?:e[+-]\d+)?){end}", attempt.expected_effect)
        if not found:
            return None
        change = float(found[1]) / self._factor
        return change if self.higher_is_better else -change

    @property
    def _factor(self) -> int:
        return 100 if self.metric in IN_POINTS else 1

    @property
    def _digits(self) -> int:
        """How many decimals it takes to tell one step from the next."""
        return max(0, math.ceil(-math.log10(self.step * self._factor / 2)))

    def _rounded(self, value: float) -> float:
        return round(value / self.step) * self.step


def scale_of(context: Context) -> Scale:
    """Return the scale of a context's metric.

    The standard error is that of an accuracy; for the other metrics it serves as an approximation.
    """
    images = max(1, int(context.profile["parts"]["val"]))
    known = [a.main_score for a in context.attempts if a.main_score is not None]
    score = context.score if context.score is not None else known[-1] if known else 0.5
    # A log loss of 0.5 and above is as uncertain as a coin.
    share = min(max(score, 0.0), 1.0) if context.higher_is_better else min(max(score, 0.0), 0.5)
    return Scale(context.metric, context.higher_is_better, standard_error(images, share) / 2)
