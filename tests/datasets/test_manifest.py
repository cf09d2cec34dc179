import os

import pandas as pd
import pytest
from picture_files import class_folders, save

from improve_git.datasets.sources import find
from improve_git.errors import DataError


@pytest.fixture
def folder(tmp_path):
    """A folder with 30 images, img/00.png to img/29.png."""
    for number in range(30):
        save(tmp_path / "data" / "img" / f"{number:02}.png", seed=number)
    return tmp_path / "data"


def rows(count=30, label=lambda n: "ab"[n % 2]):
    return [(f"img/{n:02}.png", label(n)) for n in range(count)]


def write(folder, content, columns=("image", "label"), name="list.csv"):
    path = folder / name
    frame = pd.DataFrame(content, columns=list(columns))
    if name.endswith(".parquet"):
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="\t" if name.endswith(".tsv") else ",")
    return str(path)


def refused(source):
    with pytest.raises(DataError) as caught:
        find(source)
    assert "\n" not in caught.value.message
    assert caught.value.fix
    return caught.value.message


@pytest.mark.parametrize("name", ["list.csv", "list.tsv", "list.parquet", "LIST.CSV"])
def test_image_and_label(folder, name):
    listing = find(write(folder, rows(), name=name))
    assert (listing.layout, listing.root, listing.classes) == ("manifest", folder, ("a", "b"))
    assert [(f.path, f.label, f.part, f.group) for f in listing.files[:2]] == [
        ("img/00.png", "a", None, ""),
        ("img/01.png", "b", None, ""),
    ]


@pytest.mark.parametrize("name", ["list.csv", "list.parquet"])
def test_split_and_group(folder, name):
    content = [(*row, ("train", "valid", "test")[n % 3], n // 2) for n, row in enumerate(rows())]
    listing = find(write(folder, content, ("image", "label", "split", "group"), name))
    assert [(f.part, f.group) for f in listing.files[:4]] == [
        ("train", "0"),
        ("val", "0"),
        ("test", "1"),
        ("train", "1"),
    ]


def test_whole_numbers_in_any_writing(folder):
    listing = find(write(folder, rows(label=lambda n: float(n % 3)), name="list.parquet"))
    assert listing.classes == ("0", "1", "2")


def test_a_byte_order_mark_and_spaces_in_the_header(folder):
    (folder / "list.csv").write_bytes(
        b"\xef\xbb\xbfImage , LABEL\r\nimg/00.png,a\r\n\r\nimg/01.png,b\r\n"
    )
    assert len(find(str(folder / "list.csv")).files) == 2


def test_rows_without_label_in_the_test_part_are_kept(folder):
    content = [(*row, "train") for row in rows(28)] + [
        ("img/28.png", None, "test"),
        ("img/29.png", None, "test"),
    ]
    for name in ("list.csv", "list.parquet"):
        listing = find(write(folder, content, ("image", "label", "split"), name))
        assert listing.unlabelled == ("img/28.png", "img/29.png")
        assert len(listing.files) == 28


def test_names_of_any_bytes(folder):
    names = [b"-x.png", b"q\"'.png", b"new\nline.png", b"sp ace.png", b"\xff.png"]
    content = b"image,label\n"
    for number, name in enumerate(names):
        save(folder / os.fsdecode(name))
        content += b'"' + name.replace(b'"', b'""') + b'",' + b"ab"[number % 2 :][:1] + b"\n"
    (folder / "list.csv").write_bytes(content)
    listing = find(str(folder / "list.csv"))
    assert [os.fsencode(found.path) for found in listing.files] == names


@pytest.mark.parametrize(
    ("columns", "lacking"),
    [(("file", "label"), "image"), (("image", "class"), "label"), (("x", "y"), "image")],
)
@pytest.mark.parametrize("name", ["list.csv", "list.parquet"])
def test_missing_columns(folder, columns, lacking, name):
    message = refused(write(folder, rows(), columns, name))
    assert f"no column {lacking}" in message
    assert columns[0] in message


def test_missing_files(folder):
    message = refused(write(folder, [*rows(), ("img/77.png", "a"), ("img", "b")]))
    assert "names 2 images that are not there, first 'img/77.png' (line 32)" in message


@pytest.mark.parametrize("name", ["../secret.png", "/etc/hostname", "out/secret.png", "escape.png"])
def test_paths_that_climb_out(folder, name):
    save(folder.parent / "secret.png")
    (folder / "out").symlink_to(folder.parent)
    (folder / "escape.png").symlink_to(folder.parent / "secret.png")
    assert "leads out of the manifest's folder" in refused(write(folder, [*rows(), (name, "a")]))


def test_links_inside_are_followed(folder):
    (folder / "link.png").symlink_to("img/29.png")
    assert find(write(folder, [*rows(29), ("link.png", "a")])).files[-1].path == "img/29.png"


def test_a_loop_of_links_is_a_missing_file(folder):
    (folder / "loop.png").symlink_to("loop.png")
    assert "not there" in refused(write(folder, [*rows(), ("loop.png", "a")]))


def test_an_image_listed_twice(folder):
    assert len(find(write(folder, [*rows(), ("img/../img/00.png", "a")])).files) == 30
    message = refused(write(folder, [*rows(), ("img/00.png", "b")]))
    assert "lists 'img/00.png' twice" in message
    assert "line 2 and line 32" in message


@pytest.mark.parametrize(
    "label",
    [
        lambda n: ("cat|dog", "cat", "dog")[n % 3],
        lambda n: ("cat;dog", "dog;bird", "bird;cat")[n % 3],
        lambda n: ("cat, dog", "cat", "dog")[n % 3],
        lambda n: ("['cat', 'dog']", "['cat']")[n % 2],
    ],
)
def test_several_labels_an_image(folder, label):
    assert "multi-label is not supported" in refused(write(folder, rows(label=label)))


def test_lists_of_labels_in_parquet(folder):
    message = refused(write(folder, rows(label=lambda n: ["a", "b"][: n % 3]), name="l.parquet"))
    assert "list" in message


def test_class_names_with_separators_are_no_lists(folder):
    names = ("tench, Tinca tinca", "maillot, tank suit", "maillot", "TV; radio")
    listing = find(write(folder, rows(label=lambda n: names[n % 4])))
    assert listing.classes == tuple(sorted(names))


@pytest.mark.parametrize(
    "label", [lambda n: 0.5 * (n % 4), lambda n: n * 3, lambda n: f"dog no. {n}"]
)
@pytest.mark.parametrize("name", ["list.csv", "list.parquet"])
def test_regression(folder, label, name):
    assert "regression is not supported" in refused(write(folder, rows(label=label), name=name))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no column image and no column label"),
        ("image,label\n", "has no rows"),
        ("image,label\n,a\n", "line 2: no image is named"),
        ("image,label\nimg/00.png,\n", "'img/00.png' has no label"),
        ("image,label\nimg/00.png\n", "'img/00.png' has no label"),
        ("image,label\nimg/00.png,a,b\n", "line 2: 3 values under 2 columns"),
        ("image,label\nimg/00.png,a\nimg/01.png,a\n", "fewer than two classes"),
        ("image,label,split\nimg/00.png,a,holdout\n", "'holdout' is no part"),
        ("image,label,split\nimg/00.png,a,train\nimg/01.png,b,\n", "no split is given"),
        (f"image,label\n{'x' * 5000},a\n", "5000 characters long"),
        (f"image,label\n{'x' * 140_000},a\n", "field larger than field limit"),
    ],
)
def test_damaged_content(folder, content, message):
    (folder / "list.csv").write_text(content)
    assert message in refused(str(folder / "list.csv"))


def test_a_file_that_is_no_parquet(folder):
    (folder / "list.parquet").write_text("image,label\n")
    assert "cannot be read as Parquet" in refused(str(folder / "list.parquet"))


def test_images_inside_a_parquet_file(folder):
    content = [({"bytes": b"x", "path": "p"}, "a")]
    assert "structure" in refused(write(folder, content, name="list.parquet"))


def test_a_manifest_beside_class_folders(tmp_path):
    class_folders(tmp_path, {"a": 3, "b": 3})
    source = write(tmp_path, [(f"{c}/00{n}.png", c) for c in "ab" for n in range(3)])
    assert find(source).layout == "manifest"
