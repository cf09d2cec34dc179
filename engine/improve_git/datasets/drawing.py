"""What contact sheets have in common: an image off the disk, and text that a font can draw."""

import hashlib
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from improve_git.datasets.images import UnreadableImageError, decode
from improve_git.messages import one_line

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_MAX_PIXELS = 100_000_000  # of a file; as data.max_pixels is set unless told otherwise


def read_image(path: Path, sha256: str, side: int) -> Image.Image | None:
    """Decode a file if it is the very one that the data set was read from.

    A sheet is shown or sent to somebody: a dataset.json of anybody's, that names another file of
    the user's, must not get it there.
    """
    try:
        if not path.is_file():  # opening a pipe would wait for ever
            return None
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                return None
            file.seek(0)
            image = decode(file, side, _MAX_PIXELS).image
    except (OSError, ValueError, UnreadableImageError):
        return None
    # Tiny images would be dots on the sheet.
    factor = side // max(image.size)
    return image.resize((factor * image.width, factor * image.height), Image.Resampling.NEAREST)


def spread(count: int, most: int) -> list[int]:
    """Return at most so many numbers below ``count``, evenly from the first to the last."""
    if count <= most:
        return list(range(count))
    return [round(index * (count - 1) / max(1, most - 1)) for index in range(most)]


def printable(name: str) -> str:
    """Return a class name as one line that a font can draw."""
    text = one_line(name, 100).encode("utf-8", "replace").decode()
    return "".join(character if character.isprintable() else "?" for character in text)


def fitting(draw: ImageDraw.ImageDraw, font: Font, text: str, room: int) -> str:
    """Cut a text to so many pixels."""
    if draw.textlength(text, font) <= room:
        return text
    while draw.textlength(f"{text}...", font) > room:
        text = text[:-1]
    return f"{text}..."
