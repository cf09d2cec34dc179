import os
from collections import Counter
from pathlib import Path

import pytest
from picture_files import class_folders, save

from improve_git.datasets.folders import class_order
from improve_git.datasets.sources import find
from improve_git.errors import DataError


def listed(listing):
    return Counter((found.label, found.part) for found in listing.files)


def test_class_folders(tmp_path):
    class_folders(tmp_path, {"dog": 2, "cat": 3})
    save(tmp_path / "cat" / "deeper" / "more.png")
    save(tmp_path / "loose.png")
    save(tmp_path / ".hidden" / "0.png")
    save(tmp_path / "__MACOSX" / "0.png")
    (tmp_path / "cat" / ".DS_Store").touch()
    (tmp_path / "cat" / "Thumbs.db").touch()
    listing = find(str(tmp_path))
    assert (listing.layout, listing.classes) == ("class-folders", ("cat", "dog"))
    assert listed(listing) == {("cat", None): 4, ("dog", None): 2}
    assert listing.ignored == ("loose.png",)
    assert (listing.root / listing.files[0].path).is_file()


@pytest.mark.parametrize("val", ["val", "valid", "validation", "Valid"])
def test_split_folders(tmp_path, val):
    class_folders(tmp_path / "train", {"a": 3, "b": 2})
    class_folders(tmp_path / val, {"a": 1, "b": 1})
    class_folders(tmp_path / "test", {"a": 2, "b": 1})
    class_folders(tmp_path / "annotations", {"x": 1})
    (tmp_path / "readme.txt").touch()
    listing = find(str(tmp_path))
    assert (listing.layout, listing.classes) == ("split-folders", ("a", "b"))
    assert listed(listing) == {
        ("a", "train"): 3,
        ("b", "train"): 2,
        ("a", "val"): 1,
        ("b", "val"): 1,
        ("a", "test"): 2,
        ("b", "test"): 1,
    }
    assert listing.unlabelled == ()
    assert listing.ignored == ("readme.txt", "annotations")


def test_a_train_folder_alone(tmp_path):
    class_folders(tmp_path / "train", {"a": 3, "b": 2})
    assert find(str(tmp_path)).layout == "split-folders"


@pytest.mark.parametrize("inner", ["", "unknown"])
def test_a_test_folder_without_labels_is_kept(tmp_path, inner):
    class_folders(tmp_path / "train", {"a": 1, "b": 1})
    save(tmp_path / "test" / inner / "2.png")
    save(tmp_path / "test" / inner / "1.png")
    listing = find(str(tmp_path))
    assert listed(listing) == {("a", "train"): 1, ("b", "train"): 1}
    assert [path.split("/")[-1] for path in listing.unlabelled] == ["1.png", "2.png"]


def test_a_class_called_train(tmp_path):
    class_folders(tmp_path, {"bus": 1, "car": 1, "train": 1})
    assert find(str(tmp_path)).classes == ("bus", "car", "train")
    save(tmp_path / "train" / "steam" / "1.png")
    assert find(str(tmp_path)).classes == ("bus", "car", "train")


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        ({}, "is empty"),
        ({"only": 3}, "one class only, 'only'"),
        ({"a": 3, "b": 0}, "the class folder 'b' is empty"),
        ({"train/a": 1, "train/b": 1, "val/a": 1, "valid/a": 1}, "'val' and 'valid' are both"),
        ({"train/a": 1, "train/b": 1, "val": 1}, "'val' has no class folders"),
        ({"train/a": 1, "train/b": 1, "val/c": 1}, "the class 'c' is in 'val' and not in 'train'"),
        ({"train/a": 1, "train/b": 1, "test/a": 1, "test/c": 1}, "the class 'c' is in 'test'"),
        ({"train/a": 1, "val/a": 1}, "one class only, 'a'"),
    ],
)
def test_folders_that_make_no_data_set(tmp_path, folders, message):
    for name, count in folders.items():
        (tmp_path / name).mkdir(parents=True)
        class_folders(tmp_path, {name: count})
    with pytest.raises(DataError, match=message) as caught:
        find(str(tmp_path))
    assert caught.value.fix


def test_one_folder_too_high(tmp_path):
    class_folders(tmp_path / "photos", {"a": 1, "b": 1})
    with pytest.raises(DataError) as caught:
        find(str(tmp_path))
    assert caught.value.fix == f"did you mean {str(tmp_path / 'photos')!r}?"


def test_loose_images_with_a_manifest(tmp_path):
    save(tmp_path / "1.png")
    (tmp_path / "labels.csv").write_text("image,label\n1.png,a\n")
    with pytest.raises(DataError, match="no class folders") as caught:
        find(str(tmp_path))
    assert str(tmp_path / "labels.csv") in caught.value.fix


@pytest.mark.parametrize("name", ["nowhere", "archive.zip", ""])
def test_what_is_not_there(tmp_path, name):
    (tmp_path / "archive.zip").touch()
    with pytest.raises(DataError):
        find(str(tmp_path / name) if name else "")


def test_a_folder_that_may_not_be_read(tmp_path, monkeypatch):
    class_folders(tmp_path, {"a": 1, "b": 1})
    (tmp_path / "b").chmod(0)
    try:
        if os.access(tmp_path / "b", os.R_OK):
            pytest.skip("root reads everything")
        with pytest.raises(DataError, match="cannot be read"):
            find(str(tmp_path))
    finally:
        (tmp_path / "b").chmod(0o755)


def test_links_and_loops(tmp_path):
    root = class_folders(tmp_path / "photos", {"a": 2, "b": 1})
    elsewhere = class_folders(tmp_path / "elsewhere", {"c": 2})
    (root / "c").symlink_to(elsewhere / "c")
    (root / "a" / "same").symlink_to(root / "a")
    (root / "a" / "up").symlink_to(root)
    (root / "a" / "round").symlink_to("round")
    (root / "a" / "gone").symlink_to("nowhere")
    (root / "b" / "there").symlink_to(elsewhere)
    (root / "b" / "again").symlink_to(elsewhere)
    (root / "loop").symlink_to("loop")
    listing = find(str(root))
    assert listing.ignored == ("loop",)
    assert listed(listing) == {("a", None): 4, ("b", None): 3, ("c", None): 2}
    assert {Path(f.path).name for f in listing.files if f.label == "a"} == {
        "000.png",
        "001.png",
        "round",
        "gone",
    }


def test_class_names_of_any_bytes(tmp_path):
    for name in (b"-x", b"q\"'", b"new\nline", b"sp ace", b"\xff", b"\xc3\xa9"):
        folder = tmp_path / os.fsdecode(name)
        folder.mkdir()
        (folder / os.fsdecode(b"\xfe.png")).touch()
    listing = find(str(tmp_path))
    assert set(listing.classes) == {"-x", "q\"'", "new\nline", "sp ace", "\\xff", "é"}
    assert all((listing.root / found.path).is_file() for found in listing.files)


def test_grades_are_in_the_order_of_numbers():
    assert class_order({"10", "9", "-1", "0"}) == ("-1", "0", "9", "10")
    assert class_order({"10", "9", "x"}) == ("10", "9", "x")
