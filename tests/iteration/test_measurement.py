"""What a measurement says of tune: counted on the host, from classes that a candidate told."""

from typing import Any

import pytest

from improve_git.datasets.dataset import DataSet, Entry
from improve_git.iteration.measurement import LARGEST_CONFUSION, tune_confusion

LABELS = [1, 0, 2, 1]


def data_set(classes: int = 3) -> DataSet:
    entries = [Entry(f"{n}.png", f"{n:064x}", label, "tune") for n, label in enumerate(LABELS)]
    entries += [Entry("val.png", "f" * 64, 2, "val")]
    names = tuple(f"class {n}" for n in range(classes))
    return DataSet("photos", "class-folders", names, tuple(entries), {}, {})


def test_the_confusion_on_tune_is_counted_by_label_then_prediction() -> None:
    assert tune_confusion(data_set(), [1, 0, 1, 2]) == [[1, 0, 0], [0, 1, 1], [0, 1, 0]]


@pytest.mark.parametrize("predicted", [[], [1, 0, 1], [1, 0, 1, 2, 0]])
def test_classes_that_are_not_one_an_image_leave_it_unknown(predicted: list[int]) -> None:
    assert tune_confusion(data_set(), predicted) == []


@pytest.mark.parametrize(("classes", "rows"), [(LARGEST_CONFUSION, 50), (LARGEST_CONFUSION + 1, 0)])
def test_a_confusion_of_very_many_classes_is_not_kept(classes: int, rows: int) -> None:
    got: list[Any] = tune_confusion(data_set(classes), [0] * 4)
    assert len(got) == rows
