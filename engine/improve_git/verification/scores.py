"""Scoring again: from the predictions in a record and the labels, as the judge did."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from improve_git.iteration.measurement import Measurement
from improve_git.verification.chain import Chain
from improve_git.verification.findings import Finding

if TYPE_CHECKING:
    from improve_git.datasets.dataset import DataSet
    from improve_git.domain import Part

EXACT = 1e-9  # sums may be added up in another order
_BY_CLASS = ("accuracy", "balanced_accuracy", "macro_f1", "quadratic_kappa")
_FIGURE = 5e-4  # the largest relative error of a figure that is stored to four digits


def scores(chain: Chain) -> Iterator[Finding]:
    """Find scores that the recorded predictions do not come to."""
    for one in chain.ruled:
        if one.record is None or one.record["score"] is None:
            continue
        data_set = chain.data_set(one.main if one.main in chain.commits else one.candidate)
        if data_set is None:  # told by the check of the data
            continue
        for what in misscored(one.record, data_set):
            yield Finding("score", one.name, what, one.commit.sha)


def runs_of(record: Measurement) -> list[Measurement]:
    """Return what each seed came to."""
    return record.get("by_seed") or [record]


def predictions(record: Measurement | None) -> int:
    """Return how many predictions a record holds."""
    if record is None or record["score"] is None:
        return 0
    return sum(len(run["judgement"]["predicted"]) for run in runs_of(record))


def misscored(record: Measurement, data_set: "DataSet", part: "Part" = "val") -> Iterator[str]:
    """Yield what of a record's scores is not as its predictions of a part have it."""
    runs, labels = runs_of(record), data_set.labels(part)
    for run in runs:
        yield from _misscored_run(record["metric"], run, labels, len(data_set.classes))
    mean = math.fsum(run["score"] for run in runs) / len(runs)
    if not _same(record["score"], mean):
        yield f"its score is {record['score']:.6g}; its seeds come to {mean:.6g}"
    seeds = [run["seeds"][0] for run in runs]
    if seeds != record["seeds"]:
        yield f"its seeds are {record['seeds']}; it has scores of {seeds}"
    if len({*seeds}) < len(seeds):
        yield f"it has several scores of one seed: {seeds}"
    if record["judgement"] != runs[0]["judgement"]:
        yield "its judgement is not that of its first seed"
    by_seed = dict(map(tuple, record.get("looks") or []))
    for seed, run in zip(seeds, runs, strict=True):
        if by_seed and not _same(by_seed.get(seed, math.nan), run["score"]):
            yield f"its looks do not have {run['score']:.6g} for seed {seed}"


def _misscored_run(
    metric: str, run: Measurement, labels: Sequence[int], classes: int
) -> Iterator[str]:
    import numpy as np

    from improve_git.judging import judge

    judged, seed = run["judgement"], run["seeds"][0]
    predicted: Sequence[int] = judged["predicted"]
    if len(predicted) != len(labels):
        yield f"seed {seed} has {len(predicted)} predictions for {len(labels)} images"
        return
    if not all(0 <= guess < classes for guess in predicted):
        yield f"seed {seed} predicts classes that are not there"
        return
    counted = judge.score(np.eye(classes)[list(predicted)], labels, "accuracy", classes)
    low, high = _bounds(metric, judged.get("figures"), labels, counted)
    if not low - EXACT <= run["score"] <= high + EXACT:
        comes = f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}"
        yield f"seed {seed} has the score {run['score']:.6g}; its predictions come to {comes}"
    if not _alike(judged.get("value"), run["score"]) or judged.get("metric") != metric:
        yield f"what seed {seed} was judged by is not its score"
    told = judged.get("metrics")
    figures = told if isinstance(told, dict) else {}
    wrong = [name for name in _BY_CLASS
             if not _alike(figures.get(name), counted.metrics[name])]  # fmt: skip
    if wrong:
        yield f"seed {seed}: {wrong[0]} is not what its predictions come to"
    if judged.get("confusion") != counted.confusion:
        yield f"seed {seed}: the confusion is not that of its predictions"
    if not _alike(judged.get("per_class"), counted.per_class):
        yield f"seed {seed}: the figures of the classes are not those of its predictions"


def _bounds(metric: str, figures: Any, labels: Sequence[int], counted: Any) -> tuple[float, float]:
    """Return what a score lies between: figures are stored to four digits only."""
    if metric in _BY_CLASS:
        value = counted.metrics[metric]
        return (math.nan, math.nan) if value is None else (value, value)
    if not isinstance(figures, list) or len(figures) != len(labels):
        return math.nan, math.nan
    if metric == "log_loss":
        if not all(isinstance(loss, int | float) for loss in figures):
            return math.nan, math.nan
        mean = math.fsum(figures) / len(figures)
        return mean * (1 - _FIGURE), mean * (1 + _FIGURE)
    return _auc_bounds(figures, labels)


def _auc_bounds(figures: list[Any], labels: Sequence[int]) -> tuple[float, float]:
    """Return the least and the largest ROC-AUC of confidences that were rounded.

    Rounding keeps their order, but for ties that it makes: each tied pair may have counted for
    nothing, for half or for all.
    """
    import numpy as np

    try:
        confidence = np.asarray(figures, dtype=np.float64)
    except ValueError:
        return math.nan, math.nan
    truth = np.asarray(labels)
    if confidence.ndim != 2 or confidence.shape[1] <= truth.max():
        return math.nan, math.nan
    judged = [1] if confidence.shape[1] == 2 else sorted(set(labels))
    areas = []
    for label in judged:
        ours, theirs = confidence[truth == label, label], confidence[truth != label, label]
        below = np.searchsorted(np.sort(theirs), ours, "left").sum()
        upto = np.searchsorted(np.sort(theirs), ours, "right").sum()
        pairs = len(ours) * len(theirs)
        areas.append((below / pairs, upto / pairs) if pairs else (math.nan, math.nan))
    low, high = np.mean(areas, axis=0)
    return float(low), float(high)


def _same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=EXACT, abs_tol=EXACT)


def _alike(one: Any, other: Any) -> bool:
    """Say whether two pieces of JSON are the same but for the last digits of their figures."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return _same(one, other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[key], other[key]) for key in one)
    return bool(one == other)
