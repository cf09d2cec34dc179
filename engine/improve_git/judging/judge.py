"""The judge: scores predictions against labels that never left the host.

Also says how small a gain a validation part of some size can tell from luck.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from improve_git.errors import DataError
from improve_git.figures import METRICS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Z95 = 1.959964  # two-sided 95 % of the normal distribution
# Six disagreements that all point one way are the fewest that a two-sided sign test at 5 % accepts:
# 2 * 0.5**6 = 0.031, while 2 * 0.5**5 = 0.063.
FEWEST_IMAGES = 6
ENOUGH_IMAGES = 1000
LARGEST_FRACTION = 0.3


@dataclass(frozen=True)
class Judgement:
    """Scores of one set of predictions, as plain data that JSON can hold."""

    metric: str
    value: float  # of that metric
    metrics: dict[str, float | None]  # every metric; None where the labels leave it undefined
    confusion: list[list[int]]  # [label][predicted class]
    per_class: list[dict[str, float]]  # precision, recall, f1, support (images)
    predicted: list[int]  # class of each image, in pack order
    # Where classes do not tell the value: the loss of each image (log_loss), its confidence in
    # each class (roc_auc), to four digits.
    figures: list[Any] | None = None


@dataclass(frozen=True)
class Resolution:
    """What a validation part can tell from luck; gains and errors are fractions of images."""

    images: int
    fraction: float  # of the data set
    standard_error: float
    smallest_gain: float


def higher_is_better(metric: str) -> bool:
    """Return the direction of a metric. Raises KeyError for one that is unknown."""
    return METRICS[metric]


def score(
    logits: "NDArray[np.floating[Any]]", labels: Sequence[int], metric: str, num_classes: int
) -> Judgement:
    """Score logits of shape (N, num_classes) against N class indices, in the same order.

    A class without a label is left out of the averages over classes: balanced accuracy, macro-F1
    and ROC-AUC (one class against the rest; for two classes, the usual one). Log-loss and ROC-AUC
    take the softmax of the logits.

    Raises ValueError where shapes or values cannot be scored (the sandbox has checked them before)
    and DataError where these labels leave the chosen metric undefined.
    """
    import numpy as np
    from scipy.special import log_softmax
    from sklearn import metrics as sk

    logits = np.asarray(logits, dtype=np.float64)
    truth = np.asarray(labels, dtype=np.int64)
    if logits.shape != (len(truth), num_classes) or not len(truth):
        raise ValueError(f"logits of shape {logits.shape} for {len(truth)} labels")
    if not np.isfinite(logits).all():
        raise ValueError("logits that are not finite")
    if truth.min() < 0 or truth.max() >= num_classes:
        raise ValueError(f"labels outside 0 to {num_classes - 1}")

    every = np.arange(num_classes)
    predicted = logits.argmax(axis=1)
    log_probability = log_softmax(logits, axis=1)
    precision, recall, f1, support = sk.precision_recall_fscore_support(
        truth, predicted, labels=every, zero_division=0.0
    )
    labelled = support > 0
    metrics = {
        "accuracy": float(sk.accuracy_score(truth, predicted)),
        "balanced_accuracy": float(recall[labelled].mean()),
        "macro_f1": float(f1[labelled].mean()),
        "log_loss": float(sk.log_loss(truth, np.exp(log_probability), labels=every)),
        "roc_auc": _roc_auc(truth, log_probability),
        "quadratic_kappa": _quadratic_kappa(truth, predicted, every),
    }
    value = metrics[metric]
    if value is None:
        raise DataError(
            f"{metric} is undefined: all {len(truth)} images are of one class",
            "choose another metric, or give each class more images",
        )
    per_class = [
        {"precision": float(p), "recall": float(r), "f1": float(f), "support": int(n)}
        for p, r, f, n in zip(precision, recall, f1, support, strict=True)
    ]
    confusion = sk.confusion_matrix(truth, predicted, labels=every)
    return Judgement(
        metric, value, metrics, confusion.tolist(), per_class, predicted.tolist(),
        _figures(metric, log_probability, truth),
    )  # fmt: skip


def _figures(metric: str, log_probability: Any, truth: Any) -> list[Any] | None:
    """Return what of each image a comparison needs besides its predicted class."""
    import numpy as np

    if metric == "log_loss":
        return [float(f"{loss:.4g}") for loss in -log_probability[np.arange(len(truth)), truth]]
    if metric == "roc_auc":
        return [[float(f"{p:.4g}") for p in row] for row in np.exp(log_probability)]
    return None


def _roc_auc(truth: Any, log_probability: Any) -> float | None:
    """Mean over the labelled classes of one class against the rest (for two: the second class).

    scikit-learn's own multi-class mode gives up where a class has no label.
    """
    import numpy as np
    from sklearn.metrics import roc_auc_score

    present = sorted({int(label) for label in truth})
    if len(present) < 2:
        return None
    # Ranks need no more than single precision, in which sums that differ in their order tie again.
    confidence = np.maximum(log_probability, -1e30).astype(np.float32)
    judged = [1] if confidence.shape[1] == 2 else present
    areas = [float(roc_auc_score(truth == k, confidence[:, k])) for k in judged]
    return math.fsum(areas) / len(areas)


def _quadratic_kappa(truth: Any, predicted: Any, every: Any) -> float | None:
    """Cohen's kappa with quadratic weights; undefined where all is one and the same class."""
    from sklearn.metrics import cohen_kappa_score

    if (truth == truth[0]).all() and (predicted == truth[0]).all():
        return None
    return float(cohen_kappa_score(truth, predicted, labels=every, weights="quadratic"))


def standard_error(n: int, p: float) -> float:
    """Return the standard error of an accuracy ``p`` measured on ``n`` images.

    One image of each outcome is added (Laplace), so that 0 % and 100 % are not taken for certain.
    """
    p = (p * n + 1) / (n + 2)
    return math.sqrt(p * (1 - p) / n)


def smallest_gain(n: int, p: float, correlation: float = 0.5) -> float:
    """Return the smallest gain in accuracy that ``n`` images can tell from luck, as a fraction.

    Both pipelines are judged on the same images, so only those count on which exactly one of them
    is right (McNemar, Psychometrika 12, 1947). With accuracies near ``p`` and ``correlation``
    between being right, that is a share d = 2 (1 - correlation) p (1 - p) of the images, and
    under equal skill the difference of the two accuracies has the standard error sqrt(d / n). A
    gain beyond 1.96 of these is called significant (two-sided, 95 %); it is rounded up to whole
    images, and to no fewer than six, below which even the exact sign test cannot decide.

    The correlation has to be assumed before there is a second pipeline. Miller, "Adding Error Bars
    to Evals" (arXiv 2411.00640), reports 0.3 to 0.7 for models on the same questions; 0.5 is the
    middle. A single comparison is meant: of many candidates some will pass by luck alone.
    """
    gain = Z95 * standard_error(n, p) * math.sqrt(2 * (1 - correlation))
    return max(math.ceil(gain * n), FEWEST_IMAGES) / n


def resolution(n: int, fraction: float, p: float) -> tuple[Resolution, Resolution | None]:
    """Return what ``n`` validation images can tell at accuracy ``p``, and what more would bring.

    ``fraction`` is the share of the data set that the ``n`` images are. The second answer is for
    the share that gives 1,000 images, or for 0.3 where that is less; None where ``n`` is enough.
    """
    now = Resolution(n, fraction, standard_error(n, p), smallest_gain(n, p))
    wanted = round(min(fraction * ENOUGH_IMAGES / n, LARGEST_FRACTION), 2)
    if n >= ENOUGH_IMAGES or wanted <= fraction:
        return now, None
    more = round(n * wanted / fraction)
    return now, Resolution(more, wanted, standard_error(more, p), smallest_gain(more, p))
