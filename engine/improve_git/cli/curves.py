"""A learning curve beside main's: as a table, and as two lines of blocks."""

from collections.abc import Sequence

from rich.console import Console

from improve_git.cli.screen import clean, columns, sparkline

Curve = Sequence[dict[str, float]]

MOST_EPOCHS = 12
MOST_BLOCKS = 40
# A training may report as many figures as it likes; a screen holds so many columns.
MOST_FIGURES = 5
MOST_PAIRS = 3


def show_curves(screen: Console, curve: Curve, main: Curve) -> None:
    """Print a learning curve, and main's beside it where that is known."""
    if not curve:
        return
    names = most_telling(curve)
    also = f", main's {len(main)}" if main else ""
    screen.print(f"\nlearning curve, {len(curve)} epochs{also}")
    if not names:
        return
    _table(screen, curve, main, names)
    _lines(screen, curve, main, names[0])


def most_telling(curve: Curve) -> list[str]:
    """Return what was reported: of tune first, then losses, then of train, then what changes."""
    names = [name for name in dict.fromkeys(key for row in curve for key in row) if name != "epoch"]

    def place(name: str) -> int:
        kinds = [name.startswith("tune"), "loss" in name, name.startswith("train")]
        return kinds.index(True) if True in kinds else len(kinds)

    others = place("")
    told = [n for n in names if place(n) < others or len({row.get(n) for row in curve}) > 1]
    return sorted(told, key=place)


def _table(screen: Console, curve: Curve, main: Curve, names: Sequence[str]) -> None:
    shown = names[: MOST_PAIRS if main else MOST_FIGURES]
    rows = [["epoch"]]
    for name in shown:
        rows[0] += [clean(name, 16), "main"] if main else [clean(name, 16)]
    ours, theirs = _by_epoch(curve), _by_epoch(main)
    for epoch in _spread(sorted({*ours, *theirs})):
        cells = [f"{epoch:g}"]
        for name in shown:
            sides = (ours, theirs) if main else (ours,)
            cells += [_cell(side.get(epoch, {}), name) for side in sides]
        rows.append(cells)
    columns(screen, rows, right=range(len(rows[0])), indent=2)


def _lines(screen: Console, curve: Curve, main: Curve, name: str) -> None:
    """Print how one figure went, on the same scale for both."""
    told = [(label, [row[name] for row in side if name in row])
            for label, side in ((clean(name, 16), curve), ("main", main))]  # fmt: skip
    told = [(label, values) for label, values in told if len(values) > 1]
    every = [value for _, values in told for value in values]
    rows = [
        (label, sparkline(values, min(every), max(every), MOST_BLOCKS),
         f"{values[0]:.4g} to {values[-1]:.4g}")
        for label, values in told
    ]  # fmt: skip
    if rows:
        screen.print()
        columns(screen, rows, indent=2)


def _by_epoch(curve: Curve) -> dict[float, dict[str, float]]:
    return {row.get("epoch", place): row for place, row in enumerate(curve)}


def _cell(row: dict[str, float], name: str) -> str:
    return f"{row[name]:.4g}" if name in row else ""


def _spread(epochs: Sequence[float]) -> list[float]:
    """Return the first and last epoch and some evenly between."""
    if len(epochs) <= MOST_EPOCHS:
        return list(epochs)
    step = (len(epochs) - 1) / (MOST_EPOCHS - 1)
    return [epochs[round(index * step)] for index in range(MOST_EPOCHS)]
