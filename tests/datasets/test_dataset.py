import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from improve_git.datasets.dataset import _PROFILE as REQUIRED
from improve_git.datasets.dataset import DataSet, Entry
from improve_git.domain import PARTS
from improve_git.errors import DataError

# Names as a file system has them: any bytes but the slash and null, decoded as Python does.
NAMES = st.binary(min_size=1, max_size=12).map(
    lambda raw: raw.replace(b"\0", b"-").replace(b"/", b"-").decode("utf-8", "surrogateescape")
)
HASHES = st.integers(0, 2**256 - 1).map(lambda number: f"{number:064x}")
ENTRIES = st.lists(
    st.builds(
        Entry,
        path=NAMES,
        sha256=HASHES,
        label=st.integers(0, 1),
        part=st.sampled_from(PARTS),
        group=NAMES | st.just(""),
    ),
    max_size=20,
)


def make(entries, classes=("a", "b"), **values):
    in_order = tuple(sorted(entries, key=lambda entry: (entry.sha256, entry.path)))
    given = {"source": "/photos", "layout": "class-folders", "profile": {}, "split": {}} | values
    return DataSet(classes=tuple(classes), entries=in_order, **given)


ONE = make([Entry("a/1.png", "00", 0, "train"), Entry("b/2.png", "11", 1, "val", "g")])


@settings(deadline=None)
@given(ENTRIES, st.tuples(NAMES, NAMES), NAMES, st.lists(NAMES).map(tuple))
def test_json_round_trip(entries, classes, source, unlabelled):
    before = make(
        entries,
        classes,
        source=source,
        unlabelled=unlabelled,
        profile=dict.fromkeys(REQUIRED, 0)
        | {"images": len(entries), "mean": [0.1, 0.2], "unreadable": [{"path": source}]},
        split={"seed": 0, "fractions": {"tune": 0.1}, "given": False},
    )
    text = before.to_json()
    text.encode("ascii")
    after = DataSet.from_json(text)
    assert after == before
    assert after.to_json() == text
    assert after.fingerprint == before.fingerprint


def test_the_file_has_one_line_an_image():
    lines = ONE.to_json().splitlines()
    assert [json.loads(line.rstrip(",")) for line in lines if '"path"' in line] == [
        {"path": "a/1.png", "sha256": "00", "label": 0, "part": "train", "group": ""},
        {"path": "b/2.png", "sha256": "11", "label": 1, "part": "val", "group": "g"},
    ]


def test_the_fingerprint_is_of_the_content_alone():
    moved = make([replace(e, path=f"x/{e.path}", part="test") for e in ONE.entries], source="/b")
    assert moved.fingerprint == ONE.fingerprint
    for change in ({"sha256": "22"}, {"label": 1}, {"group": "h"}):
        changed = make([replace(ONE.entries[0], **change), ONE.entries[1]])
        assert changed.fingerprint != ONE.fingerprint
    assert make(ONE.entries, classes=("a", "c")).fingerprint != ONE.fingerprint


def test_parts_and_labels_in_the_order_of_hashes():
    entries = [Entry(f"{n}.png", f"{9 - n}", n % 2, "train" if n else "val") for n in range(4)]
    data_set = make(entries)
    assert [entry.sha256 for entry in data_set.part("train")] == ["6", "7", "8"]
    assert data_set.labels("train") == [1, 0, 1]
    assert data_set.labels("test") == []


def test_group_numbers_tell_nothing_of_names():
    entries = [Entry(str(n), str(n), 0, "train", group) for n, group in enumerate("zya z")]
    assert make(entries).group_numbers() == {"z": 0, "y": 1, "a": 2, " ": 3}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        "[" * 100_000,
        ONE.to_json()[:-40],
        ONE.to_json().replace('"label": 1', '"label": 7'),
        ONE.to_json().replace('"label": 1', '"label": "b"'),
        ONE.to_json().replace('"part": "val"', '"part": "holdout"'),
        ONE.to_json().replace('"sha256": "00"', '"sha256": "99"'),
        ONE.to_json().replace('"sha256": "11"', '"sha256": "12"'),
        ONE.to_json().replace('"entries"', '"images"'),
    ],
)
def test_a_damaged_file(text):
    with pytest.raises(DataError, match=r"dataset.json"):
        DataSet.from_json(text)


def test_a_newer_format():
    with pytest.raises(DataError, match="format 2") as caught:
        DataSet.from_json(ONE.to_json().replace('"format": 1', '"format": 2'))
    assert "newer" in caught.value.fix


def test_a_profile_without_what_is_counted_on_is_damaged() -> None:
    profile = dict.fromkeys(REQUIRED, 0)
    del profile["mean"]
    text = DataSet("x", "digits", ("a",), (), profile, {}).to_json()
    with pytest.raises(DataError, match="its profile has no 'mean'"):
        DataSet.from_json(text)
