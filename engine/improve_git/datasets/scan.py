"""Reading a data set: every file is opened, hashed and decoded once."""

import hashlib
import json
import stat
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path

from improve_git.datasets import sources
from improve_git.datasets.dataset import DataSet, Entry
from improve_git.datasets.images import (
    UnreadableImageError,
    channel_moments,
    decode,
    is_grey,
)
from improve_git.datasets.listing import Found, Listing
from improve_git.datasets.parallel import in_order
from improve_git.datasets.profile import Facts, Unreadable, make_profile
from improve_git.datasets.sources import locate
from improve_git.datasets.split import Item, split
from improve_git.domain import Part
from improve_git.errors import DataError
from improve_git.files import write_atomically
from improve_git.settings.schema import DataSettings

__all__ = ["Progress", "check_present", "locate", "read_data_set"]

Progress = Callable[[int, int], None]  # files done, files in all


def read_data_set(
    images: str,
    settings: DataSettings,
    progress: Progress | None = None,
    digits_folder: Path | None = None,
) -> DataSet:
    """Read, check, divide and profile the images at a path, or ``digits``.

    ``digits_folder`` is where the digits' files are or go; None writes them to a temporary folder,
    which is enough to look at them. Raises DataError, and SettingsError for impossible fractions.
    """
    with ExitStack() as stack:
        if digits_folder is None and images == sources.DIGITS:
            temporary = stack.enter_context(tempfile.TemporaryDirectory())
            digits_folder = Path(temporary) / sources.DIGITS
        listing = sources.find(images, digits_folder)
        look = partial(_look, listing.root, settings)
        seen: list[Facts | Unreadable] = []
        for result in in_order(look, [found.path for found in listing.files]):
            seen.append(result)
            if progress:
                progress(len(seen), len(listing.files))
    readable = [
        (found, facts)
        for found, facts in zip(listing.files, seen, strict=True)
        if isinstance(facts, Facts)
    ]
    unreadable = [result for result in seen if isinstance(result, Unreadable)]
    _check_unreadable(len(seen), unreadable, settings.max_unreadable)
    return _divide(images, settings, listing, readable, unreadable)


def check_present(
    data_set: DataSet, root: Path, cache: Path | None = None, progress: Progress | None = None
) -> None:
    """Raise DataError if an image is gone or has other bytes than when the data set was read.

    ``cache`` is a file that remembers sizes and times of files found right, so that the next
    check opens only what was touched since.
    """
    known = _read_cache(cache)

    def look(entry: Entry) -> tuple[str, list[object]]:
        path = root / entry.path
        try:
            about = path.stat()
            mark: list[object] = [about.st_size, about.st_mtime_ns, entry.sha256]
            if known.get(entry.path) == mark:
                return "", mark
            with path.open("rb") as file:
                same = hashlib.file_digest(file, "sha256").hexdigest() == entry.sha256
        except FileNotFoundError:
            return "is gone", []
        except OSError as error:
            return f"cannot be read ({error.strerror})", []
        return "" if same else "has changed", mark

    marks: dict[str, list[object]] = {}
    wrong: list[tuple[str, str]] = []
    for done, (entry, (problem, mark)) in enumerate(
        zip(data_set.entries, in_order(look, data_set.entries), strict=True), 1
    ):
        if problem:
            wrong.append((entry.path, problem))
        else:
            marks[entry.path] = mark
        if progress:
            progress(done, len(data_set.entries))
    if wrong:
        (path, problem), more = wrong[0], len(wrong) - 1
        others = f", and {more} more images are gone or changed" if more else ""
        raise DataError(
            f"the image {path!r} {problem} since init{others}",
            f"restore it below {str(root)!r}, or make a new pipeline for the new images",
        )
    if cache is not None and marks != known:
        write_atomically(cache, json.dumps(marks))


def _read_cache(cache: Path | None) -> dict[str, object]:
    try:
        content = json.loads(cache.read_text()) if cache else {}
    except (OSError, ValueError):  # not there yet, or damaged: all is looked at again
        return {}
    return content if isinstance(content, dict) else {}


def _look(root: Path, settings: DataSettings, path: str) -> Facts | Unreadable:
    try:
        about = (root / path).stat()
        if not stat.S_ISREG(about.st_mode):  # opening a pipe would wait for ever
            return Unreadable(path, "not a regular file")
        with (root / path).open("rb") as file:
            decoded = decode(file, settings.cache_side, settings.max_pixels)
            file.seek(0)
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except UnreadableImageError as error:
        return Unreadable(path, str(error))
    except FileNotFoundError:
        return Unreadable(path, "a link that leads nowhere")
    except OSError as error:
        return Unreadable(path, error.strerror or str(error))
    means, squares = channel_moments(decoded.image)
    return Facts(
        sha256,
        decoded.width,
        decoded.height,
        decoded.mode,
        decoded.format,
        is_grey(decoded.image),
        means,
        squares,
    )


def _check_unreadable(total: int, unreadable: Sequence[Unreadable], most: float) -> None:
    if len(unreadable) <= most * total:
        return
    first = unreadable[0]
    raise DataError(
        f"{len(unreadable)} of {total} files are not readable as images, first {first.path!r}: "
        f"{first.reason}",
        f"remove them, or accept more with data.max_unreadable={_share(len(unreadable), total)}",
    )


def _share(count: int, total: int) -> float:
    """Round up to two digits, so that the advice works."""
    return -(-count * 100 // total) / 100


def _divide(
    images: str,
    settings: DataSettings,
    listing: Listing,
    readable: Sequence[tuple[Found, Facts]],
    unreadable: Sequence[Unreadable],
) -> DataSet:
    label_of = {name: label for label, name in enumerate(listing.classes)}
    items = [
        Item(facts.sha256, label_of[found.label], found.group, found.part)
        for found, facts in readable
    ]
    fractions: Mapping[Part, float] = {
        "tune": settings.split.tune,
        "val": settings.split.val,
        "test": settings.split.test,
    }
    parts = split(items, listing.classes, fractions, settings.split_seed)
    kept: list[tuple[Entry, Facts]] = []
    for (found, facts), item, part in zip(readable, items, parts, strict=True):
        if part:
            entry = Entry(found.path, item.sha256, item.label, part, item.group)
            kept.append((entry, facts))
    kept.sort(key=lambda pair: (pair[0].sha256, pair[0].path))
    profile = make_profile(listing, kept, unreadable)
    profile["leaks"] = len(readable) - len(kept)
    return DataSet(
        source=images,
        layout=listing.layout,
        classes=listing.classes,
        entries=tuple(entry for entry, _ in kept),
        profile=profile,
        split={
            "seed": settings.split_seed,
            "fractions": asdict(settings.split),
            "given": any(item.part for item in items),
        },
        unlabelled=listing.unlabelled,
    )
