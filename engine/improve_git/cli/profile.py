"""How a data set was understood, for the eye."""

from rich.console import Console
from rich.table import Table

from improve_git.creation import Plan
from improve_git.domain import PARTS

_LAYOUTS = {
    "class-folders": "one folder a class",
    "split-folders": "train, val and test folders with one folder a class",
    "manifest": "a manifest",
    "digits": "scikit-learn's digits, written out as PNG files",
}
MOST_CLASSES = 20


def show_profile(console: Console, found: Plan) -> None:
    """Print what was read: layout, parts, classes, sizes, and what is odd."""
    data_set, profile = found.data_set, found.data_set.profile
    layout = _LAYOUTS.get(data_set.layout, data_set.layout)
    console.print(f"{profile['images']:,} images, {len(data_set.classes)} classes; "
                  f"read as {layout}", markup=False)  # fmt: skip
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
        console.print(line, markup=False)


def _facts(found: Plan) -> list[str]:
    profile = found.data_set.profile
    width, height = profile["width"], profile["height"]
    sizes = f"{width['min']}x{height['min']}"
    if (width["min"], height["min"]) != (width["max"], height["max"]):
        sizes += f" to {width['max']}x{height['max']}"
    colour = "grey" if profile["grey"] else "colour"
    lines = [
        f"sizes {sizes} pixels, {colour}; largest class {profile['imbalance']:.1f} times "
        f"the smallest; packs take {found.disk_bytes / 2**20:.0f} MiB"
    ]
    for key, text in (
        ("duplicates", "duplicates of other images (kept in one part)"),
        ("conflicting_labels", "images that stand under two labels"),
        ("unreadable_count", "files left out because they cannot be read as images"),
        ("unlabelled_test", "test images without labels, kept for predict"),
    ):
        if profile.get(key):
            lines.append(f"note: {profile[key]:,} {text}")
    lines += [f"  {row['path']!r}: {row['reason']}" for row in profile["unreadable"][:5]]
    return lines
