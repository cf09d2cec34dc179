"""Dividing the images into train, tune, val and test.

Images with equal bytes and images of one group stay together. The parts of every class come as
near to the wanted fractions as that allows. What goes where depends on the seed, the labels, the
groups and the images' hashes: not on paths, on the order of the files, or on the version of a
library. scikit-learn's StratifiedGroupKFold comes near, but its result follows the order of the
rows and of NumPy's generator, and it knows no parts of different sizes.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from improve_git.domain import PARTS, Part
from improve_git.errors import DataError, SettingsError

_HELD_OUT = PARTS[1:]  # tune, val, test; from the least sealed to the most
_LEAST: dict[Part, int] = {"train": 2, "tune": 1, "val": 1, "test": 1}  # images of every class


@dataclass(frozen=True)
class Item:
    """One image as the split sees it."""

    sha256: str
    label: int
    group: str = ""  # "": none
    part: Part | None = None  # as given by the data set; None: to be assigned


@dataclass
class _Unit:
    """Images that stay together."""

    members: list[int]
    classes: Counter[int]
    order: str


def split(
    items: Sequence[Item], classes: Sequence[str], fractions: Mapping[Part, float], seed: int
) -> list[Part | None]:
    """Return the part of each item; None for a copy that was left out.

    ``fractions`` holds those of tune, val and test, of all images of a class or, where the data
    set gives parts, of its train images, from which missing parts are cut. Where equal images lie
    in several given parts, the copies in the less sealed parts are left out, so that a published
    test part stays as it is and nothing from it is trained on.

    Raises DataError if a class has too few images or given parts tear a group apart, and
    SettingsError for impossible fractions.
    """
    if min(fractions.values()) <= 0 or sum(fractions.values()) >= 1:
        raise SettingsError(
            "data.split must give tune, val and test more than 0 each and less than 1 together",
            "for instance data.split.tune=0.1 data.split.val=0.15 data.split.test=0.15",
        )
    parts: list[Part | None] = _without_leaks(items)
    _check_groups(items, parts)
    given = {item.part for item in items if item.part}
    missing = [part for part in _HELD_OUT if part not in given]
    source = [i for i, item in enumerate(items) if item.part is None or parts[i] == "train"]
    assigned = _assign([items[i] for i in source], missing, fractions, seed)
    for i, part in zip(source, assigned, strict=True):
        parts[i] = part
    _check_counts(items, parts, classes, bool(given))
    return parts


def _without_leaks(items: Sequence[Item]) -> list[Part | None]:
    most_sealed: dict[str, int] = {}
    for item in items:
        if item.part:
            rank = PARTS.index(item.part)
            most_sealed[item.sha256] = max(rank, most_sealed.get(item.sha256, 0))
    return [
        item.part if item.part and PARTS.index(item.part) == most_sealed[item.sha256] else None
        for item in items
    ]


def _check_groups(items: Sequence[Item], parts: Sequence[Part | None]) -> None:
    part_of: dict[str, Part] = {}
    for item, part in zip(items, parts, strict=True):
        if item.group and part and part_of.setdefault(item.group, part) != part:
            raise DataError(
                f"the group {item.group!r} is in {part_of[item.group]} and in {part}",
                "give each group one split, or leave the split column out",
            )


def _assign(
    items: Sequence[Item], missing: Sequence[Part], fractions: Mapping[Part, float], seed: int
) -> list[Part]:
    """Assign the largest units first, each to the part that it fits best."""
    parts: list[Part] = ["train"] * len(items)
    if not missing:
        return parts
    allowed: tuple[Part, ...] = ("train", *missing)
    wanted = _targets(Counter(item.label for item in items), missing, fractions)
    open_units: Counter[int] = Counter()
    units = _units(items, seed)
    for unit in units:
        open_units.update(unit.classes.keys())
    filled: dict[Part, Counter[int]] = {part: Counter() for part in allowed}
    for unit in units:
        part = _best(unit, _candidates(unit, allowed, filled, open_units), wanted, filled)
        filled[part].update(unit.classes)
        open_units.subtract(unit.classes.keys())
        for member in unit.members:
            parts[member] = part
    return parts


def _targets(
    counts: Mapping[int, int], missing: Sequence[Part], fractions: Mapping[Part, float]
) -> dict[Part, dict[int, int]]:
    """Return how many images of each class a part should get: one at least, train two."""
    wanted: dict[Part, dict[int, int]] = {part: {} for part in ("train", *missing)}
    for label, count in counts.items():
        share = {part: max(1, round(count * fractions[part])) for part in missing}
        while count - sum(share.values()) < _LEAST["train"] and max(share.values()) > 1:
            share[max(missing, key=lambda part: share[part])] -= 1
        for part in missing:
            wanted[part][label] = share[part]
        wanted["train"][label] = count - sum(share.values())
    return wanted


def _units(items: Sequence[Item], seed: int) -> list[_Unit]:
    """Join equal images and groups; the largest first, equally large ones in seeded order."""
    parent = list(range(len(items)))

    def find(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[tuple[str, str], int] = {}
    for i, item in enumerate(items):
        for key in (("hash", item.sha256), ("group", item.group)):
            if key[1]:
                parent[find(i)] = find(first.setdefault(key, i))
    members: dict[int, list[int]] = defaultdict(list)
    for i in range(len(items)):
        members[find(i)].append(i)
    units = [
        _Unit(
            of_unit,
            Counter(items[i].label for i in of_unit),
            _seeded(seed, min(items[i].sha256 for i in of_unit)),
        )
        for of_unit in members.values()
    ]
    return sorted(units, key=lambda unit: (-len(unit.members), unit.order))


def _seeded(seed: int, sha256: str) -> str:
    return hashlib.sha256(f"{seed}:{sha256}".encode()).hexdigest()


def _candidates(
    unit: _Unit,
    allowed: Sequence[Part],
    filled: Mapping[Part, Counter[int]],
    open_units: Mapping[int, int],
) -> Sequence[Part]:
    """Leave only parts that lack a class of this unit, once its units become scarce.

    Of several scarce classes the scarcest decides.
    """
    scarcest: tuple[int, Sequence[Part]] | None = None
    for label in sorted(unit.classes):
        empty = [part for part in allowed if not filled[part][label]]
        spare = open_units[label] - len(empty)
        if empty and spare <= 0 and (scarcest is None or spare < scarcest[0]):
            scarcest = spare, empty
    return scarcest[1] if scarcest else allowed


def _best(
    unit: _Unit,
    candidates: Sequence[Part],
    wanted: Mapping[Part, Mapping[int, int]],
    filled: Mapping[Part, Counter[int]],
) -> Part:
    """Return the part that is overfilled least; among equals the one that still lacks most."""

    def cost(part: Part) -> tuple[float, float]:
        over = lack = 0.0
        for label, count in unit.classes.items():
            room = wanted[part][label] - filled[part][label]
            over += max(0, count - room)
            lack += room / max(1, wanted[part][label])
        return over, -lack

    return min(candidates, key=cost)


def _check_counts(
    items: Sequence[Item], parts: Sequence[Part | None], classes: Sequence[str], given: bool
) -> None:
    counts = {part: Counter[int]() for part in PARTS}
    for item, part in zip(items, parts, strict=True):
        if part:
            counts[part][item.label] += 1
    short = [
        (part, label)
        for label in range(len(classes))
        for part in PARTS
        if counts[part][label] < _LEAST[part]
    ]
    if not short:
        return
    part, label = short[0]
    total = sum(counts[p][label] for p in PARTS)
    also = len({label for _, label in short}) - 1
    message = f"the class {classes[label]!r} has too few images: {counts[part][label]} in {part}"
    message += f", {total} in all" + (f" ({also} more classes too)" if also else "")
    if given:
        fix = "add images of it to that part, or let all parts be cut from train"
    elif any(item.group for item in items if item.label == label) and total >= 5:
        fix = "groups stay whole: each class needs images from at least four of them"
    else:
        fix = "each class needs at least 5 different images: add some, or remove the class"
    raise DataError(message, fix)
