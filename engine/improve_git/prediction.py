"""Labels for new images: which images, their probabilities, and the table that is written."""

import csv
import io
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from improve_git.errors import DataError, SandboxError
from improve_git.files import partial_prefix
from improve_git.iteration.trial import Bench
from improve_git.pipeline import Snapshot

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FOLDER = "folder"  # marks what a prediction of new images starts, apart from a run
PACK_IMAGES = 20_000  # packed and predicted at once: bounds the disk, and a pack's deadline
_ROWS_SHOWN = 3


@dataclass(frozen=True)
class Images:
    """The images of a folder; paths are relative to it."""

    folder: Path
    readable: tuple[str, ...]
    unreadable: tuple[tuple[str, str], ...]  # path, reason


@dataclass(frozen=True)
class Sample:
    """A sample submission: what is asked for, in which order, in which columns."""

    header: tuple[str, ...]
    ids: tuple[str, ...]


def find_images(
    folder: Path, cache_side: int, max_pixels: int, progress: Callable[[int, int], None]
) -> Images:
    """Look at every file below a folder, decoding each once.

    Raises:
        DataError: there is no such folder, or no image in it can be read.
    """
    from improve_git.datasets.folders import walk
    from improve_git.datasets.images import UnreadableImageError, decode
    from improve_git.datasets.parallel import in_order

    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder", "name a folder of images")
    paths = sorted(walk(folder, ""))

    def look(path: str) -> str:
        try:
            if not (folder / path).is_file():  # opening a pipe would wait for ever
                return "not a regular file"
            with (folder / path).open("rb") as file:
                decode(file, cache_side, max_pixels)
        except (UnreadableImageError, OSError) as error:
            return str(error)
        return ""

    reasons = []
    for done, reason in enumerate(in_order(look, paths), 1):
        reasons.append(reason)
        progress(done, len(paths))
    seen = list(zip(paths, reasons, strict=True))
    readable = tuple(path for path, reason in seen if not reason)
    unreadable = tuple((path, reason) for path, reason in seen if reason)
    if not readable:
        why = f": {unreadable[0][0]!r} is {unreadable[0][1]}" if unreadable else ""
        raise DataError(f"{folder} has no image that can be read{why}", "name a folder of images")
    return Images(folder, readable, unreadable)


def predict(bench: Bench, snapshot: Snapshot, images: Images) -> "NDArray[np.float64]":
    """Return the probabilities, shape (images, classes), in the order of the images.

    The snapshot's trained weights must be there.

    Raises:
        SandboxError: the prediction did not end well.
    """
    import tempfile

    import numpy as np
    from scipy.special import softmax

    from improve_git.datasets.packs import pack_images

    data = snapshot.settings.data
    found = []
    state = bench.pipeline.state
    with tempfile.TemporaryDirectory(prefix=partial_prefix("predict"), dir=state) as scratch:
        Path(scratch).chmod(0o755)  # a sandbox reads it as another user
        for start in range(0, len(images.readable), PACK_IMAGES):
            pack = Path(scratch) / f"pack-{start}"
            paths = [images.folder / path for path in images.readable[start : start + PACK_IMAGES]]
            pack_images(paths, pack, data.cache_side, data.max_pixels)
            outcome, logits = bench.predict(snapshot, pack, FOLDER)
            if outcome.status != "ok":
                fix = "give it more time: budget.predict_seconds=3600"
                raise SandboxError(
                    f"the prediction ended as {outcome.status}: {outcome.reason}",
                    fix if outcome.status == "timeout" else "see: improve-git doctor",
                )
            found.append(softmax(np.asarray(logits, dtype=np.float64), axis=1))
    return np.concatenate(found)


def table(images: Images, classes: Sequence[str], probabilities: "NDArray[np.float64]") -> bytes:
    """Return the predictions as CSV: the image, its label, a column ``p_CLASS`` for each class."""
    rows = [["image", "label", *(f"p_{name}" for name in classes)]]
    for path, row in zip(images.readable, probabilities.tolist(), strict=True):
        rows.append([path, _label(classes, row), *map(_figure, row)])
    return _csv(rows)


def read_sample(path: Path, classes: Sequence[str]) -> Sample:
    """Read the header and ids of a sample submission.

    Its first column is the id; either one more follows, the label, or one for each class, named
    as the class is (``p_`` before it is allowed).

    Raises:
        DataError: it cannot be read, or its columns are neither.
    """
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            rows = [row for row in csv.reader(file) if row]
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", "name a CSV file") from error
    except csv.Error as error:
        raise DataError(f"{path} is no CSV file: {error}", "name a CSV file") from error
    if len(rows) < 2:
        raise DataError(f"{path} has no rows", "give a header and a row for each image")
    header = tuple(rows[0])
    if any("\0" in name or not name.isprintable() for name in header):
        raise DataError(f"{path} is no CSV file in UTF-8", "name a CSV file in UTF-8")
    unknown = [name for name in header[1:] if _class_of(name, classes) is None]
    if len(header) < 2 or (len(header) > 2 and unknown):
        problem = f"no class is called {unknown[0]!r}" if unknown else "it has one column only"
        raise DataError(
            f"{path} does not fit this pipeline: {problem}",
            f"its columns must be an id and a label, or an id and classes: {', '.join(classes)}",
        )
    ids = tuple(row[0] for row in rows[1:])
    if len(set(ids)) < len(ids):
        twice = next(name for name in ids if ids.count(name) > 1)
        raise DataError(f"{path} asks for {twice!r:.60} twice", "keep one row for each image")
    return Sample(header, ids)


def asked_for(sample: Sample, images: Images) -> Images:
    """Return those images that a sample asks for.

    An id is an image's path, its name, or either without the extension.

    Raises:
        DataError: a row has no image, or several.
    """
    wanted = sorted(set(_places(sample, images)))
    return replace(images, readable=tuple(images.readable[index] for index in wanted))


def submission(
    sample: Sample,
    images: Images,
    classes: Sequence[str],
    probabilities: "NDArray[np.float64]",
) -> bytes:
    """Return the predictions as CSV in the sample's order and columns."""
    asked = [_class_of(name, classes) for name in sample.header[1:]]
    rows: list[list[str]] = [list(sample.header)]
    for name, place in zip(sample.ids, _places(sample, images), strict=True):
        row: list[Any] = probabilities[place].tolist()
        if None in asked:
            rows.append([name, _label(classes, row)])
        else:
            rows.append([name, *(_figure(row[index]) for index in asked if index is not None)])
    return _csv(rows)


def _places(sample: Sample, images: Images) -> list[int]:
    """Return for each row of a sample the index of its image."""
    places: dict[str, set[int]] = {}
    for index, path in enumerate(images.readable):
        for name in _names(path):
            places.setdefault(name, set()).add(index)
    exact = {path: index for index, path in enumerate(images.readable)}
    unreadable = {name: reason for path, reason in images.unreadable for name in _names(path)}
    found: list[int] = []
    missing: list[str] = []
    for name in sample.ids:
        indices = {exact[name]} if name in exact else places.get(name, set())
        if len(indices) > 1:
            one, other = sorted(images.readable[index] for index in indices)[:2]
            raise DataError(
                f"the id {name!r} means several images: {one!r} and {other!r}",
                "put them into folders of their own, or write paths as ids",
            )
        if indices:
            found.extend(indices)
        else:
            missing.append(name)
    if missing:
        why = unreadable.get(missing[0])
        names = ", ".join(map(repr, missing[:_ROWS_SHOWN]))
        more = f" and {len(missing) - _ROWS_SHOWN} more" if len(missing) > _ROWS_SHOWN else ""
        raise DataError(
            f"no image in {images.folder} for the id {names}{more}" + (f": {why}" if why else ""),
            "put the image there, or take the row out of the sample",
        )
    return found


def _names(path: str) -> set[str]:
    name = path.rpartition("/")[2]
    return {path, os.path.splitext(path)[0], name, os.path.splitext(name)[0]}  # noqa: PTH122


def _class_of(column: str, classes: Sequence[str]) -> int | None:
    for name in (column, column.removeprefix("p_")):
        if name in classes:
            return classes.index(name)
    return None


def _label(classes: Sequence[str], row: Sequence[float]) -> str:
    return classes[max(range(len(row)), key=row.__getitem__)]


def _figure(probability: float) -> str:
    return f"{probability:.6f}"


def _csv(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "surrogateescape")
