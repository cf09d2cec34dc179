"""Whether a gain is more than luck: the statistics behind the gate, as pure functions.

Two pipelines are compared on the same images, each trained with several seeds. Both vary: other
images would have been easier, another seed would have trained better. All images share a seed's
shift, so a variance over images alone is too small, however many images there are. The two are
crossed, as in Owen, "The pigeonhole bootstrap" (Annals of Applied Statistics 1(2), 2007): the
variance of a mean gain is the part of the images plus the part of the seeds.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from improve_git.figures import METRICS
from improve_git.judging.resampling import RESAMPLED

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

RESAMPLES = 400


@dataclass(frozen=True)
class Trained:
    """What one training scored on val, and what it said of each image, in pack order."""

    score: float
    predicted: Sequence[int]  # classes
    # Where classes do not tell the score: the loss of each image for log_loss, the confidence in
    # each class (images, classes) for roc_auc.
    figures: Any = None


@dataclass(frozen=True)
class Pair:
    """Two pipelines on the same images; for each seed a training of either, in the same order."""

    metric: str
    labels: Sequence[int]  # of the images, in pack order
    ours: Sequence[Trained]
    theirs: Sequence[Trained]

    @property
    def gain(self) -> float:
        """The mean gain over the seeds, positive where ours are better."""
        ours = math.fsum(run.score for run in self.ours) / len(self.ours)
        theirs = math.fsum(run.score for run in self.theirs) / len(self.theirs)
        return ours - theirs if METRICS[self.metric] else theirs - ours


@dataclass(frozen=True)
class SeedNoise:
    """How much the score of one and the same pipeline varies with the seed of its training."""

    variance: float
    freedom: int  # degrees of freedom behind it; 0: not known


@dataclass(frozen=True)
class Gain:
    """A mean gain over seeds, positive where the candidate is better, and how sure it is."""

    value: float
    images_variance: float
    seeds_variance: float
    freedom: float

    @property
    def error(self) -> float:
        """The standard error."""
        return math.sqrt(self.images_variance + self.seeds_variance)

    @property
    def confidence(self) -> float:
        """How sure it is that the true gain is above zero: 0.5 is a coin, 1 is certain.

        One minus the one-sided p-value of Student's t, so that under no gain at all a confidence
        of c or more comes up in 1 - c of the cases. ``docs/gate.md`` has the real rates.
        """
        from scipy.special import stdtr  # the distribution function of Student's t

        if self.error == 0:
            return 0.5 if self.value == 0 else float(self.value > 0)
        return float(stdtr(self.freedom, self.value / self.error))

    def low(self, confidence: float) -> float:
        """Return what the true gain is above, with a confidence."""
        from scipy.special import stdtrit

        return self.value - float(stdtrit(self.freedom, confidence)) * self.error

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return what the true gain lies between, with a confidence: the error split evenly."""
        one_sided = (1 + confidence) / 2
        low = self.low(one_sided)
        return low, 2 * self.value - low


def seed_noise(groups: Sequence[Sequence[float]], floor: float = 0.0) -> SeedNoise:
    """Pool the variance between seeds over pipelines; a group is one pipeline's scores.

    The within-group variance of a one-way analysis of variance. Few seeds can agree by chance, so
    it is not taken for less than ``floor`` (see ``churn``).
    """
    squares = freedom = 0.0
    for group in groups:
        mean = math.fsum(group) / len(group)
        squares += math.fsum((score - mean) ** 2 for score in group)
        freedom += len(group) - 1
    variance = squares / freedom if freedom else 0.0
    return SeedNoise(max(variance, floor), int(freedom))


def churn(metric: str, labels: Sequence[int], trained: Sequence[Trained]) -> float:
    """Return the least variance that a score has between seeds: that of independent images.

    Seeds that disagree on single images shift the score even if the shifts happen to cancel. With
    s_i the variance over seeds of image i's part in the score, it is sum(s_i) / n^2. Zero for a
    single seed, and for metrics that do not add up over images.
    """
    import numpy as np

    parts = _parts(metric, labels, trained)
    if parts is None or len(trained) < 2:
        return 0.0
    return float(np.var(parts, axis=0, ddof=1).sum() / parts.shape[1] ** 2)


def compare(pair: Pair, noise: SeedNoise) -> Gain:
    """Compare two pipelines, given the noise between the seeds of one.

    Either side has its own number of seeds, and the noise of each counts; two trainings with the
    same seed are taken for independent, which is on the safe side.
    """
    images = images_variance(pair)
    seeds = noise.variance * (1 / len(pair.ours) + 1 / len(pair.theirs))
    both = images + seeds
    # Welch and Satterthwaite (Biometrics Bulletin 2, 1946): the freedom of a sum of variances.
    below = images**2 / max(len(pair.labels) - 1, 1) + seeds**2 / max(noise.freedom, 1)
    return Gain(pair.gain, images, seeds, both**2 / below if below else 1.0)


def images_variance(pair: Pair) -> float:
    """Return the part of the images in the variance of the mean gain over the given seeds.

    Where the metric is a mean over images, the variance of the mean of the paired differences
    (Miller, arXiv 2411.00640, section 4); else a paired bootstrap over images.
    """
    import numpy as np

    difference = _differences(pair)
    if difference is not None:
        return float(np.var(difference, ddof=1) / len(difference)) if len(difference) > 1 else 0.0
    truth = np.asarray(pair.labels)
    counts = np.random.default_rng(0).multinomial(
        len(truth), np.full(len(truth), 1 / len(truth)), size=RESAMPLES
    )
    gain = np.zeros(RESAMPLES)
    for runs, way in ((pair.ours, 1), (pair.theirs, -1)):
        for run in runs:
            gain += way * RESAMPLED[pair.metric](truth, run, counts) / len(runs)
    return float(np.nanvar(gain, ddof=1))


def chance_of_passing(
    gain: Gain,
    noise: SeedNoise,
    *,
    seeds: int,
    confidence: float,
    done: int = 0,
    screened: int = 0,
) -> float:
    """Predict the chance that the gain reaches a confidence once all seeds are measured.

    The predictive power of Spiegelhalter, Freedman and Blackburn (Controlled Clinical Trials 7,
    1986) under a flat prior. The images stay the same, so only the noise of the seeds can still
    change the mean.

    Args:
        gain: so far.
        noise: between the seeds of one pipeline.
        seeds: all that will count.
        confidence: to be reached.
        done: seeds that are measured and will count.
        screened: where none is, and the gain is a first look that will not count: the incumbent's
            seeds in it.
    """
    from scipy.special import ndtr, stdtrit

    final_seeds = 2 * noise.variance / seeds
    final = math.sqrt(gain.images_variance + final_seeds)
    if screened:
        spread = noise.variance * (1 + 1 / screened) + final_seeds
    else:
        spread = 2 * noise.variance * (1 / done - 1 / seeds)
    needed = float(stdtrit(max(gain.freedom, 1), confidence)) * final
    if spread == 0:
        return float(gain.value > 0 and gain.value >= needed)
    return float(ndtr((gain.value - needed) / math.sqrt(spread)))


def flip_error(pair: Pair) -> float:
    """Return the standard deviation of a gain when each image's difference may change its sign."""
    difference = _differences(pair)
    if difference is None:
        return math.sqrt(images_variance(pair))
    return float(math.sqrt((difference**2).sum()) / len(difference))


def _differences(pair: Pair) -> "Floats | None":
    """Return for each image how much more it brings one side than the other; None: no such parts.

    Means over the seeds of a side; the sign is that of the plain difference.
    """
    ours = _parts(pair.metric, pair.labels, pair.ours)
    theirs = _parts(pair.metric, pair.labels, pair.theirs)
    if ours is None or theirs is None:
        return None
    return ours.mean(axis=0) - theirs.mean(axis=0)  # type: ignore[no-any-return]


def _parts(metric: str, labels: Sequence[int], trained: Sequence[Trained]) -> "Floats | None":
    """Return (trainings, images) parts whose mean over images is the score; None: there are none.

    For a balanced accuracy the sizes of the classes count as given.
    """
    import numpy as np

    if metric == "log_loss":
        return np.array([run.figures for run in trained], dtype=np.float64)
    if metric not in ("accuracy", "balanced_accuracy"):
        return None
    truth = np.asarray(labels)
    right = np.array([np.asarray(run.predicted) == truth for run in trained], dtype=np.float64)
    if metric == "accuracy":
        return right
    _, inverse, sizes = np.unique(truth, return_inverse=True, return_counts=True)
    weights: Floats = (len(truth) / len(sizes) / sizes)[inverse]
    return right * weights
