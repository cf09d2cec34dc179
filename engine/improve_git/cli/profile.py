"""How a data set was understood, for the eye."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from improve_git.creation import Plan
from improve_git.domain import PARTS
from improve_git.figures import size_text

_LAYOUTS = {
    "class-folders": "one folder a class",
    "split-folders": "train, val and test folders with one folder a class",
    "manifest": "a manifest",
    "digits": "scikit-learn's digits, written out as PNG files",
}
MOST_CLASSES = 20
MOST_NAMED = 3  # files of a kind


def show_profile(console: Console, found: Plan) -> None:
    """Print what was read: layout, parts, classes, sizes, and what is odd."""
    data_set, profile = found.data_set, found.data_set.profile
    layout = _LAYOUTS.get(data_set.layout, data_set.layout)
    whole = not console.is_terminal  # else wrapped between words
    console.print(f"{profile['images']:,} images, {len(data_set.classes)} classes; "
                  f"read as {layout}", markup=False, soft_wrap=whole)  # fmt: skip
    counts = profile["part_class_counts"]
    table = Table(box=None, pad_edge=False)
    table.add_column("class")
    for part in PARTS:
        table.add_column(part, justify="right")
    for index, name in enumerate(data_set.classes[:MOST_CLASSES]):
        table.add_row(repr(name)[1:-1], *(f"{counts[part][index]:,}" for part in PARTS))
    if len(data_set.classes) > MOST_CLASSES:
        table.add_row(f"... {len(data_set.classes) - MOST_CLASSES} more")
    table.add_row("all", *(f"{profile['parts'][part]:,}" for part in PARTS))
    console.print(table)
    for line in _facts(found):
        console.print(line, markup=False, soft_wrap=whole)


def _facts(found: Plan) -> list[str]:
    profile = found.data_set.profile
    width, height = profile["width"], profile["height"]
    sizes = f"{width['min']}x{height['min']}"
    if (width["min"], height["min"]) != (width["max"], height["max"]):
        sizes += f" to {width['max']}x{height['max']}"
    colour = "grey" if profile["grey"] else "colour"
    lines = [
        f"sizes {sizes} pixels, {colour}; largest class {profile['imbalance']:.1f} times "
        f"the smallest; packs take {size_text(found.disk_bytes)}"
    ]
    for key, one, many, named in (
        ("duplicates", "duplicate of another image (kept in one part)",
         "duplicates of other images (kept in one part)", _duplicates(found)),
        ("conflicting_labels", "image stands under two labels",
         "images stand under two labels", _conflicts(profile)),
        ("unreadable_count", "file left out because it cannot be read as an image",
         "files left out because they cannot be read as images",
         [f"{row['path']!r}: {row['reason']}" for row in profile["unreadable"]]),
        ("unlabelled_test", "test image without a label, kept for predict",
         "test images without labels, kept for predict", []),
    ):  # fmt: skip
        if count := profile.get(key):
            lines.append(f"note: {count:,} {one if count == 1 else many}")
            lines += [f"  {name}" for name in named[:MOST_NAMED]]
    return lines


def _duplicates(found: Plan) -> list[str]:
    """Return the names of equal images, a line for each."""
    same: dict[str, list[str]] = {}
    for entry in found.data_set.entries:
        same.setdefault(entry.sha256, []).append(entry.path)
    return [
        " = ".join(map(repr, sorted(its)[:MOST_NAMED])) for its in same.values() if len(its) > 1
    ]


def _conflicts(profile: Mapping[str, Any]) -> list[str]:
    """Return the names of equal images of several classes with their classes, a line for each."""
    return [
        " = ".join(f"{one['path']!r} ({one['class']!r:.60})" for one in same[:MOST_NAMED])
        for same in profile.get("conflicting_examples", ())
    ]
