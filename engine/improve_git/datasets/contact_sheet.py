"""A contact sheet: a few train images of each class on one page, for a model that sees images."""

import io
from collections.abc import Iterator
from pathlib import Path
from random import Random

from PIL import Image, ImageDraw, ImageFont

from improve_git.datasets.dataset import DataSet, Entry
from improve_git.datasets.drawing import fitting, printable, read_image, spread

MOST_WIDTH, MOST_HEIGHT = 1200, 1600  # pixels of a sheet
_LABEL = 220  # pixels, of the column with the class names
_GAP = 6
_LEAST_SIDE, _MOST_SIDE = 96, 224  # pixels of an image
_FONT_SIZE = 16
_TRIES = 5  # times as many files as wanted are opened, at most, where some cannot be read


def contact_sheet(
    data_set: DataSet,
    root: Path,
    per_class: int = 4,
    most_classes: int = 12,
    side: int | None = None,
) -> bytes:
    """Return a PNG with a row a class: its number and name, then images of it.

    Args:
        data_set: whose train images are shown; no others are opened.
        root: the folder that the entries' paths are relative to.
        per_class: images a row, fewer where they cannot be read or the sheet would be too wide.
        most_classes: of more classes than that, so many from the first to the last are shown.
        side: pixels of the longer side of an image; None: as large as the sheet allows, for what
            tells classes apart may be small.

    The same data set gives the same sheet. An image that is gone, changed or damaged is left out.
    """
    side = side or _largest_side(per_class, min(most_classes, len(data_set.classes)))
    step = side + _GAP
    per_class = min(per_class, (MOST_WIDTH - _LABEL - _GAP) // step)
    rows = spread(len(data_set.classes), min(most_classes, (MOST_HEIGHT - _GAP) // step))
    sheet = Image.new("RGB", (_LABEL + per_class * step + _GAP, len(rows) * step + _GAP), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(_FONT_SIZE)
    train = data_set.part("train")
    for row, label in enumerate(rows):
        top = _GAP + row * step
        text = fitting(
            draw, font, f"{label}: {printable(data_set.classes[label])}", _LABEL - 2 * _GAP
        )
        draw.text((_GAP, top + side // 2), text, fill="black", font=font, anchor="lm")
        of_class = [entry for entry in train if entry.label == label]
        for column, image in enumerate(_images(of_class, root, per_class, side)):
            left = _LABEL + column * step
            middle = (left + (side - image.width) // 2, top + (side - image.height) // 2)
            sheet.paste(image, middle)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _largest_side(columns: int, rows: int) -> int:
    wide, high = (MOST_WIDTH - _LABEL - _GAP) // columns, (MOST_HEIGHT - _GAP) // rows
    return max(_LEAST_SIDE, min(_MOST_SIDE, wide - _GAP, high - _GAP))


def _images(entries: list[Entry], root: Path, wanted: int, side: int) -> Iterator[Image.Image]:
    """Yield so many of the images, chosen by chance, always the same."""
    chosen = Random(0).sample(entries, min(len(entries), _TRIES * wanted))
    for entry in chosen:
        if wanted == 0:
            return
        image = read_image(root / entry.path, entry.sha256, side)
        if image is not None:
            wanted -= 1
            yield image
