"""A table of the classes' recalls, before and after."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console

from improve_git.cli.screen import clean, columns
from improve_git.figures import gain_text

MOST_CLASSES = 12


class Recalls(NamedTuple):
    """How one class fared."""

    name: str
    images: int
    before: float | None
    after: float


def show_classes(screen: Console, classes: Sequence[Recalls], before: str, after: str) -> None:
    """Print the classes, of many those that changed most, under what stood before and after."""
    if not classes:
        return
    told = sorted(classes, key=_change, reverse=True)[:MOST_CLASSES]
    kept = [one for one in classes if one in told]
    left = len(classes) - len(kept)
    compared = any(one.before is not None for one in classes)
    rows = [("class", "images", *((before, after, "change") if compared else ("", after, "")))]
    for one in kept:
        old, change = "", ""
        if one.before is not None:
            old, change = f"{one.before:.4f}", gain_text("accuracy", one.after - one.before)
        rows.append((clean(one.name, 40), f"{one.images:,}", old, f"{one.after:.4f}", change))
    few = f" ({left} that changed less left out)" if left else ""
    screen.print(f"\nrecall by class, on val{few}")
    columns(screen, rows, right=(1, 2, 3, 4), indent=2)


def _change(one: Recalls) -> float:
    return abs(one.after - one.before) if one.before is not None else 0.0
