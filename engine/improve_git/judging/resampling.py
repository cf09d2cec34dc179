"""Metrics that are no mean over images, on many resamples of the images at once.

Each function takes the labels, a training (``Trained`` of significance.py) and how often each
resample draws each image, (resamples, images); it returns the metric of each resample.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def _macro_f1(truth: Any, run: Any, counts: Any) -> "Floats":
    import numpy as np

    predicted = np.asarray(run.predicted)
    every = np.arange(int(max(truth.max(), predicted.max())) + 1)
    is_label, is_claim = truth[:, None] == every, predicted[:, None] == every
    labelled, claimed = counts @ is_label, counts @ is_claim
    f1 = 2 * (counts @ (is_label & is_claim)) / np.maximum(labelled + claimed, 1)
    return np.nanmean(np.where(labelled > 0, f1, np.nan), axis=1)  # type: ignore[no-any-return]


def _quadratic_kappa(truth: Any, run: Any, counts: Any) -> "Floats":
    """Cohen's kappa; with quadratic weights all it takes are first and second moments."""
    import numpy as np

    claimed = np.asarray(run.predicted)
    apart = counts @ (truth - claimed) ** 2
    expected = counts @ (truth**2 + claimed**2)
    expected = expected - 2 * (counts @ truth) * (counts @ claimed) / counts.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return 1 - apart / expected  # type: ignore[no-any-return]


def _roc_auc(truth: Any, run: Any, counts: Any) -> "Floats":
    """The Mann-Whitney form, weighted by how often each image was drawn; ties count half."""
    import numpy as np

    confidence = np.asarray(run.figures, dtype=np.float64)
    present = np.unique(truth)
    judged = [1] if confidence.shape[1] == 2 else list(present)
    areas = []
    for label in judged:
        order = np.argsort(confidence[:, label], kind="stable")
        positive = (truth[order] == label) * counts[:, order]
        negative = (truth[order] != label) * counts[:, order]
        starts = np.flatnonzero(np.diff(confidence[order, label], prepend=-np.inf))
        positive = np.add.reduceat(positive, starts, axis=1)
        negative = np.add.reduceat(negative, starts, axis=1)
        below = np.cumsum(negative, axis=1) - negative
        pairs = positive.sum(axis=1) * negative.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            areas.append((positive * (below + negative / 2)).sum(axis=1) / pairs)
    return np.mean(areas, axis=0)  # type: ignore[no-any-return]


RESAMPLED: Mapping[str, Callable[[Any, Any, Any], "Floats"]] = {
    "macro_f1": _macro_f1,
    "quadratic_kappa": _quadratic_kappa,
    "roc_auc": _roc_auc,
}
