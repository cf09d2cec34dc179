"""Whether a dataset.json tells the truth about the images at a place: bytes, labels, parts."""

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from improve_git.datasets import sources
from improve_git.datasets.dataset import DataSet, Entry
from improve_git.datasets.images import UnreadableImageError, decode
from improve_git.datasets.listing import Found, Listing
from improve_git.datasets.parallel import in_order
from improve_git.datasets.split import Item, split
from improve_git.domain import Part
from improve_git.errors import DataError, SettingsError
from improve_git.settings.schema import DataSettings

Progress = Callable[[int, int], None]  # files done, files in all


def differences(
    data_set: DataSet, settings: DataSettings, images: str, progress: Progress | None = None
) -> list[str]:
    """Return what is not as a data set says of its images; empty where all is.

    Every file is read, whatever caches say. Its pixels are not looked at, but those of files that
    the data set leaves out: they have to be unreadable, or copies.

    Args:
        data_set: as dataset.json has it.
        settings: what an image that can be read is.
        images: a folder, a manifest or ``digits``.
        progress: called after each file.

    Raises:
        DataError: there are no images at that place.
    """
    with tempfile.TemporaryDirectory() as folder:
        listing = sources.find(images, Path(folder) / sources.DIGITS)
        if listing.classes != data_set.classes:
            return ["the classes are others than those of dataset.json"]
        hashes: dict[str, str] = {}
        look = [found.path for found in listing.files]
        for path, sha256 in zip(look, in_order(lambda p: _sha256(listing.root / p), look),
                                strict=True):  # fmt: skip
            hashes[path] = sha256
            if progress:
                progress(len(hashes), len(look))
        left_out = list(_left_out(data_set, settings, listing, hashes))
    found = [*_wrong(data_set, listing, hashes), *_missing(left_out)]
    return found or list(_divided(data_set, listing, hashes, left_out))


def _wrong(data_set: DataSet, listing: Listing, hashes: Mapping[str, str]) -> Iterator[str]:
    """Yield entries that the files contradict, one line a kind."""
    told = {found.path: found for found in listing.files}
    kinds: dict[str, list[str]] = {}
    for entry in data_set.entries:
        if kind := _contradiction(entry, told.get(entry.path), data_set.classes, hashes):
            kinds.setdefault(kind, []).append(entry.path)
    for kind, paths in kinds.items():
        yield _line(paths, kind)


def _contradiction(
    entry: Entry, found: Found | None, classes: Sequence[str], hashes: Mapping[str, str]
) -> str:
    if found is None:
        return "is not there"
    if hashes[entry.path] != entry.sha256:
        return "has other bytes than dataset.json says"
    if found.label != classes[entry.label]:
        return "has another label than dataset.json says"
    if found.group != entry.group:
        return "has another group than dataset.json says"
    return ""


def _left_out(
    data_set: DataSet, settings: DataSettings, listing: Listing, hashes: Mapping[str, str]
) -> Iterator[tuple[Found, bool]]:
    """Yield readable files that are not in the data set, and whether each is a copy of one."""
    known = {entry.path for entry in data_set.entries}
    contents = {entry.sha256 for entry in data_set.entries}
    for found in listing.files:
        if found.path not in known and _is_readable(listing.root / found.path, settings):
            yield found, hashes[found.path] in contents


def _missing(left_out: Sequence[tuple[Found, bool]]) -> Iterator[str]:
    if paths := [found.path for found, is_copy in left_out if not is_copy]:
        yield _line(paths, "can be read and is not in dataset.json")


def _divided(
    data_set: DataSet,
    listing: Listing,
    hashes: Mapping[str, str],
    left_out: Sequence[tuple[Found, bool]],
) -> Iterator[str]:
    """Yield images that are in another part than the split puts them in."""
    known = {entry.path: entry.part for entry in data_set.entries}
    wanted: dict[str, Part | None] = {**known, **{found.path: None for found, _ in left_out}}
    label_of = {name: label for label, name in enumerate(data_set.classes)}
    files = [found for found in listing.files if found.path in wanted]
    items = [Item(hashes[f.path], label_of[f.label], f.group, f.part) for f in files]
    try:
        fractions: Mapping[Part, float] = {
            part: float(data_set.split["fractions"][part]) for part in ("tune", "val", "test")
        }
        parts = split(items, data_set.classes, fractions, int(data_set.split["seed"]))
    except (KeyError, TypeError, ValueError):
        yield "the split of dataset.json cannot be read"
        return
    except (DataError, SettingsError) as error:
        yield f"the split of dataset.json cannot be made: {error.message}"
        return
    moved = [f.path for f, part in zip(files, parts, strict=True) if wanted[f.path] != part]
    if moved:
        yield _line(moved, "is in another part than the split of dataset.json puts it in")


def _line(paths: Sequence[str], kind: str) -> str:
    others = f", and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{paths[0]!r} {kind}{others}"


def _sha256(path: Path) -> str:
    """Return the hash of a file's bytes; "" where it cannot be read."""
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _is_readable(path: Path, settings: DataSettings) -> bool:
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            decode(file, settings.cache_side, settings.max_pixels)
    except (UnreadableImageError, OSError):
        return False
    return True
