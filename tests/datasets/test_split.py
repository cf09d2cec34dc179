import hashlib
from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from improve_git.datasets.split import Item, split
from improve_git.domain import PARTS
from improve_git.errors import DataError, SettingsError

FRACTIONS = {"tune": 0.1, "val": 0.15, "test": 0.15}
CLASSES = ("ant", "bee", "cat")


def sha(number):
    return hashlib.sha256(str(number).encode()).hexdigest()


def plain(*counts):
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    return [Item(sha(number), label) for number, label in enumerate(labels)]


def per_part(items, parts):
    counts = defaultdict(Counter)
    for item, part in zip(items, parts, strict=True):
        counts[part][item.label] += 1
    return {part: dict(counts[part]) for part in counts}


def test_each_class_is_divided_as_asked():
    items = plain(100, 20, 5)
    parts = split(items, CLASSES, FRACTIONS, 0)
    assert per_part(items, parts) == {
        "train": {0: 60, 1: 12, 2: 2},
        "tune": {0: 10, 1: 2, 2: 1},
        "val": {0: 15, 1: 3, 2: 1},
        "test": {0: 15, 1: 3, 2: 1},
    }


def test_the_split_is_this_one_for_ever():
    parts = split(plain(10, 10), CLASSES[:2], FRACTIONS, 7)
    text = hashlib.sha256("".join(str(part) for part in parts).encode()).hexdigest()
    assert text[:16] == "741b776507211544"


def test_the_seed_matters():
    items = plain(50, 50)
    assert split(items, CLASSES[:2], FRACTIONS, 0) != split(items, CLASSES[:2], FRACTIONS, 1)


@pytest.mark.parametrize("count", range(5))
def test_a_class_with_too_few_images_is_named_with_the_fix(count):
    with pytest.raises(DataError, match=r"(?s)'cat' has too few images.* 5 different images"):
        split(plain(20, 20, count), CLASSES, FRACTIONS, 0)


def test_copies_do_not_make_a_class_larger():
    items = plain(20) + [Item(sha("same"), 1)] * 9
    with pytest.raises(DataError, match="'bee' has too few images"):
        split(items, CLASSES[:2], FRACTIONS, 0)


@pytest.mark.parametrize("sizes", [(10, 1, 1, 1), (5, 5, 5, 5), (2, 1, 1, 1), (9, 9, 1, 1, 1)])
def test_every_part_gets_one_of_few_groups(sizes):
    names = [name for name, size in enumerate(sizes) for _ in range(size)]
    items = plain(20) + [Item(sha(f"g{i}"), 1, f"g{n}") for i, n in enumerate(names)]
    parts = split(items, CLASSES[:2], FRACTIONS, 0)
    assert all(per_part(items, parts)[part][1] for part in PARTS)


def test_three_groups_are_too_few_for_four_parts():
    items = plain(20) + [Item(sha(f"g{i}"), 1, f"g{i % 3}") for i in range(30)]
    with pytest.raises(DataError, match=r"(?s)'bee'.*at least four"):
        split(items, CLASSES[:2], FRACTIONS, 0)


@pytest.mark.parametrize("bad", [(0, 0.1, 0.1), (0.5, 0.3, 0.2), (-0.1, 0.1, 0.1)])
def test_impossible_fractions(bad):
    with pytest.raises(SettingsError):
        split(plain(20, 20), CLASSES[:2], dict(zip(PARTS[1:], bad, strict=True)), 0)


def test_given_parts_stay_and_missing_ones_are_cut_from_train():
    items = [Item(sha(i), i % 2, part="test" if i < 10 else "train") for i in range(50)]
    parts = split(items, CLASSES[:2], FRACTIONS, 0)
    assert parts[:10] == ["test"] * 10
    assert per_part(items, parts) == {
        "train": {0: 15, 1: 15},
        "tune": {0: 2, 1: 2},
        "val": {0: 3, 1: 3},
        "test": {0: 5, 1: 5},
    }


def test_all_parts_given_are_kept():
    items = [Item(sha(i), i % 2, part=PARTS[i // 4]) for i in range(16)]
    assert split(items, CLASSES[:2], FRACTIONS, 0) == [item.part for item in items]


def test_a_given_part_that_lacks_a_class():
    items = [Item(sha(i), i % 2, part="train") for i in range(20)]
    items += [Item(sha(f"v{i}"), 0, part="val") for i in range(5)]
    with pytest.raises(DataError, match=r"'bee' has too few images: 0 in val"):
        split(items, CLASSES[:2], FRACTIONS, 0)


def test_copies_across_given_parts_leave_the_less_sealed_one():
    items = [Item(sha(i), i % 2, part=PARTS[i // 4]) for i in range(16)]
    copies = [Item(items[12].sha256, 0, part="train"), Item(items[8].sha256, 0, part="tune")]
    parts = split(items + copies, CLASSES[:2], FRACTIONS, 0)
    assert parts == [*(item.part for item in items), None, None]


def test_given_parts_that_tear_a_group():
    items = [Item(sha(i), i % 2, part=PARTS[i // 4], group="g" * (i in (0, 9))) for i in range(16)]
    with pytest.raises(DataError, match="the group 'g' is in train and in val"):
        split(items, CLASSES[:2], FRACTIONS, 0)


ITEMS = st.lists(
    st.builds(
        Item,
        sha256=st.integers(0, 60).map(sha),
        label=st.integers(0, 2),
        group=st.sampled_from(["", "", "", "", *"abcdefgh"]),
    ),
    max_size=120,
)


@settings(max_examples=150, deadline=None)
@given(ITEMS, st.integers(0, 5), st.randoms())
def test_whatever_the_items(items, seed, random):
    try:
        parts = split(items, CLASSES, FRACTIONS, seed)
    except DataError:
        parts = None
    order = list(range(len(items)))
    random.shuffle(order)
    if parts is None:  # an error, too, does not depend on the order
        with pytest.raises(DataError):
            split([items[i] for i in order], CLASSES, FRACTIONS, seed)
        return
    assert set(parts) == set(PARTS)  # each image in one part
    for key in ("sha256", "group"):
        homes = defaultdict(set)
        for item, part in zip(items, parts, strict=True):
            homes[getattr(item, key)].add(part)
        homes.pop("", None)
        assert all(len(home) == 1 for home in homes.values())
    counts = per_part(items, parts)
    assert all(counts[part].get(label, 0) >= 1 for part in PARTS for label in range(3))
    assert all(counts["train"][label] >= 2 for label in range(3))
    again = split([items[i] for i in order], CLASSES, FRACTIONS, seed)
    assert again == [parts[i] for i in order]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(5, 200), min_size=2, max_size=3), st.integers(0, 9))
def test_without_groups_each_class_is_within_one_image(counts, seed):
    items = plain(*counts)
    got = per_part(items, split(items, CLASSES[: len(counts)], FRACTIONS, seed))
    for label, count in enumerate(counts):
        for part, fraction in FRACTIONS.items():
            assert abs(got[part][label] - count * fraction) <= 1


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 9))
def test_many_small_groups_come_near_the_fractions(seed):
    items = [Item(sha(i), (i // 3) % 3, f"g{i // 3}") for i in range(600)]
    got = per_part(items, split(items, CLASSES, FRACTIONS, seed))
    for part, fraction in FRACTIONS.items():
        for label in range(3):
            assert abs(got[part][label] / 200 - fraction) < 0.02
