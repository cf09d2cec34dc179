"""Packs: the images of one part as a sandbox sees them, without names, metadata or order.

A pack is a folder: ``pack.json`` says what is in it; images of one size are one mapped array,
others clean encodings one after the other; labels and groups are there where training needs them.
The images follow their files' hashes, which tell nothing about labels.
"""

import hashlib
import io
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from improve_git.datasets.dataset import DataSet, Entry
from improve_git.datasets.images import LOSSY, Decoded, UnreadableImageError, decode, fit, is_grey
from improve_git.datasets.parallel import in_order
from improve_git.domain import PARTS, Part
from improve_git.errors import DataError
from improve_git.files import new_folder

FORMAT = 1
LABELLED: tuple[Part, ...] = ("train", "tune")  # val and test must not tell their labels
LARGEST_ARRAY = 256 * 2**20  # bytes of one part; above that, images are encoded
_QUALITY = 95
# Measured on elpv: a third of the time of the default level 6, for a tenth more bytes.
_PNG_LEVEL = 3
# Bytes a pixel of photographs: JPEG at that quality, PNG; for the estimate of the disk needed.
_JPEG_COST, _PNG_COST = 0.7, 2.0
_Item = TypeVar("_Item")
_UNLIMITED = 2**62  # pixels: what is packed was let through when the data set was read


def build_packs(
    data_set: DataSet,
    root: Path,
    folder: Path,
    cache_side: int,
    *,
    parts: Sequence[Part] = PARTS,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write the packs of the parts to ``folder/PART``, each at once; those there are kept.

    Raises DataError if an image is gone or changed since the data set was read.
    """
    missing = [part for part in parts if not (folder / part).is_dir()]
    folder.mkdir(parents=True, exist_ok=True)
    total = sum(len(data_set.part(part)) for part in missing)
    done = 0
    numbers = data_set.group_numbers()
    for part in missing:
        entries = data_set.part(part)
        labels = {}
        if part in LABELLED:
            labels["labels"] = np.array([entry.label for entry in entries], dtype=np.int64)
            groups = [numbers.get(entry.group, -1) for entry in entries]
            labels["groups"] = np.array(groups, dtype=np.int64)

        def read(entry: Entry) -> Decoded:
            return _decode_entry(root, cache_side, entry)

        with new_folder(folder / part) as pack:
            size = _array_size(data_set, part, cache_side)
            for _ in _write(pack, read, entries, size, labels):
                done += 1
                if progress:
                    progress(done, total)


def pack_images(
    paths: Sequence[Path], folder: Path, cache_side: int, max_pixels: int = 100_000_000
) -> None:
    """Write an unlabelled pack of any images in the given order, for ``predict``.

    ``folder`` must not exist. Raises DataError naming the first image that cannot be read.
    """

    def read(path: Path) -> Decoded:
        try:
            if path.exists() and not path.is_file():  # opening a pipe would wait for ever
                raise UnreadableImageError("not a regular file")
            with path.open("rb") as file:
                return decode(file, cache_side, max_pixels)
        except (UnreadableImageError, OSError) as error:
            raise DataError(
                f"the image {str(path)!r} cannot be read: {error}", "remove or replace it"
            ) from error

    with new_folder(folder) as pack:
        for _ in _write(pack, read, paths, None, {}):
            pass


def packs_size(data_set: DataSet, cache_side: int) -> int:
    """Estimate the bytes that the packs of all parts take on disk."""
    return sum(_part_size(data_set, part, cache_side) for part in PARTS)


def _decode_entry(root: Path, cache_side: int, entry: Entry) -> Decoded:
    """Decode the very bytes that were read at init, or raise DataError."""
    try:
        with (root / entry.path).open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == entry.sha256:
                file.seek(0)
                return decode(file, cache_side, _UNLIMITED)
        problem = "has changed since init"
    except FileNotFoundError:
        problem = "is gone since init"
    except (UnreadableImageError, OSError) as error:
        problem = f"cannot be read: {error}"
    raise DataError(
        f"the image {entry.path!r} {problem}",
        f"restore it below {str(root)!r}, or make a new pipeline for the new images",
    )


def _write(
    pack: Path,
    read: Callable[[_Item], Decoded],
    items: Sequence[_Item],
    size: tuple[int, int] | None,
    labels: dict[str, np.ndarray[Any, Any]],
) -> Iterator[None]:
    """Write a pack, yielding after each image; an array where all have one ``size``."""
    if size:
        yield from _write_array(pack, in_order(read, items), len(items), size)
    else:
        encoded = in_order(lambda item: _encode(read(item)), items)
        yield from _write_encoded(pack, encoded, len(items))
    for name, values in labels.items():
        np.save(pack / f"{name}.npy", values)
    about = {
        "format": FORMAT,
        "count": len(items),
        "kind": "array" if size else "encoded",
        "labelled": bool(labels),
    }
    (pack / "pack.json").write_text(json.dumps(about) + "\n")


def _write_array(
    pack: Path, decoded: Iterator[Decoded], count: int, size: tuple[int, int]
) -> Iterator[None]:
    width, height = size
    array = np.lib.format.open_memmap(
        pack / "images.npy", mode="w+", dtype=np.uint8, shape=(count, height, width, 3)
    )
    for number, one in enumerate(decoded):
        array[number] = np.asarray(one.image)
        yield
    array.flush()


def _write_encoded(pack: Path, encoded: Iterator[bytes], count: int) -> Iterator[None]:
    offsets = np.zeros(count + 1, dtype=np.int64)
    with (pack / "images.bin").open("wb") as file:
        for number, data in enumerate(encoded):
            file.write(data)
            offsets[number + 1] = file.tell()
            yield
    np.save(pack / "offsets.npy", offsets)


def _encode(decoded: Decoded) -> bytes:
    """Encode without loss, except what came from JPEG and was scaled down anyway."""
    buffer = io.BytesIO()
    # One channel of three equal ones takes half the time to decode, once in every epoch.
    image = decoded.image.getchannel(0) if is_grey(decoded.image) else decoded.image
    scaled = max(decoded.width, decoded.height) > max(decoded.image.size)
    if decoded.format in LOSSY and scaled:
        image.save(buffer, "JPEG", quality=_QUALITY, subsampling=0)
    else:
        image.save(buffer, "PNG", compress_level=_PNG_LEVEL)
    return buffer.getvalue()


def _array_size(data_set: DataSet, part: Part, cache_side: int) -> tuple[int, int] | None:
    """Return the one size of all images where the part is small enough for an array."""
    width, height = data_set.profile["width"], data_set.profile["height"]
    if width["min"] != width["max"] or height["min"] != height["max"]:
        return None
    size = fit(width["max"], height["max"], cache_side)
    count = data_set.profile["parts"][part]
    return size if count * size[0] * size[1] * 3 <= LARGEST_ARRAY else None


def _part_size(data_set: DataSet, part: Part, cache_side: int) -> int:
    profile = data_set.profile
    width, height = profile["width"]["median"], profile["height"]["median"]
    size = fit(width, height, cache_side)
    pixels: int = profile["parts"][part] * size[0] * size[1]
    if _array_size(data_set, part, cache_side):
        return pixels * 3
    lossy = sum(profile["formats"].get(name, 0) for name in LOSSY) / profile["images"]
    if size == (width, height):
        lossy = 0.0
    cost: float = _JPEG_COST * lossy + _PNG_COST * (1 - lossy)
    return round(pixels * (cost / 3 if profile["grey"] else cost))
