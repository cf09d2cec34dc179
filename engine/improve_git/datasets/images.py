"""From any image file to plain 8-bit RGB. The only module that speaks to Pillow's decoders."""

import struct
import warnings
import zlib
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageChops, UnidentifiedImageError

# Pillow's limit is a constant and only warns up to twice its value; ``max_pixels`` replaces it.
Image.MAX_IMAGE_PIXELS = None
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
# Damaged EXIF and TIFF tags are told by the result, not by a stream of warnings.
warnings.filterwarnings("ignore", module=r"PIL\.")

# Formats with a signature and a decoder that runs nothing else (EPS would start Ghostscript).
# MPO is what Pillow calls a JPEG file with a second picture behind the first.
_WANTED = ("PNG", "JPEG", "MPO", "GIF", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF")
Image.init()
FORMATS = tuple(name for name in _WANTED if name in Image.OPEN)
LOSSY = frozenset({"JPEG", "MPO"})

# What Pillow's plugins raise on damaged files, found by feeding them such files.
_DAMAGE = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
)
_ORIENTATION = 0x0112  # the EXIF tag
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class UnreadableImageError(Exception):
    """This file is no image that can be used; the text is the reason, in one line."""


@dataclass(frozen=True)
class Decoded:
    """An image as training sees it, and what its file was."""

    image: Image.Image  # RGB, upright, without metadata, longer side at most cache_side
    width: int  # of the file, upright, in pixels
    height: int
    mode: str  # Pillow's name of the file's pixel format
    format: str


def decode(file: BinaryIO, cache_side: int, max_pixels: int) -> Decoded:
    """Decode the first frame: upright, on white where transparent, scaled down to the cache's side.

    Raises UnreadableImageError if the file is no image, is damaged, or has over ``max_pixels``.
    """
    if not file.read(1):
        raise UnreadableImageError("an empty file")
    file.seek(0)
    try:
        with Image.open(file, formats=FORMATS) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise UnreadableImageError(
                    f"{width}x{height} pixels, above data.max_pixels={max_pixels}"
                )
            mode, kind = image.mode, image.format or ""
            turn = _TURNS.get(_orientation(image))
            target = fit(width, height, cache_side)
            # Lets the JPEG decoder scale down by a power of two, to no less than twice the target.
            image.draft(None, (2 * target[0], 2 * target[1]))
            image.load()
            rgb = _to_rgb(image)
    except UnidentifiedImageError:
        raise UnreadableImageError("not an image of a known format") from None
    except _DAMAGE as error:
        text = " ".join(str(error).split()) or type(error).__name__
        raise UnreadableImageError(f"damaged: {text[:200]}") from error
    if rgb.size != target:
        rgb = rgb.resize(target, Image.Resampling.LANCZOS)
    if turn is not None:
        rgb = rgb.transpose(turn)
        if turn in _SIDEWAYS:
            width, height = height, width
    rgb.info.clear()  # Pillow would write comments and profiles found here into the packs
    return Decoded(rgb, width, height, mode, kind)


_SIDEWAYS = (_TURNS[5], _TURNS[6], _TURNS[7], _TURNS[8])


def fit(width: int, height: int, side: int) -> tuple[int, int]:
    """Return the size with the same proportions whose longer side is at most ``side`` pixels."""
    scale = side / max(width, height)
    if scale >= 1:
        return width, height
    return max(1, round(width * scale)), max(1, round(height * scale))


def is_grey(rgb: Image.Image) -> bool:
    """Say whether the three channels are equal."""
    red, green, blue = rgb.split()
    return not (
        ImageChops.difference(red, green).getbbox() or ImageChops.difference(red, blue).getbbox()
    )


def channel_moments(rgb: Image.Image) -> tuple[list[float], list[float]]:
    """Return each channel's mean and mean square over the pixels, values in [0, 1]."""
    histogram = np.array(rgb.histogram(), dtype=np.float64).reshape(3, 256)
    values = np.arange(256) / 255
    count = rgb.width * rgb.height
    return (histogram @ values / count).tolist(), (histogram @ values**2 / count).tolist()


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation; 1, upright, where the EXIF block cannot be read."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except _DAMAGE:
        return 1
    return value if isinstance(value, int) else 1


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        return _from_16_bit(image).convert("RGB")
    if image.mode == "F":
        raise UnreadableImageError("floating-point pixels: their range is not known")
    if image.has_transparency_data:
        on_white = Image.new("RGBA", image.size, "white")
        on_white.alpha_composite(image.convert("RGBA"))
        return on_white.convert("RGB")
    # A copy, because what Image.open gave is closed by the caller.
    return image.copy() if image.mode == "RGB" else image.convert("RGB")


def _from_16_bit(image: Image.Image) -> Image.Image:
    """Scale 0..65535 to 0..255; Pillow's own conversion would cut off at 255."""
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise UnreadableImageError("32-bit pixels beyond 0..65535: their range is not known")
    return Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8))
