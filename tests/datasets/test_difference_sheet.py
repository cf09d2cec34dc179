import io

import numpy as np
import pytest
from picture_files import class_folders, read
from PIL import Image

from improve_git.datasets.dataset import Entry
from improve_git.datasets.difference_sheet import (
    MARK,
    MOST_IMAGES,
    Answered,
    Sheet,
    difference_sheet,
)

HOSTILE = ["", "a\nb\x1b[31m\u202e", "\ud800\udcff", "猫" * 300, "x" * 5000, "\u0301" * 50, "🐈‍⬛"]


def images(root, count):
    """Return so many images of two classes."""
    return read(class_folders(root, {"a": max(10, count), "b": max(10, count)})).entries[:count]


def answered(entries, only_a):
    """Let A alone be right on so many of the entries, and B on the others."""
    return [(entry, (entry.label,), (1 - entry.label,)) if place < only_a
            else (entry, (1 - entry.label,), (entry.label,))
            for place, entry in enumerate(entries)]  # fmt: skip


def draw(found: list[Answered], root, classes=("a", "b"), names=("one", "other")) -> Sheet:
    return difference_sheet(names, found, classes, root)


def pixels(sheet: Sheet):
    image = Image.open(io.BytesIO(sheet.png))
    assert (image.format, image.mode, image.info) == ("PNG", "RGB", {"Software": MARK})
    return np.asarray(image)


def test_both_kinds_are_drawn(tmp_path):
    entries = images(tmp_path, 10)
    sheet = draw(answered(entries, 3), tmp_path)
    assert (sheet.images, sheet.left_out, sheet.unreadable) == (10, 0, 0)
    assert pixels(sheet).shape[1] == 7 * 172 + 12
    # Two headings, one row of A's and one of B's.
    assert pixels(sheet).shape[0] == 2 * (36 + 12) + 2 * (160 + 3 * 18 + 12)
    swapped = draw([(entry, b, a) for entry, a, b in answered(entries, 3)], tmp_path)
    assert swapped.png != sheet.png
    assert draw(answered(entries, 3), tmp_path).png == sheet.png


def test_right_answers_are_green_and_wrong_ones_red(tmp_path):
    (entry,) = images(tmp_path, 1)
    captions = pixels(draw([(entry, (entry.label,), (1 - entry.label,))], tmp_path))[202:260, :172]
    lines = captions[:18], captions[18:36], captions[36:54]
    dark = [line[line.sum(axis=2) == line.sum(axis=2).min()][0].tolist() for line in lines]
    assert dark == [[0, 0, 0], [0, 105, 0], [170, 0, 0]]


def test_of_many_some_of_either_kind_are_drawn(tmp_path):
    entries = images(tmp_path, 160)
    sheet = draw(answered(entries, 1), tmp_path)
    assert sheet.images + sheet.left_out == 160
    assert sheet.images == 1 + MOST_IMAGES * 159 // 160
    assert pixels(sheet).shape[0] < 3000


def test_files_that_are_gone_changed_or_foreign_are_left_out(tmp_path):
    entries = images(tmp_path / "root", 8)
    (tmp_path / "root" / entries[0].path).unlink()
    (tmp_path / "root" / entries[1].path).write_bytes(b"nonsense")
    Image.new("RGB", (40, 30), "red").save(tmp_path / "private.png")
    foreign = Entry("../private.png", "0" * 64, 0, "val")
    sheet = draw(answered([*entries, foreign], 4), tmp_path / "root")
    assert (sheet.images, sheet.left_out, sheet.unreadable) == (6, 0, 3)
    assert not (pixels(sheet) == (255, 0, 0)).all(axis=2).any()


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_can_be_drawn(tmp_path, name):
    entries = images(tmp_path, 6)
    sheet = draw(answered(entries, 3), tmp_path, (name, "b"), (name, name))
    drawn = pixels(sheet)
    assert (drawn[:, :12] == 255).all()  # it stays in its column
    assert (drawn[60:200, 3 * 172 + 12 :] == 255).all()


def test_several_trainings_are_told_by_how_many_are_right(tmp_path):
    entry = images(tmp_path, 1)[0]
    right, wrong = entry.label, 1 - entry.label
    twice = draw([(entry, (right, right, wrong), (right, wrong, wrong))], tmp_path)
    once = draw([(entry, (right, wrong, wrong), (wrong, wrong, wrong))], tmp_path)
    assert len({twice.png, once.png}) == 2


def test_nothing_to_draw(tmp_path):
    sheet = draw([], tmp_path)
    assert (sheet.images, sheet.left_out, sheet.unreadable) == (0, 0, 0)
