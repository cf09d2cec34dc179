import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from improve_git.datasets.audit import differences
from improve_git.datasets.dataset import DataSet
from improve_git.datasets.scan import read_data_set
from improve_git.errors import DataError
from improve_git.settings.schema import DataSettings
from worlds import make_photos

SETTINGS = DataSettings()


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_photos(tmp_path_factory.mktemp("audit") / "photos")
    (folder / "cats" / "torn.png").write_bytes(b"no image")
    return folder


@pytest.fixture
def photos(original: Path, tmp_path: Path) -> Path:
    shutil.copytree(original, tmp_path / "photos")
    return tmp_path / "photos"


def found(data_set: DataSet, photos: Path) -> list[str]:
    return differences(data_set, SETTINGS, str(photos))


def test_images_as_they_were_read(photos: Path) -> None:
    seen: list[tuple[int, int]] = []
    data_set = read_data_set(str(photos), SETTINGS)
    assert differences(data_set, SETTINGS, str(photos), lambda *at: seen.append(at)) == []
    assert seen[-1] == (201, 201)
    assert found(DataSet.from_json(data_set.to_json()), photos) == []


def test_parts_that_were_given(tmp_path: Path, photos: Path) -> None:
    """A copy in a less sealed part is left out of the data set, and no difference."""
    for part, numbers in (("train", range(80)), ("val", range(70, 90)), ("test", range(90, 100))):
        for label in ("cats", "dogs"):
            (tmp_path / "given" / part / label).mkdir(parents=True)
            for number in numbers:
                name = f"{label}/{number}.png"
                shutil.copy(photos / name, tmp_path / "given" / part / name)
    data_set = read_data_set(str(tmp_path / "given"), SETTINGS)
    assert data_set.profile["leaks"] == 20
    assert found(data_set, tmp_path / "given") == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda p: (p / "cats/3.png").unlink(), "'cats/3.png' is not there"),
        (lambda p: shutil.copy(p / "dogs/3.png", p / "cats/3.png"),
         "'cats/3.png' has other bytes than dataset.json says"),
        (lambda p: Image.new("RGB", (8, 8), (9, 200, 9)).save(p / "dogs/new.png"),
         "'dogs/new.png' can be read and is not in dataset.json"),
        (lambda p: shutil.copytree(p / "dogs", p / "wolves"),
         "the classes are others than those of dataset.json"),
    ],
)  # fmt: skip
def test_images_that_changed(photos: Path, change: Callable[[Path], object], expected: str) -> None:
    data_set = read_data_set(str(photos), SETTINGS)
    change(photos)
    assert found(data_set, photos) == [expected]


def test_labels_and_parts_that_were_edited(photos: Path) -> None:
    data_set = read_data_set(str(photos), SETTINGS)
    entries = list(data_set.entries)
    entries[0] = replace(entries[0], label=1 - entries[0].label)
    [said] = found(replace(data_set, entries=tuple(entries)), photos)
    assert said == f"{entries[0].path!r} has another label than dataset.json says"
    entries = list(data_set.entries)
    one, other = (next(n for n, e in enumerate(entries) if e.part == part and e.label == 0)
                  for part in ("train", "val"))  # fmt: skip
    entries[one], entries[other] = (
        replace(entries[one], part="val"), replace(entries[other], part="train"),
    )  # fmt: skip
    [said] = found(replace(data_set, entries=tuple(entries)), photos)
    assert said.endswith("is in another part than the split of dataset.json puts it in, and 1 more")


def test_an_image_left_out_as_unreadable(photos: Path) -> None:
    data_set = read_data_set(str(photos), SETTINGS)
    gone = data_set.entries[5]
    profile = data_set.profile | {"unreadable": [{"path": gone.path, "reason": "damaged"}]}
    forged = replace(data_set, entries=data_set.entries[:5] + data_set.entries[6:], profile=profile)
    assert found(forged, photos) == [f"{gone.path!r} can be read and is not in dataset.json"]


def test_no_images(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there are no images at"):
        found(read_data_set(str(photos), SETTINGS), tmp_path / "nowhere")
