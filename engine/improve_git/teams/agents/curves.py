"""What a learning curve and a confusion tell.

Both come out of a sandbox, so nothing is taken on trust. A candidate could report whatever it
likes; that harms nothing but its own prompts.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from improve_git.domain import Training
from improve_git.messages import one_line

ROWS = 12  # epochs that are shown
COURSE = 6  # tuning accuracies that a training's line tells
FEW_CLASSES = 6  # of which each attempt's shares are told
PAIRS = 8  # most confused pairs, and classes found worst
_MOST = 1e9  # epochs or images; no more can be true


def share_text(value: float | None) -> str:
    """Return an accuracy for reading: ``90.2 %``."""
    if value is None:
        return "unknown"
    return f"{100 * value:.1f} %" if 0 <= value <= 1 else f"{value:.4g}"


def curve_facts(training: Training) -> dict[str, Any] | None:
    """Return what an expert asks of a curve; None where nothing was reported."""
    rows = [_row(place, entry) for place, entry in enumerate(training.curve, start=1)]
    if not rows:
        return None
    last = rows[-1]
    tuned = [row for row in rows if row["tune"] is not None]
    best = max(tuned, key=lambda row: row["tune"]) if tuned else None
    planned = number(training.curve[-1], "epochs")
    return {
        "epochs": len(rows),
        "planned": int(planned) if planned and len(rows) < planned < _MOST else None,
        "seconds_per_epoch": seconds_text(training.seconds, len(rows)),
        "last_gap": _gap(last),
        "best_gap": _gap(best) if best else None,
        "best_epoch": best["epoch"] if best else None,
        "best_tune": share_text(best["tune"]) if best else None,
        "best_is_last": best is last,
        "rows": [_shown(row) for row in _chosen(rows, best)],
    }


def best_tune(training: Training) -> float | None:
    """Return the best tuning accuracy of a curve."""
    told = [number(entry, "tune_accuracy") for entry in training.curve]
    return max((value for value in told if value is not None), default=None)


def tune_lost(training: Training) -> float | None:
    """Return by how much the last tuning accuracy lies under the best; None where unknown."""
    best = best_tune(training)
    last = number(training.curve[-1], "tune_accuracy") if training.curve else None
    return None if best is None or last is None else best - last


def curve_line(training: Training) -> str:
    """Return a training in one line."""
    facts = curve_facts(training)
    if facts is None:
        return f"nothing reported, {seconds_text(training.seconds)} s"
    parts = [f"{facts['epochs']} epochs", f"train {facts['rows'][-1]['train']}"]
    parts.append(f"tune {_course(training)}")
    parts.append(f"{seconds_text(training.seconds)} s")
    if training.stopped_by:
        parts.append(f"stopped by the {one_line(training.stopped_by, 40)}")
    return ", ".join(parts)


def chance_loss(training: Training, classes: int) -> str | None:
    """Return the loss of a classifier that knows nothing; None where no loss was reported."""
    if not any(number(entry, "loss") is not None for entry in training.curve):
        return None
    return f"{math.log(max(1, classes)):.2f}"


def found_shares(matrix: Sequence[Sequence[int]], names: Sequence[str]) -> str:
    """Return each class's share that is found, in one line; "" for many classes or unknown ones."""
    if len(names) > FEW_CLASSES or not _is_square(matrix, len(names)):
        return ""
    told = [
        f"{names[label]} {100 * row[label] / sum(row):.0f} %"
        for label, row in enumerate(matrix)
        if sum(row)
    ]
    return ", ".join(told)


def confused(matrix: Sequence[Sequence[int]], names: Sequence[str]) -> list[str]:
    """Return the most confused pairs of classes with their counts; [] where they are unknown."""
    if not _is_square(matrix, len(names)):
        return []
    pairs = [
        (count, label, predicted)
        for label, row in enumerate(matrix)
        for predicted, count in enumerate(row)
        if count > 0 and label != predicted
    ]
    pairs.sort(key=lambda pair: (-pair[0], pair[1:]))
    return [
        f"{names[label]} taken for {names[predicted]}: {count} of {sum(matrix[label])}"
        for count, label, predicted in pairs[:PAIRS]
    ]


def found_worst(matrix: Sequence[Sequence[int]], names: Sequence[str]) -> list[str]:
    """Return the classes that are found worst with their recall; [] where it is unknown."""
    if not _is_square(matrix, len(names)):
        return []
    recalls = [
        (row[label] / sum(row), label, sum(row)) for label, row in enumerate(matrix) if sum(row) > 0
    ]
    recalls.sort()
    return [
        f"{names[label]}: {share_text(recall)} of {images}"
        for recall, label, images in recalls[:PAIRS]
    ]


def number(entry: Mapping[str, Any], key: str) -> float | None:
    """Return a finite number that was reported, None where there is none."""
    return _finite(entry.get(key))


def positive(value: Any) -> float | None:
    """Return a finite number above zero, None for anything else."""
    known = _finite(value)
    return known if known is not None and known > 0 else None


def seconds_text(value: Any, parts: int = 1) -> str:
    """Return seconds for reading, each of so many equal parts."""
    known = positive(value)
    return "unknown" if known is None else f"{known / parts:.3g}"


def _course(training: Training) -> str:
    """Return a few tuning accuracies from the first to the last epoch: ``61.0, 66.4, 67.1 %``."""
    told = [number(entry, "tune_accuracy") for entry in training.curve]
    known = [value for value in told if value is not None]
    if not known:
        return "unknown"
    places = {round(step * (len(known) - 1) / (COURSE - 1)) for step in range(COURSE)}
    shares = [share_text(known[place]) for place in sorted(places)]
    return ", ".join([*(share.removesuffix(" %") for share in shares[:-1]), shares[-1]])


def _finite(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # an integer beyond any float
        return None


def _row(place: int, entry: Mapping[str, Any]) -> dict[str, Any]:
    epoch = number(entry, "epoch")
    return {
        "epoch": int(epoch) if epoch is not None and abs(epoch) < _MOST else place,
        "loss": number(entry, "loss"),
        "train": number(entry, "train_accuracy"),
        "tune": number(entry, "tune_accuracy"),
        "lr": number(entry, "lr"),
    }


def _gap(row: Mapping[str, Any]) -> str | None:
    """Return how far training is above tuning, in points."""
    if row["train"] is None or row["tune"] is None:
        return None
    return f"{100 * (row['train'] - row['tune']):+.1f} points"


def _chosen(rows: Sequence[dict[str, Any]], best: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Return a few rows: evenly spread, the first, the best and the last among them."""
    steps = max(1, ROWS - 2)
    places = {round(step * (len(rows) - 1) / steps) for step in range(steps + 1)}
    return [row for place, row in enumerate(rows) if place in places or row is best]


def _shown(row: Mapping[str, Any]) -> dict[str, str]:
    return {
        "epoch": str(row["epoch"]),
        "loss": "unknown" if row["loss"] is None else f"{row['loss']:.4g}",
        "train": share_text(row["train"]),
        "tune": share_text(row["tune"]),
        "lr": "unknown" if row["lr"] is None else f"{row['lr']:.3g}",
    }


def _is_square(matrix: Any, classes: int) -> bool:
    if not isinstance(matrix, list) or len(matrix) != classes:
        return False
    return all(
        isinstance(row, list)
        and len(row) == classes
        and all(type(count) is int and 0 <= count < _MOST for count in row)
        for row in matrix
    )
