import hashlib
import io
import itertools
import json
import os

import numpy as np
import pytest
from picture_files import class_folders, huge_png, picture, read, save
from PIL import Image

from improve_git.datasets import packs
from improve_git.datasets.packs import build_packs, pack_images, packs_size
from improve_git.domain import PARTS
from improve_git.errors import DataError


@pytest.fixture
def root(tmp_path):
    return class_folders(tmp_path / "photos", {"a": 20, "b": 10})


def about(pack):
    return json.loads((pack / "pack.json").read_text())


def images(pack):
    """Read a pack as a sandbox does."""
    count = about(pack)["count"]
    if about(pack)["kind"] == "array":
        return list(np.load(pack / "images.npy", mmap_mode="r"))
    offsets = np.load(pack / "offsets.npy")
    assert (offsets.dtype, len(offsets)) == (np.int64, count + 1)
    data = (pack / "images.bin").read_bytes()
    assert offsets[-1] == len(data)
    return [
        np.asarray(Image.open(io.BytesIO(data[start:end])).convert("RGB"))
        for start, end in itertools.pairwise(offsets)
    ]


def original(root, entry):
    return np.asarray(Image.open(root / entry.path).convert("RGB"))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_images_of_one_size_are_an_array(root, tmp_path):
    data_set = read(root)
    build_packs(data_set, root, tmp_path / "packs", 512)
    for part in PARTS:
        pack, entries = tmp_path / "packs" / part, data_set.part(part)
        labelled = part in ("train", "tune")
        assert about(pack) == {
            "format": 1,
            "count": len(entries),
            "kind": "array",
            "labelled": labelled,
        }
        array = np.load(pack / "images.npy", mmap_mode="r")
        assert (array.dtype, array.shape) == (np.uint8, (len(entries), 10, 12, 3))
        assert all(
            np.array_equal(image, original(root, entry))
            for image, entry in zip(array, entries, strict=True)
        )
        hashes = [hashlib.sha256((root / e.path).read_bytes()).hexdigest() for e in entries]
        assert hashes == sorted(hashes)
        if labelled:
            assert np.load(pack / "labels.npy").tolist() == data_set.labels(part)
            assert set(np.load(pack / "groups.npy").tolist()) == {-1}
    assert abs(packs_size(data_set, 512) - 30 * 360) < 1


def test_val_and_test_hold_images_and_nothing_else(root, tmp_path):
    build_packs(read(root), root, tmp_path / "packs", 512)
    assert names(tmp_path / "packs") == ["test", "train", "tune", "val"]
    for part in ("val", "test"):
        assert names(tmp_path / "packs" / part) == ["images.npy", "pack.json"]


@pytest.mark.parametrize("sizes", [[(12, 10)], [(12, 10), (30, 20)]])
def test_no_names_times_or_metadata(tmp_path, sizes):
    exif = Image.Exif()
    exif[0x010E] = "class seven"
    for number in range(20):
        path = tmp_path / "photos" / ("seven", "eight")[number % 2] / f"seven{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        image = picture(number, sizes[number % len(sizes)])
        image.save(path, exif=exif, comment=b"class seven")
    build_packs(read(tmp_path / "photos"), tmp_path / "photos", tmp_path / "packs", 16)
    for path in (tmp_path / "packs").rglob("*"):
        assert path.stat().st_mtime == 0
        assert path.stat().st_mode & 0o005  # readable by a sandbox's user
        assert path.is_dir() or b"seven" not in path.read_bytes()


def test_images_of_several_sizes_are_encoded(tmp_path):
    root = tmp_path / "photos"
    for number in range(20):
        size, label = (20 + number, 30), "ab"[number % 2]
        kind, mode = ("png", "RGB") if number < 10 else ("jpg", "L")
        save(root / label / f"{number}.{kind}", seed=number, size=size, mode=mode)
    data_set = read(root)
    build_packs(data_set, root, tmp_path / "whole", 512)
    build_packs(data_set, root, tmp_path / "small", 16)
    for part in PARTS:
        entries = data_set.part(part)
        assert about(tmp_path / "whole" / part)["kind"] == "encoded"
        for entry, image in zip(entries, images(tmp_path / "whole" / part), strict=True):
            assert np.array_equal(image, original(root, entry))
        for entry, image in zip(entries, images(tmp_path / "small" / part), strict=True):
            assert max(image.shape) == 16
            kind = "JPEG" if entry.path.endswith("jpg") else "PNG"
            assert image.shape[2] == 3, kind


def test_a_part_that_is_too_large_for_an_array(root, tmp_path, monkeypatch):
    monkeypatch.setattr(packs, "LARGEST_ARRAY", 3000)
    data_set = read(root)
    build_packs(data_set, root, tmp_path / "packs", 512)
    kinds = {part: about(tmp_path / "packs" / part)["kind"] for part in PARTS}
    assert kinds == {"train": "encoded", "tune": "array", "val": "array", "test": "array"}
    entry, image = data_set.part("train")[0], images(tmp_path / "packs" / "train")[0]
    assert np.array_equal(image, original(root, entry))


def test_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    for number in range(20):
        path = tmp_path / "photos" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(number).save(path, exif=exif)
    data_set = read(tmp_path / "photos")
    assert data_set.profile["width"]["max"] == 10
    build_packs(data_set, tmp_path / "photos", tmp_path / "packs", 512)
    turned = np.rot90(original(tmp_path / "photos", data_set.part("train")[0]), -1)
    assert np.array_equal(images(tmp_path / "packs" / "train")[0], turned)


def test_groups_are_opaque_numbers(root, tmp_path):
    lines = [
        f"{path.relative_to(root)},{path.parent.name},patient {path.parent.name}{n // 2}"
        for n, path in enumerate(sorted(root.glob("*/*.png")))
    ]
    (root / "m.csv").write_text("\n".join(["image,label,group", *lines]))
    data_set = read(root / "m.csv")
    build_packs(data_set, root, tmp_path / "packs", 512)
    entries = data_set.part("train")
    groups = np.load(tmp_path / "packs" / "train" / "groups.npy")
    assert groups.dtype == np.int64
    pairs = {(entry.group, number) for entry, number in zip(entries, groups, strict=True)}
    assert len(pairs) == len({name for name, _ in pairs}) == len({number for _, number in pairs})


@pytest.mark.parametrize("change", ["gone", "changed"])
def test_an_image_that_is_not_what_it_was(root, tmp_path, change):
    data_set = read(root)
    path = root / data_set.part("val")[2].path
    path.unlink()
    if change == "changed":
        save(path, seed=999)
    with pytest.raises(DataError, match=f"{path.name}' (is|has) {change} since init"):
        build_packs(data_set, root, tmp_path / "packs", 512)
    assert names(tmp_path / "packs") == ["train", "tune"]


def test_what_a_kill_left_is_cleared_and_what_is_there_is_kept(root, tmp_path):
    data_set = read(root)
    build_packs(data_set, root, tmp_path / "packs", 512, parts=["train"])
    kept = (tmp_path / "packs" / "train" / "images.npy").stat().st_ino
    (tmp_path / "packs" / ".val.partial-x1").mkdir()
    (tmp_path / "packs" / ".val.partial-x1" / "images.npy").touch()
    seen = []
    build_packs(data_set, root, tmp_path / "packs", 512, progress=lambda *done: seen.append(done))
    assert names(tmp_path / "packs") == ["test", "train", "tune", "val"]
    assert (tmp_path / "packs" / "train" / "images.npy").stat().st_ino == kept
    assert seen == [(n, 13) for n in range(1, 14)]


def test_pack_for_predict_keeps_the_order(tmp_path):
    paths = [save(tmp_path / f"{9 - n}.png", seed=n, size=(10 + n, 9)) for n in range(9)]
    pack_images(paths, tmp_path / "pack", 512)
    assert about(tmp_path / "pack") == {
        "format": 1,
        "count": 9,
        "kind": "encoded",
        "labelled": False,
    }
    for path, image in zip(paths, images(tmp_path / "pack"), strict=True):
        assert np.array_equal(image, np.asarray(Image.open(path)))


def test_pack_of_nothing(tmp_path):
    pack_images([], tmp_path / "pack", 512)
    assert (about(tmp_path / "pack")["count"], images(tmp_path / "pack")) == (0, [])


@pytest.mark.parametrize("kind", ["text", "pipe", "nothing", "huge"])
def test_pack_for_predict_names_what_it_cannot_read(tmp_path, kind):
    good, bad = save(tmp_path / "1.png"), tmp_path / "2.png"
    if kind == "text":
        bad.write_text("no image")
    elif kind == "pipe":
        os.mkfifo(bad)
    elif kind == "huge":
        bad.write_bytes(huge_png())
    with pytest.raises(DataError, match=r"2\.png' cannot be read"):
        pack_images([good, bad], tmp_path / "pack", 512)
    assert names(tmp_path) == ["1.png"] + ["2.png"] * (kind != "nothing")
