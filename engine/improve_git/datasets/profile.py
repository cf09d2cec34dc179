"""What is known of a data set: shown to people, given to teams and templates."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, median_low
from typing import Any

from improve_git.datasets.dataset import Entry
from improve_git.datasets.listing import Listing
from improve_git.domain import PARTS

_SHOWN = 50  # unreadable files and ignored names
_EXAMPLES = 5  # of images under several labels


@dataclass(frozen=True)
class Facts:
    """What decoding one image told."""

    sha256: str
    width: int  # upright, in pixels
    height: int
    mode: str
    format: str
    grey: bool
    means: list[float]  # of each channel over the pixels, in [0, 1]
    squares: list[float]  # mean squares


@dataclass(frozen=True)
class Unreadable:
    """A file that was left out, and why."""

    path: str
    reason: str


def make_profile(
    listing: Listing, kept: Sequence[tuple[Entry, Facts]], unreadable: Sequence[Unreadable]
) -> dict[str, Any]:
    """Return the profile as JSON knows it; ``kept`` is in the data set's order, and not empty.

    ``mean`` and ``std`` are of the training part, RGB in [0, 1]; each image counts the same
    whatever its size, as it does in training.
    """
    entries = [entry for entry, _ in kept]
    facts = [fact for _, fact in kept]
    counts = _class_counts(entries, len(listing.classes))
    mean, std = _mean_and_std([fact for entry, fact in kept if entry.part == "train"])
    conflicts = _conflicts(entries)
    by_part = {part: [entry for entry in entries if entry.part == part] for part in PARTS}
    return {
        "images": len(entries),
        "classes": list(listing.classes),
        "class_counts": counts,
        "parts": {part: len(its) for part, its in by_part.items()},
        "part_class_counts": {
            part: _class_counts(its, len(listing.classes)) for part, its in by_part.items()
        },
        "imbalance": round(max(counts) / min(counts), 3),
        "width": _spread(fact.width for fact in facts),
        "height": _spread(fact.height for fact in facts),
        "modes": _frequencies(fact.mode for fact in facts),
        "formats": _frequencies(fact.format for fact in facts),
        "grey": all(fact.grey for fact in facts),
        "mean": mean,
        "std": std,
        "duplicates": len(entries) - len({entry.sha256 for entry in entries}),
        "conflicting_labels": len(conflicts),
        "conflicting_examples": [
            [{"path": entry.path, "class": listing.classes[entry.label]} for entry in same]
            for same in conflicts[:_EXAMPLES]
        ],
        "unreadable": [asdict(one) for one in unreadable[:_SHOWN]],
        "unreadable_count": len(unreadable),
        "groups": len({entry.group for entry in entries if entry.group}),
        "unlabelled_test": len(listing.unlabelled),
        "ignored": list(listing.ignored[:_SHOWN]),
    }


def _class_counts(entries: Iterable[Entry], classes: int) -> list[int]:
    counts = Counter(entry.label for entry in entries)
    return [counts[label] for label in range(classes)]


def _conflicts(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Return the images with equal bytes and different labels, in the order of their hashes."""
    same: dict[str, list[Entry]] = {}
    for entry in entries:
        same.setdefault(entry.sha256, []).append(entry)
    return [its for its in same.values() if len({entry.label for entry in its}) > 1]


def _mean_and_std(facts: Sequence[Facts]) -> tuple[list[float], list[float]]:
    mean = [fmean(fact.means[channel] for fact in facts) for channel in range(3)]
    square = [fmean(fact.squares[channel] for fact in facts) for channel in range(3)]
    deviation = [max(0.0, s - m * m) ** 0.5 for s, m in zip(square, mean, strict=True)]
    return [round(value, 6) for value in mean], [round(value, 6) for value in deviation]


def _spread(values: Iterable[int]) -> dict[str, int]:
    ordered = sorted(values)
    return {"min": ordered[0], "median": median_low(ordered), "max": ordered[-1]}


def _frequencies(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))
