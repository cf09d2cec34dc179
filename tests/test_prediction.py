import csv
import io
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from improve_git import prediction
from improve_git.errors import DataError
from improve_git.prediction import Images, Sample

CLASSES = ("cat", "dog, big", "p_x")


def images(*paths: str, unreadable: tuple[tuple[str, str], ...] = ()) -> Images:
    return Images(Path("/new"), paths, unreadable)


def look(folder: Path, max_pixels: int = 10**6) -> Images:
    return prediction.find_images(folder, 64, max_pixels, lambda done, total: None)


def picture(path: Path, size: int = 4) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (size, size)).save(path, "PNG")


def test_images_are_found_below_and_others_left_out(tmp_path: Path) -> None:
    for name in ("b.png", "a/2.png", "a/1.png", "a b'\n.png", "-x.png"):
        picture(tmp_path / name)
    picture(tmp_path / "large.png", 100)
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "empty.png").touch()
    (tmp_path / ".hidden.png").touch()
    (tmp_path / "round").symlink_to(tmp_path)
    (tmp_path / "gone.png").symlink_to("nowhere")
    found = look(tmp_path, max_pixels=9999)
    assert found.readable == ("-x.png", "a b'\n.png", "a/1.png", "a/2.png", "b.png")
    assert [path for path, _ in found.unreadable] == [
        "empty.png",
        "gone.png",
        "large.png",
        "notes.txt",
    ]


@pytest.mark.parametrize("name", [None, "notes.txt"])
def test_a_folder_without_images(tmp_path: Path, name: str | None) -> None:
    if name:
        (tmp_path / name).write_text("x")
    with pytest.raises(DataError, match="has no image that can be read"):
        look(tmp_path)
    with pytest.raises(DataError, match="is not a folder"):
        look(tmp_path / "none")


def test_the_table() -> None:
    probabilities = np.array([[0.2, 0.7, 0.1], [0.5, 0.5, 0.0]])
    assert prediction.table(images("a.png", "b\udcff.png"), CLASSES, probabilities) == (
        b'image,label,p_cat,"p_dog, big",p_p_x\n'
        b'a.png,"dog, big",0.200000,0.700000,0.100000\n'
        b"b\xff.png,cat,0.500000,0.500000,0.000000\n"
    )


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\0")), min_size=1))
def test_any_name_comes_back_from_the_table(names: list[str]) -> None:
    text = prediction.table(images(*names), ("a",), np.ones((len(names), 1))).decode()
    assert [row[0] for row in csv.reader(io.StringIO(text, newline=""))][1:] == names


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def submit(sample: Sample, found: Images, probabilities: list[list[float]]) -> list[str]:
    rows = np.array(probabilities)
    return prediction.submission(sample, found, CLASSES, rows).decode().splitlines()


def test_a_submission_of_labels_keeps_the_samples_order(tmp_path: Path) -> None:
    file = write(tmp_path / "s.csv", "\ufeffid,target\r\nb,?\r\nsub/a.png,?\r\nb.png,?\r\n\r\n")
    sample = prediction.read_sample(file, CLASSES)
    assert sample == Sample(("id", "target"), ("b", "sub/a.png", "b.png"))
    found = prediction.asked_for(sample, images("b.png", "c.png", "sub/a.png"))
    assert found.readable == ("b.png", "sub/a.png")
    assert submit(sample, found, [[0, 1, 0], [1, 0, 0]]) == [
        "id,target",
        'b,"dog, big"',
        "sub/a.png,cat",
        'b.png,"dog, big"',
    ]


def test_a_submission_of_probabilities_keeps_the_samples_columns(tmp_path: Path) -> None:
    text = 'image,p_x,"p_dog, big",cat\n7,0,0,0\n'
    sample = prediction.read_sample(write(tmp_path / "s.csv", text), CLASSES)
    assert submit(sample, images("7.jpg"), [[0.25, 0.125, 0.5]]) == [
        'image,p_x,"p_dog, big",cat',
        "7,0.500000,0.125000,0.250000",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no rows"),
        ("id,label\n", "has no rows"),
        ("id\n1\n", "one column only"),
        ("id,cat,bird\n1,0,0\n", "no class is called 'bird'"),
        ('id,label\n"' + "x" * 200_000, "no CSV file"),
    ],
)
def test_a_sample_that_does_not_fit(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        prediction.read_sample(write(tmp_path / "s.csv", text), CLASSES)
    with pytest.raises(DataError, match="cannot be read"):
        prediction.read_sample(tmp_path / "none.csv", CLASSES)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (("a", "z"), "no image in /new for the id 'z'$"),
        (("v", "w", "x", "y", "z"), "for the id 'v', 'w', 'x' and 2 more"),
        (("broken",), "for the id 'broken': damaged"),
        (("twice",), "'twice' means several images: 'one/twice.png' and 'two/twice.png'"),
    ],
)
def test_a_row_without_its_image_is_named(ids: tuple[str, ...], message: str) -> None:
    found = images(
        "a.png", "one/twice.png", "two/twice.png", unreadable=(("broken.png", "damaged"),)
    )
    with pytest.raises(DataError) as caught:
        prediction.asked_for(Sample(("id", "label"), ids), found)
    assert re.search(message, caught.value.message)
