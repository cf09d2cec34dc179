"""A contact sheet of the images that one of two pipelines gets right more often."""

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from improve_git.datasets.dataset import Entry
from improve_git.datasets.drawing import fitting, printable, read_image, spread

MARK = "improve-git"  # in the metadata of every sheet
MOST_IMAGES = 70
_COLUMNS = 7
_SIDE = 160  # pixels of an image
_GAP = 12
_FONT, _LINE = 14, 18  # pixels
_HEAD_FONT, _HEAD = 17, 36
_LABEL, _RIGHT, _WRONG = (0, 0, 0), (0, 105, 0), (170, 0, 0)

# An image, A's answers and B's: the number of a class for each training.
Answered = tuple[Entry, Sequence[int], Sequence[int]]
_Cell = tuple[Answered, Image.Image]


@dataclass(frozen=True)
class Sheet:
    """A PNG, and how much of what was to be seen is on it."""

    png: bytes
    images: int  # on it
    left_out: int  # for want of room
    unreadable: int  # gone, changed or damaged


def difference_sheet(
    names: tuple[str, str], images: Sequence[Answered], classes: Sequence[str], root: Path
) -> Sheet:
    """Draw those that A gets right more often, or alone, then those that B does.

    Args:
        names: of A and B, for the headings.
        images: those that differ; of many, some of either kind are drawn.
        classes: their names.
        root: the folder that the entries' paths are relative to.
    """
    images = sorted(images, key=lambda one: one[0].label)
    kinds = [[one for one in images if _is_better(one)],
             [one for one in images if not _is_better(one)]]  # fmt: skip
    drawn = [_readable(_some(kind, len(images)), root) for kind in kinds]
    alone = all(len(a) == len(b) == 1 for _, a, b in images)
    heads = [
        f"{'only ' * alone}{letter} ({printable(name)}) is right{' more often' * (not alone)}: "
        f"{len(cells):,} of {len(kind):,} images"
        for letter, name, cells, kind in zip("AB", names, drawn, kinds, strict=True)
    ]
    blocks = [_block(head, cells, classes) for head, cells in zip(heads, drawn, strict=True)]
    sheet = Image.new("RGB", (blocks[0].width, sum(block.height for block in blocks)), "white")
    sheet.paste(blocks[0], (0, 0))
    sheet.paste(blocks[1], (0, blocks[0].height))
    buffer = io.BytesIO()
    about = PngImagePlugin.PngInfo()
    about.add_text("Software", MARK)
    sheet.save(buffer, "PNG", optimize=True, pnginfo=about)
    shown = sum(map(len, drawn))
    wanted = sum(len(_some(kind, len(images))) for kind in kinds)
    return Sheet(buffer.getvalue(), shown, len(images) - wanted, wanted - shown)


def _is_better(image: Answered) -> bool:
    """Say whether A is right more often."""
    entry, a, b = image
    return a.count(entry.label) * len(b) > b.count(entry.label) * len(a)


def _some(kind: Sequence[Answered], every: int) -> list[Answered]:
    """Return as many of a kind as its share of the sheet holds, at least one."""
    room = max(1, MOST_IMAGES * len(kind) // max(MOST_IMAGES, every))
    return [kind[place] for place in spread(len(kind), room)]


def _readable(images: Sequence[Answered], root: Path) -> list[_Cell]:
    read = [(one, read_image(root / one[0].path, one[0].sha256, _SIDE)) for one in images]
    return [(one, image) for one, image in read if image is not None]


def _block(head: str, cells: Sequence[_Cell], classes: Sequence[str]) -> Image.Image:
    """Draw a heading and rows of images, each with its label and the two answers below."""
    step, height = _SIDE + _GAP, _SIDE + 3 * _LINE + _GAP
    rows = -(-len(cells) // _COLUMNS)
    block = Image.new("RGB", (_COLUMNS * step + _GAP, _HEAD + rows * height + _GAP), "white")
    draw = ImageDraw.Draw(block)
    head_font, font = ImageFont.load_default(_HEAD_FONT), ImageFont.load_default(_FONT)
    head = fitting(draw, head_font, head, block.width - 2 * _GAP)
    draw.text((_GAP, _GAP), head, fill=_LABEL, font=head_font)
    for place, ((entry, a, b), image) in enumerate(cells):
        row, column = divmod(place, _COLUMNS)
        left, top = _GAP + column * step, _HEAD + _GAP // 2 + row * height
        middle = (left + (_SIDE - image.width) // 2, top + (_SIDE - image.height) // 2)
        block.paste(image, middle)
        lines = [("label", f"{entry.label}: {printable(classes[entry.label])}", _LABEL)]
        lines += [(who, *_answer(entry, answers, classes)) for who, answers in (("A", a), ("B", b))]
        for line, (who, told, colour) in enumerate(lines):
            text = fitting(draw, font, f"{who} {told}", _SIDE)
            draw.text((left, top + _SIDE + line * _LINE), text, fill=colour, font=font)
    return block


def _answer(
    entry: Entry, answers: Sequence[int], classes: Sequence[str]
) -> tuple[str, tuple[int, int, int]]:
    """Return what the trainings answered, and its colour: green where most are right."""
    wrong = Counter(number for number in answers if number != entry.label)
    right = len(answers) - wrong.total()
    number = wrong.most_common(1)[0][0] if wrong else entry.label
    share = f"{right} of {len(answers)}, else " if 0 < right < len(answers) else ""
    colour = _RIGHT if 2 * right > len(answers) else _WRONG
    return f"{share}{number}: {printable(classes[number])}", colour
