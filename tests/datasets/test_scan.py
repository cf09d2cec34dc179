import os
import shutil
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from picture_files import class_folders, huge_png, picture, read, save
from PIL import Image

from improve_git.datasets.dataset import DataSet
from improve_git.datasets.scan import check_present, locate
from improve_git.errors import DataError


@pytest.fixture
def root(tmp_path):
    return class_folders(tmp_path / "photos", {"a": 20, "b": 10})


def by_content(data_set):
    return {(entry.sha256, entry.label, entry.part) for entry in data_set.entries}


def test_a_plain_folder(root):
    data_set = read(root)
    assert DataSet.from_json(data_set.to_json()) == data_set
    assert [entry.sha256 for entry in data_set.entries] == sorted(
        entry.sha256 for entry in data_set.entries
    )
    assert (data_set.source, data_set.layout) == (str(root), "class-folders")
    assert data_set.split == {
        "seed": 0,
        "fractions": {"tune": 0.1, "val": 0.15, "test": 0.15},
        "given": False,
    }
    profile = dict(data_set.profile)
    mean, std = profile.pop("mean"), profile.pop("std")
    pixels = np.stack(
        [np.asarray(Image.open(root / entry.path)) / 255 for entry in data_set.part("train")]
    ).reshape(-1, 3)
    assert np.allclose(mean, pixels.mean(axis=0), atol=1e-6)
    assert np.allclose(std, pixels.std(axis=0), atol=1e-6)
    assert profile == {
        "images": 30,
        "classes": ["a", "b"],
        "class_counts": [20, 10],
        "parts": {"train": 17, "tune": 3, "val": 5, "test": 5},
        "part_class_counts": {"train": [12, 5], "tune": [2, 1], "val": [3, 2], "test": [3, 2]},
        "imbalance": 2.0,
        "width": {"min": 12, "median": 12, "max": 12},
        "height": {"min": 10, "median": 10, "max": 10},
        "modes": {"RGB": 30},
        "formats": {"PNG": 30},
        "grey": False,
        "duplicates": 0,
        "conflicting_labels": 0,
        "conflicting_examples": [],
        "unreadable": [],
        "unreadable_count": 0,
        "groups": 0,
        "unlabelled_test": 0,
        "ignored": [],
        "leaks": 0,
    }


def test_names_and_places_do_not_matter(root, tmp_path):
    before = read(root)
    for number, path in enumerate(sorted(root.glob("*/*.png"), reverse=True)):
        target = tmp_path / "moved" / path.parent.name / f"{number}" / "x.png"
        target.parent.mkdir(parents=True)
        path.rename(target)
    after = read(tmp_path / "moved")
    assert after.fingerprint == before.fingerprint
    assert by_content(after) == by_content(before)


def test_grey_and_sizes(tmp_path):
    for number in range(24):
        size = (8 + number % 3, 20)
        save(tmp_path / "ab"[number % 2] / f"{number}.png", seed=number, size=size, mode="L")
    profile = read(tmp_path).profile
    assert profile["grey"]
    assert profile["modes"] == {"L": 24}
    assert profile["width"] == {"min": 8, "median": 9, "max": 10}


def test_rubbish_among_the_images_is_reported_and_left_out(root):
    (root / "a" / "empty.png").touch()
    (root / "a" / "notes.txt").write_text("what is in here")
    (root / "b" / "gone.png").symlink_to("nowhere")
    os.mkfifo(root / "b" / "pipe.png")
    cut = (root / "a" / "000.png").read_bytes()
    (root / "a" / "cut.png").write_bytes(cut[: len(cut) // 2])
    (root / "b" / "huge.png").write_bytes(huge_png())
    profile = read(root, max_unreadable=0.2).profile
    assert profile["images"] == 30
    assert profile["unreadable_count"] == 6
    reasons = {one["path"]: one["reason"] for one in profile["unreadable"]}
    assert reasons.pop("a/cut.png").startswith("damaged: ")
    assert reasons == {
        "a/empty.png": "an empty file",
        "a/notes.txt": "not an image of a known format",
        "b/gone.png": "a link that leads nowhere",
        "b/huge.png": "40000x25000 pixels, above data.max_pixels=100000000",
        "b/pipe.png": "not a regular file",
    }


def test_too_much_rubbish_is_an_error_whose_fix_works(root):
    for number in range(4):
        (root / "a" / f"{number}.txt").write_text("no image")
    with pytest.raises(DataError, match=r"4 of 34 files .* first 'a/0.txt': not an") as caught:
        read(root)
    assert "data.max_unreadable=0.12" in caught.value.fix
    assert read(root, max_unreadable=0.12).profile["unreadable_count"] == 4


def test_a_class_of_rubbish_has_too_few_images(root):
    (root / "c").mkdir()
    (root / "c" / "1.txt").write_text("no image")
    with pytest.raises(DataError, match="the class 'c' has too few images"):
        read(root)


def test_an_image_under_two_labels_stays_in_one_part_and_is_shown(root):
    for name in ("003", "004"):
        shutil.copy(root / "a" / f"{name}.png", root / "b" / f"copy {name}.png")
    shutil.copy(root / "a" / "007.png", root / "a" / "copy.png")
    data_set = read(root)
    profile = data_set.profile
    assert (profile["duplicates"], profile["conflicting_labels"]) == (3, 2)
    assert {tuple(one["path"] for one in same) for same in profile["conflicting_examples"]} == {
        ("a/003.png", "b/copy 003.png"),
        ("a/004.png", "b/copy 004.png"),
    }
    homes = Counter(sha for sha, _ in {(e.sha256, e.part) for e in data_set.entries})
    assert set(homes.values()) == {1}


def test_split_folders_with_a_leak_and_an_unlabelled_test(root, tmp_path):
    (tmp_path / "all").mkdir()
    root.rename(tmp_path / "all" / "train")
    class_folders(tmp_path / "all" / "val", {"a": 2, "b": 2}, first=100)
    shutil.copy(tmp_path / "all/val/a/000.png", tmp_path / "all/train/a/leak.png")
    save(tmp_path / "all" / "test" / "9.png", seed=900)
    data_set = read(tmp_path / "all")
    assert data_set.split["given"]
    assert data_set.unlabelled == ("test/9.png",)
    assert data_set.profile["unlabelled_test"] == 1
    assert data_set.profile["leaks"] == 1
    assert data_set.profile["parts"] == {"train": 22, "tune": 3, "val": 4, "test": 5}
    assert {e.path for e in data_set.part("val")} == {
        f"val/{label}/00{number}.png" for label in "ab" for number in range(2)
    }


def test_groups_of_a_manifest_stay_whole(root):
    lines = [f"{path.relative_to(root)},{path.parent.name},{path.stem[:-1] + path.parent.name}"
             for path in sorted(root.glob("*/*.png"))]  # fmt: skip
    lines = [f"{line[:-2]}{n // 2}" for n, line in enumerate(lines)]
    (root / "m.csv").write_text("\n".join(["image,label,group", *lines]))
    data_set = read(root / "m.csv")
    assert data_set.profile["groups"] == len({entry.group for entry in data_set.entries}) > 4
    assert len({(e.group, e.part) for e in data_set.entries}) == data_set.profile["groups"]


def test_progress_counts_every_file(root):
    from improve_git.datasets.scan import read_data_set
    from improve_git.settings.schema import DataSettings

    seen = []
    read_data_set(str(root), DataSettings(), lambda done, total: seen.append((done, total)))
    assert seen == [(n, 30) for n in range(1, 31)]


def test_digits_are_the_same_on_every_machine(tmp_path):
    from improve_git.datasets.scan import read_data_set
    from improve_git.settings.schema import DataSettings

    data_set = read_data_set("digits", DataSettings(), digits_folder=tmp_path / "digits")
    assert data_set.fingerprint == (
        "sha256:ac38180aa37f248c492e5abd1d7909acd918551442d6059fa1fb905e74672b66"
    )
    assert data_set.layout == "digits"
    assert data_set.profile["images"] == 1797
    assert read_data_set("digits", DataSettings()) == data_set
    shutil.rmtree(tmp_path / "digits")
    check_present(data_set, locate("digits", tmp_path / "digits"))


@settings(max_examples=10, deadline=None)
@given(
    st.lists(
        st.binary(min_size=1, max_size=20)
        .map(lambda raw: raw.replace(b"\0", b"_").replace(b"/", b"_"))
        .filter(lambda raw: not raw.startswith(b".") and raw != b"Thumbs.db"),
        min_size=10,
        max_size=12,
        unique=True,
    )
)
def test_files_of_any_name(tmp_path_factory, names):
    root = tmp_path_factory.mktemp("names")
    for number, name in enumerate(names):
        folder = root / "ab"[number % 2]
        folder.mkdir(exist_ok=True)
        with (folder / os.fsdecode(name)).open("wb") as file:
            picture(number).save(file, "PNG")
    data_set = read(root)
    after = DataSet.from_json(data_set.to_json())
    assert after == data_set
    check_present(after, root)


class TestCheckPresent:
    def test_untouched(self, root, tmp_path):
        cache = tmp_path / "seen.json"
        data_set = read(root)
        check_present(data_set, root, cache)
        written = cache.stat().st_mtime_ns
        check_present(data_set, root, cache)
        assert cache.stat().st_mtime_ns == written
        cache.write_text("{")
        check_present(data_set, root, cache)

    def test_gone(self, root):
        data_set = read(root)
        (root / "a" / "003.png").unlink()
        with pytest.raises(DataError, match=r"'a/003.png' is gone since init\n") as caught:
            check_present(data_set, root)
        assert str(root) in caught.value.fix

    @pytest.mark.parametrize("cached", [True, False])
    def test_changed(self, root, tmp_path, cached):
        data_set = read(root)
        cache = tmp_path / "seen.json" if cached else None
        check_present(data_set, root, cache)
        save(root / "a" / "003.png", seed=999)
        save(root / "b" / "003.png", seed=998)
        with pytest.raises(DataError, match=r"has changed since init, and 1 more"):
            check_present(data_set, root, cache)

    def test_touched_only(self, root, tmp_path):
        data_set = read(root)
        check_present(data_set, root, tmp_path / "seen.json")
        os.utime(root / "a" / "003.png", (1, 1))
        check_present(data_set, root, tmp_path / "seen.json")

    def test_the_whole_folder_gone(self, root):
        shutil.rmtree(root)
        with pytest.raises(DataError, match="there are no images at"):
            locate(str(root), root)
