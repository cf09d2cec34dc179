"""Real image files for the tests, made by Pillow."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from improve_git.datasets.scan import read_data_set
from improve_git.settings.schema import DataSettings


def picture(seed: int, size: tuple[int, int] = (12, 10), mode: str = "RGB") -> Image.Image:
    """Return an image of noise: different seeds, different images."""
    shape = (size[1], size[0]) if mode == "L" else (size[1], size[0], 3)
    values = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    return Image.fromarray(values)


def save(path: Path, seed: int = 0, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(seed, **options).save(path)
    return path


def huge_png() -> bytes:
    """Return a file whose header promises 40,000 x 25,000 pixels, and little behind it."""
    buffer = io.BytesIO()
    picture(0, mode="L").save(buffer, "PNG")
    header = b"IHDR" + struct.pack(">IIBBBBB", 40_000, 25_000, 1, 0, 0, 0, 0)
    checked = header + struct.pack(">I", zlib.crc32(header))
    return buffer.getvalue()[:12] + checked + buffer.getvalue()[12 + len(checked) :]


def class_folders(root: Path, counts: dict[str, int], first: int = 0) -> Path:
    """Write so many PNG files into each class folder, all different."""
    for label, count in counts.items():
        for number in range(count):
            save(root / label / f"{number:03}.png", seed=first)
            first += 1
    return root


def read(source: Path | str, **settings: object):
    return read_data_set(str(source), DataSettings(**settings))
