"""What a verdict says of its measurement, in its record and its trailers.

They may come from anywhere: whatever is not as expected counts as absent.
"""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from improve_git.figures import LARGEST
from improve_git.judging.significance import Trained

Record = Mapping[str, Any]


def curve(record: Record | None) -> list[dict[str, float]]:
    """Return what the training reported, one dict of finite figures an epoch."""
    return [row for row in _rows(record, "curve") if row]


def recalls(record: Record | None) -> list[tuple[int, float] | None]:
    """Return each class's images and its recall, a mean over the seeds; None: not told."""
    runs = [_rows(_inner(run, "judgement"), "per_class") for run in _runs(record)]
    if len({len(rows) for rows in runs}) != 1:
        return []
    return [_recall(rows) for rows in zip(*runs, strict=True)]


def detail(record: Record | None, most: int) -> str:
    """Return the last lines of what a failed training said."""
    text = (record or {}).get("detail")
    lines = text.splitlines() if isinstance(text, str) else []
    return "\n".join(lines[-most:])


def looks(record: Record | None) -> dict[int, float]:
    """Return the score of every training that was judged on val, by its seed."""
    pairs = (record or {}).get("looks")
    return {
        pair[0]: float(pair[1])
        for pair in (pairs if isinstance(pairs, list) else [])
        if isinstance(pair, list) and len(pair) == 2 and _whole(pair[0]) and _is_figure(pair[1])
    }


def train_seconds(record: Record | None) -> list[float]:
    """Return how long each training took that the score is told over."""
    runs = [_figures(run).get("train_seconds") for run in _runs(record)]
    return [seconds for seconds in runs if seconds]


def seed_scores(said: Mapping[str, str], score: float | None) -> dict[int, float]:
    """Return the score of each seed as a verdict's trailers tell it, ``score`` that of them all."""
    seeds = [seed for seed in said.get("Seeds", "").split(",") if seed.isdecimal()]
    told: list[Any] = said["Seed-Scores"].split(",") if "Seed-Scores" in said else [score]
    found: dict[int, float] = {}
    with suppress(ValueError, TypeError):  # other numbers of them, no figure, none at all
        for seed, one in zip(seeds, told, strict=True):
            if len(seed) < 20 and abs(float(one)) <= LARGEST:
                found[int(seed)] = float(one)
    return found


def trainings(
    record: Record | None, metric: str, images: int, classes: int
) -> dict[int, Trained] | None:
    """Return what each training scored and said of each image, by seed.

    None where not all of it is there: predictions of ``images`` images among ``classes`` classes,
    and for a metric that needs more than classes, those figures.
    """
    found: dict[int, Trained] = {}
    for run in _runs(record):
        seeds, judged = run.get("seeds"), _inner(run, "judgement")
        seed: Any = seeds[0] if isinstance(seeds, list) and len(seeds) == 1 else None
        score: Any = run.get("score")
        predicted: Any = judged.get("predicted")
        if not _whole(seed) or not _is_figure(score) or not _fit(predicted, images, classes):
            return None
        figures = judged.get("figures")
        if metric == "log_loss" and not _are_figures(figures, images):
            return None
        if metric == "roc_auc" and not (
            isinstance(figures, list)
            and len(figures) == images
            and all(_are_figures(row, classes) for row in figures)
        ):
            return None
        found[seed] = Trained(float(score), predicted, figures)
    return found or None


def confusion(record: Record | None, classes: int) -> list[list[int]]:
    """Return the images by label and predicted class, summed over the seeds; [] where unknown."""
    tables: list[Any] = [_inner(run, "judgement").get("confusion") for run in _runs(record)]
    if not classes or not tables or not all(_is_square(table, classes) for table in tables):
        return []
    every = range(classes)
    return [[sum(table[row][column] for table in tables) for column in every] for row in every]


def _runs(record: Record | None) -> list[Record]:
    """Return the trainings that a score is told over; with a single seed, the record itself."""
    runs = (record or {}).get("by_seed")
    if isinstance(runs, list) and runs:
        return [run for run in runs if isinstance(run, dict)]
    return [record] if record else []


def _inner(record: Record | None, key: str) -> Record:
    inner = (record or {}).get(key)
    return inner if isinstance(inner, dict) else {}


def _recall(rows: Sequence[dict[str, float]]) -> tuple[int, float] | None:
    if not all({"recall", "support"} <= row.keys() for row in rows):
        return None
    mean = math.fsum(row["recall"] / len(rows) for row in rows)
    return int(rows[0]["support"]), mean


def _rows(content: Record | None, key: str) -> list[dict[str, float]]:
    rows = (content or {}).get(key)
    found = rows if isinstance(rows, list) else []
    return [_figures(row) if isinstance(row, dict) else {} for row in found]


def _figures(row: Record) -> dict[str, float]:
    return {str(key): float(value) for key, value in row.items() if _is_figure(value)}


def _fit(predicted: Any, images: int, classes: int) -> bool:
    """Say whether these are predictions of so many images among so many classes."""
    return (
        isinstance(predicted, list)
        and len(predicted) == images
        and all(_whole(guess) and guess < classes for guess in predicted)
    )


def _is_square(table: Any, size: int) -> bool:
    return (
        isinstance(table, list)
        and len(table) == size
        and all(
            isinstance(row, list) and len(row) == size and all(map(_whole, row)) for row in table
        )
    )


def _are_figures(values: Any, count: int) -> bool:
    return isinstance(values, list) and len(values) == count and all(map(_is_figure, values))


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _is_figure(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST
