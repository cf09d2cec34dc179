import io
import json

import numpy as np
import pytest
from picture_files import class_folders, picture, read
from PIL import Image

from improve_git.datasets import contact_sheet as module
from improve_git.datasets.contact_sheet import MOST_HEIGHT, MOST_WIDTH, contact_sheet
from improve_git.datasets.dataset import DataSet, Entry

COLOURS = [(200, 0, 0), (0, 160, 0), (0, 0, 220)]


def coloured(root, counts):
    """Write images of nearly one colour a class, all different."""
    for (label, count), colour in zip(counts.items(), COLOURS, strict=False):
        (root / label).mkdir(parents=True)
        for number in range(count):
            image = Image.new("RGB", (40, 30), colour)
            image.putpixel((0, 0), (number, number, number))
            image.save(root / label / f"{number:03}.png")
    return root


def opened(sheet):
    image = Image.open(io.BytesIO(sheet))
    assert (image.format, image.mode, image.info) == ("PNG", "RGB", {})
    return np.asarray(image)


def columns_of(pixels, row, side=96):
    """Return the colour in the middle of each cell of a row; white where there is none."""
    middle = 6 + row * (side + 6) + side // 2
    lefts = range(220, pixels.shape[1] - side, side + 6)
    return [tuple(pixels[middle, left + side // 2].tolist()) for left in lefts]


def test_a_row_a_class_with_its_name_and_images_of_train(tmp_path):
    data_set = read(coloured(tmp_path, {"red": 30, "green": 30, "blue": 30}))
    pixels = opened(contact_sheet(data_set, tmp_path, side=96))
    assert pixels.shape == (3 * 102 + 6, 220 + 4 * 102 + 6, 3)
    for row, name in enumerate(data_set.classes):
        assert columns_of(pixels, row) == [COLOURS[["red", "green", "blue"].index(name)]] * 4
        label = pixels[6 + row * 102 : 102 + row * 102, :214]
        assert 50 < (label < 128).all(axis=2).sum() < 1000  # some dark pixels: the name


def test_only_train_images_are_opened(tmp_path, monkeypatch):
    data_set = read(class_folders(tmp_path, {"a": 30, "b": 30}))
    seen = []
    whole = module.read_image
    monkeypatch.setattr(
        module, "read_image", lambda path, *rest: seen.append(path) or whole(path, *rest)
    )
    contact_sheet(data_set, tmp_path, per_class=1000)
    train = {tmp_path / entry.path for entry in data_set.part("train")}
    assert seen
    assert set(seen) <= train


def test_the_same_data_set_gives_the_same_sheet_wherever_it_lies(tmp_path):
    sheets = []
    for place in ("here", "there"):
        root = class_folders(tmp_path / place, {"a": 30, "b": 30})
        sheets.append(contact_sheet(read(root), root))
    assert sheets[0] == sheets[1]


def test_files_that_are_gone_changed_or_damaged_are_left_out(tmp_path):
    data_set = read(coloured(tmp_path, {"red": 30, "green": 30, "blue": 30}))
    for number, entry in enumerate(data_set.part("train")):
        path = tmp_path / entry.path
        if entry.label == 0:
            path.unlink()
        elif entry.label == 1:
            picture(number).save(path)  # a good image, but not the one that was read
        elif number % 2:
            path.write_bytes(b"nonsense")
    pixels = opened(contact_sheet(data_set, tmp_path, side=96))
    white = (255, 255, 255)
    assert columns_of(pixels, 0) == [white] * 4
    assert columns_of(pixels, 1) == [white] * 4
    assert columns_of(pixels, 2) == [COLOURS[["red", "green", "blue"].index("red")]] * 4


def test_a_data_set_of_anybody_s_does_not_get_other_files_of_the_user_s_onto_the_sheet(tmp_path):
    (tmp_path / "root").mkdir()
    Image.new("RGB", (40, 30), "red").save(tmp_path / "private.png")
    entry = Entry("../private.png", "0" * 64, 0, "train")
    data_set = DataSet("x", "manifest", ("a",), (entry,), {}, {})
    pixels = opened(contact_sheet(data_set, tmp_path / "root"))
    assert set(columns_of(pixels, 0)) == {(255, 255, 255)}


def many_classes(count, name="class {}"):
    names = tuple(name.format(number) for number in range(count))
    return DataSet("x", "manifest", names, (), {}, {})


@pytest.mark.parametrize("sizes", [(4, 12, 96), (40, 100, 96), (1, 1, 500), (9, 30, 64)])
def test_the_sheet_is_bounded(tmp_path, sizes):
    for count in (2, 12, 1000):
        height, width, _ = opened(contact_sheet(many_classes(count), tmp_path, *sizes)).shape
        assert 0 < height <= MOST_HEIGHT
        assert 0 < width <= MOST_WIDTH


def test_of_many_classes_some_from_the_first_to_the_last_are_shown():
    assert module.spread(3, 12) == [0, 1, 2]
    assert module.spread(100, 4) == [0, 33, 66, 99]
    assert module.spread(100, 1) == [0]
    assert module.spread(0, 4) == []


@pytest.mark.parametrize(
    "name",
    ["", "a\nb\x1b[31m\u202e", "\ud800\udcff", "猫" * 300, "x" * 5000, "\u0301" * 50, "🐈‍⬛"],
)
def test_any_class_name_can_be_drawn(tmp_path, name):
    data_set = DataSet("x", "manifest", (name, "b"), (), {}, {})
    pixels = opened(contact_sheet(data_set, tmp_path, side=96))
    assert (pixels[:102, 214:] == 255).all()  # it stays in its column


def test_tiny_images_are_enlarged_without_smoothing(tmp_path):
    tiny = np.zeros((8, 8, 3), np.uint8)
    for part in range(30):
        (tmp_path / "a").mkdir(exist_ok=True)
        (tmp_path / "b").mkdir(exist_ok=True)
        tiny[0, 1:4] = part
        Image.fromarray(tiny).save(tmp_path / "a" / f"{part}.png")
        Image.fromarray(tiny + 10).save(tmp_path / "b" / f"{part}.png")
    pixels = opened(contact_sheet(read(tmp_path), tmp_path, side=96))
    assert pixels[6 + 20 : 6 + 96, 220 : 220 + 96].max() == 0


def test_it_is_of_the_data_set_as_dataset_json_tells_it(tmp_path):
    data_set = read(coloured(tmp_path, {"red": 20, "green": 20}))
    again = DataSet.from_json(data_set.to_json())
    assert json.loads(again.to_json()) == json.loads(data_set.to_json())
    assert contact_sheet(again, tmp_path) == contact_sheet(data_set, tmp_path)


def test_few_classes_are_shown_large(tmp_path):
    coloured(tmp_path, {"a": 12, "b": 12})
    sheet = opened(contact_sheet(read(tmp_path), tmp_path))
    assert sheet.shape[:2] == (2 * (224 + 6) + 6, 220 + 4 * (224 + 6) + 6)
