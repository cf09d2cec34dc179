"""Two pipelines beside each other: learning curves and confusions."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from improve_git.messages import one_line
from improve_git.views.course import Side, Sides
from improve_git.views.plots.look import BLUE, ORANGE, drawable, panels_of, whole_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

MOST_CLASSES = 12  # of a confusion; of more, those that are confused most


def draw_curves(part: "SubFigure", found: Sides) -> None:
    """Draw what was reported of tune and train, epoch by epoch."""
    names = _telling([row for side in found.sides for row in side.curve])
    panels = panels_of(part, len(names))
    for axes, name in zip(panels, names, strict=True):
        for side, colour, width in _sides(found.sides):
            _curve(axes, side, name, colour, width)
        axes.set_title(f"learning: {drawable(name.replace('_', ' '), 24)}")
        axes.set_xlabel("epoch")
        whole_numbers(axes)
        axes.grid(alpha=0.25)
        axes.margins(y=0.1)
    told = [
        entry for axes in panels for entry in zip(*axes.get_legend_handles_labels(), strict=True)
    ]
    handles = {label: handle for handle, label in told}
    part.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4)


def _curve(axes: "Axes", side: Side, name: str, colour: str, width: float) -> None:
    """Draw what was reported of tune, and thinner and dotted the same of train."""
    of_train = name.replace("tune", "train", 1) if name.startswith("tune") else ""
    for reported, style, label in ((name, "-", ""), (of_train, ":", ", on train")):
        rows = [
            (row.get("epoch", float(place)), row[reported])
            for place, row in enumerate(side.curve, 1)
            if reported in row
        ]
        if rows:
            axes.plot(*zip(*rows, strict=True), color=colour, ls=style,
                      marker="o" if len(rows) < 3 else "", ms=4,
                      lw=width if style == "-" else 1, label=side.name + label)  # fmt: skip


def _telling(rows: Sequence[Mapping[str, float]]) -> list[str]:
    """Return at most two names of what was reported: a score on tune, and a loss."""
    names = [name for name in dict.fromkeys(key for row in rows for key in row) if name != "epoch"]
    tune = [name for name in names if name.startswith("tune") and "loss" not in name]
    losses = [name for name in names if "loss" in name]
    chosen = tune[:1] + losses[:1]
    return chosen or names[:1]


def _sides(sides: Sequence[Side]) -> list[tuple[Side, str, float]]:
    """Return each side with its colour and the width of its line; the newer is the stronger."""
    styles = [(ORANGE, 1.6), (BLUE, 1.8)][-len(sides) :]
    return [(side, *style) for side, style in zip(sides, styles, strict=True)]


def draw_confusions(part: "SubFigure", found: Sides) -> None:
    """Draw both confusions on val, in % of the images of each label."""
    sides = [side for side in found.sides if side.confusion]
    kept = _most_confused(sides, len(found.classes))
    panels = panels_of(part, len(sides))
    names = [_class_name(found.classes[index], index) for index in kept]
    small = 8 if len(kept) <= 8 else 7
    for axes, side in zip(panels, sides, strict=True):
        shares = [_shares(side.confusion[row], kept) for row in kept]
        image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100, aspect="auto")
        for row, line in enumerate(shares):
            for column, share in enumerate(line):
                if share >= 0.5:
                    colour = "white" if share > 55 else "#222222"
                    axes.text(column, row, f"{share:.0f}", ha="center", va="center",
                              fontsize=small, color=colour)  # fmt: skip
        axes.set_xticks(range(len(kept)), names, fontsize=small)
        if max(map(len, names)) * len(kept) > 40:
            axes.tick_params("x", rotation=45)
            for label in axes.get_xticklabels():
                label.set(ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(kept)), names, fontsize=small)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        axes.set_title(f"confusion, {side.name}")
        axes.set_xlabel("predicted")
    panels[0].set_ylabel("label")
    bar = part.colorbar(image, ax=panels, shrink=0.8, pad=0.02)
    bar.outline.set_visible(False)
    of_many = f"\n({len(kept)} most confused of {len(found.classes):,})"
    bar.set_label("% of the label's val images" + of_many * (len(kept) < len(found.classes)),
                  fontsize=8)  # fmt: skip


def _most_confused(sides: Sequence[Side], classes: int) -> list[int]:
    """Return the classes with the most images that are mistaken, for them or for others."""

    def mistaken(index: int) -> int:
        return sum(
            side.confusion[index][other] + side.confusion[other][index]
            for side in sides for other in range(classes) if other != index
        )  # fmt: skip

    return sorted(sorted(range(classes), key=mistaken, reverse=True)[:MOST_CLASSES])


def _shares(row: Sequence[int], kept: Sequence[int]) -> list[float]:
    images = sum(row)
    return [100 * row[column] / images if images else 0.0 for column in kept]


def _class_name(name: str, index: int) -> str:
    """Return a class's name, clipped; where the font cannot draw it, its number."""
    text = one_line(name, 18)
    return text if text and text == drawable(text, 18) else f"class {index}"
