"""Scores as agents are told them: in coarse steps, so that val stays unseen.

An agent that saw exact scores could, over many attempts, learn the val part from them. So nothing
here is reckoned from an exact score: every figure comes from scores that are rounded already, on a
grid that hangs on the number of images alone and is the same all through a run.
"""

import math
import re
from dataclasses import dataclass

from improve_git.domain import Attempt, Context
from improve_git.figures import IN_POINTS
from improve_git.judging.judge import smallest_gain, standard_error

FEWEST_IN_STEP = 3  # images: no step is so fine that a score could be read off it
_SLACK = 1e-9  # for powers of ten that floats miss by a hair


@dataclass(frozen=True)
class Scale:
    """How a metric's figures are told. A gain is positive where the metric gets better."""

    metric: str
    higher_is_better: bool
    step: float  # of the metric itself, not of points: 1, 2 or 5 times a power of ten

    @property
    def unit(self) -> str:
        """What gains are told in."""
        return "points" if self.metric in IN_POINTS else self.metric.replace("_", " ")

    @property
    def better(self) -> str:
        """Which way is better, in words."""
        return "higher is better" if self.higher_is_better else "lower is better"

    def score(self, value: float) -> str:
        """Return a score, rounded: ``90 %`` or ``0.48``."""
        text = self._text(self.rounded(value))
        return f"{text} %" if self.metric in IN_POINTS else text

    def gain(self, value: float) -> str:
        """Return a gain, rounded: ``+2 points``."""
        rounded = self.rounded(value)
        if not rounded:
            return f"about 0 {self.unit}"
        return f"{self._text(rounded, '+')} {self.unit}"

    def size(self, value: float) -> str:
        """Return a size that tells nothing of val, such as the step."""
        return f"{float(f'{value * self._factor:.2g}'):g} {self.unit}"

    def smallest_gain(self, score: float, images: int) -> str | None:
        """Return the smallest gain that counts, reckoned from the rounded score.

        None for metrics other than accuracy, for which it is unknown.
        """
        if self.metric != "accuracy":
            return None
        share = min(max(self.rounded(score), 0.0), 1.0)  # a record's score may be anybody's
        return self.size(smallest_gain(images, share))

    def noise(self, deviation: float) -> str:
        """Return a standard deviation of val's scores, in whole steps like the scores."""
        return self.size(max(self.step, self.rounded(deviation)))

    def forecast(self, gain: float) -> str:
        """Return an expected gain, or a mean of rounded ones: these need no rounding."""
        return f"{gain * self._factor:+.2g} {self.unit}"

    def got(self, attempt: Attempt) -> float | None:
        """Return what an attempt gained over main: the difference of the rounded scores.

        None where one of them was not measured, or is no number: trails come from anybody.
        """
        score, main = attempt.score, attempt.main_score
        if score is None or main is None or not (math.isfinite(score) and math.isfinite(main)):
            return None
        change = self.rounded(score) - self.rounded(main)
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

    def rounded(self, value: float) -> float:
        """Return the multiple of the step that is nearest."""
        return round(value / self.step) * self.step

    @property
    def _factor(self) -> int:
        return 100 if self.metric in IN_POINTS else 1

    def _text(self, rounded: float, sign: str = "-") -> str:
        """Return a multiple of the step with just the digits that the step has."""
        digits = max(0, -math.floor(math.log10(self.step * self._factor) + _SLACK))
        return f"{rounded * self._factor:{sign}.{digits}f}"


def scale_of(context: Context) -> Scale:
    """Return the scale of a context's metric."""
    images = max(1, int(context.profile["parts"]["val"]))
    return Scale(context.metric, context.higher_is_better, step_of(images))


def step_of(images: int) -> float:
    """Return the step in which scores on so many images are told.

    It is half the standard error of an accuracy of 50 %, where that is largest, rounded up to 1, 2
    or 5 times a power of ten, so that scores need few digits, and no less than a few images.

    It is used for every metric. That assumes that they are as uncertain as an accuracy or more, and
    take at least as many values, as averages over classes and over probabilities do.
    """
    least = max(standard_error(images, 0.5) / 2, FEWEST_IN_STEP / images)
    power = math.floor(math.log10(least) + _SLACK)
    factor = next(f for f in (1, 2, 5, 10) if f * 10.0**power >= least * (1 - _SLACK))
    return float(f"{factor}e{power}")
