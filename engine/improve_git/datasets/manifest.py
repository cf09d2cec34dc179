"""Data sets listed in a CSV or Parquet file: columns image, label and optionally split, group."""

import csv
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from improve_git.datasets.folders import class_order
from improve_git.datasets.listing import PART_NAMES, Found, Listing
from improve_git.domain import Part
from improve_git.errors import DataError

_COLUMNS = ("image", "label", "split", "group")
_LIST_OPENERS = ("[", "{", "(")
_LONGEST = 4096  # characters of a value; no path on Linux is longer
_SEPARATORS = ("|", ";", ",")


@dataclass(frozen=True)
class _Row:
    where: str  # "line 7" of a CSV file, "row 6" of a Parquet file
    image: str
    label: str
    part: Part | None
    group: str


def find(manifest: Path) -> Listing:
    """List the images of a manifest; its paths are relative to its own folder.

    Raises DataError for missing columns or files, paths that lead out of the folder, an image
    listed twice with different words, and labels that are lists or numbers to be predicted.
    """
    root = manifest.absolute().parent
    real_root = root.resolve()
    listed: dict[str, _Row] = {}
    missing: list[_Row] = []
    for row in _rows(manifest):
        path = _inside(real_root, row)
        if path is None:
            missing.append(row)
            continue
        before = listed.setdefault(path, row)
        if (before.label, before.part, before.group) != (row.label, row.part, row.group):
            raise DataError(
                f"{manifest.name} lists {row.image!r} twice with different words: "
                f"{before.where} and {row.where}",
                "give each image one row; several labels an image are not supported",
            )
    if missing:
        raise DataError(
            f"{manifest.name} names {len(missing)} images that are not there, first "
            f"{missing[0].image!r} ({missing[0].where})",
            f"paths are relative to {str(root)!r}; add the files or remove the rows",
        )
    if not listed:
        raise DataError(f"{manifest.name} has no rows", "list one image a row")
    labelled = {path: row for path, row in listed.items() if row.label}
    _check_labels(manifest, [row.label for row in labelled.values()])
    _check_complete(manifest, listed)
    labels = {row.label: _whole(row.label) for row in labelled.values()}
    if len(set(labels.values())) < 2:
        raise DataError(
            f"{manifest.name} has fewer than two classes: {sorted(set(labels.values()))}",
            "list images of two classes at least",
        )
    return Listing(
        root,
        "manifest",
        class_order(set(labels.values())),
        tuple(Found(p, labels[row.label], row.part, row.group) for p, row in labelled.items()),
        unlabelled=tuple(path for path, row in listed.items() if not row.label),
    )


def _rows(manifest: Path) -> Iterator[_Row]:
    read = _read_parquet if manifest.suffix.lower() == ".parquet" else _read_csv
    for where, values in read(manifest):
        image, label, split, group = (_text(manifest, where, values.get(c)) for c in _COLUMNS)
        label, split = label.strip(), split.strip().lower()
        _check_text(manifest, label + split + group)
        if not image:
            raise DataError(f"{manifest.name}, {where}: no image is named", "remove the row")
        if split and split not in PART_NAMES:
            raise DataError(
                f"{manifest.name}, {where}: {split!r} is no part",
                f"write one of {', '.join(PART_NAMES)} under split",
            )
        yield _Row(where, image, label, PART_NAMES[split] if split else None, group)


def _check_text(manifest: Path, text: str) -> None:
    """Refuse names that are no UTF-8: they would come out as nonsense everywhere."""
    if "\0" in text or any("\udc80" <= character <= "\udcff" for character in text):
        raise DataError(f"{manifest.name} is not in UTF-8", "save it as CSV in UTF-8")


def _read_csv(manifest: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    delimiter = "\t" if manifest.suffix.lower() == ".tsv" else ","
    # File names may be bytes that are no UTF-8; the escapes lead back to the same bytes.
    with manifest.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter)
        try:
            header = [name.strip().lower() for name in next(reader, [])]
            _check_text(manifest, "".join(header))
            _check_header(manifest, header)
            for values in reader:
                where = f"line {reader.line_num}"
                if len(values) > len(header):
                    raise DataError(
                        f"{manifest.name}, {where}: {len(values)} values under {len(header)} "
                        "columns",
                        "put text that contains the delimiter in double quotes",
                    )
                if values:
                    yield where, dict(zip(header, values, strict=False))
        except csv.Error as error:
            raise DataError(
                f"{manifest.name}, line {reader.line_num}: {error}", "write it as plain CSV"
            ) from error


def _read_parquet(manifest: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    import pyarrow
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(manifest)
        names = {name.strip().lower(): name for name in file.schema_arrow.names}
        _check_header(manifest, list(names))
        wanted = {column: names[column] for column in _COLUMNS if column in names}
        rows = file.read(columns=list(wanted.values())).to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(
            f"{manifest.name} cannot be read as Parquet: {' '.join(str(error).split())[:200]}",
            "write it again",
        ) from error
    for number, row in enumerate(rows):
        yield f"row {number}", {column: row[name] for column, name in wanted.items()}


def _check_header(manifest: Path, header: list[str]) -> None:
    lacking = [column for column in ("image", "label") if column not in header]
    if lacking:
        raise DataError(
            f"{manifest.name} has no column {' and no column '.join(lacking)}; "
            f"it has {', '.join(header[:20]) or 'none'}",
            "the columns are image, label and optionally split, group; one label an image",
        )


def _text(manifest: Path, where: str, value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):  # so pandas writes a gap
        return ""
    if isinstance(value, list | dict | tuple):
        raise DataError(
            f"{manifest.name}, {where}: a value is a list or a structure",
            "name one file and one label a row; several labels an image are not supported",
        )
    text = os.fsdecode(value) if isinstance(value, bytes) else str(value)
    if len(text) > _LONGEST:
        raise DataError(
            f"{manifest.name}, {where}: a value is {len(text)} characters long",
            "name files, labels and groups; images inside the manifest are not supported",
        )
    return text


def _inside(real_root: Path, row: _Row) -> str | None:
    """Return the path relative to the root with links resolved; None if no file is there."""
    try:
        real = (real_root / row.image).resolve()
    except (OSError, RuntimeError, ValueError):  # a loop of links, a null character
        return None
    if not real.is_relative_to(real_root):
        raise DataError(
            f"{row.where}: {row.image!r} leads out of the manifest's folder",
            "put the images below the manifest",
        )
    return str(real.relative_to(real_root)) if real.is_file() else None


def _check_complete(manifest: Path, listed: Mapping[str, _Row]) -> None:
    """A row without a label is for predict only; a split is given for all rows or none."""
    for row in listed.values():
        if not row.label and row.part != "test":
            raise DataError(
                f"{manifest.name}, {row.where}: {row.image!r} has no label",
                "add it; only rows whose split is test may go without",
            )
    labelled = [row for row in listed.values() if row.label]
    given = [row for row in labelled if row.part]
    if given and len(given) < len(labelled):
        row = next(row for row in labelled if not row.part)
        raise DataError(
            f"{manifest.name}, {row.where}: no split is given, as it is for other rows",
            "write train, or leave the column out",
        )


def _check_labels(manifest: Path, labels: list[str]) -> None:
    """Refuse what is not one class an image: lists of labels, and quantities."""
    distinct = set(labels)
    several = next((label for label in sorted(distinct) if _is_list(label, distinct)), None)
    if several is not None:
        raise DataError(
            f"{manifest.name} has several labels an image, such as {several!r}: "
            "multi-label is not supported",
            "give each image one label",
        )
    numbers = [_number(label) for label in distinct]
    fractions = all(n is not None for n in numbers) and any(n != int(n) for n in numbers if n)
    if fractions or (len(labels) >= 20 and len(distinct) > len(labels) / 2):
        raise DataError(
            f"{manifest.name} has {len(distinct)} different labels in {len(labels)} rows, such as "
            f"{min(distinct)!r}: a quantity or a name for each image; regression is not supported",
            "give each image the name of its class",
        )


def _is_list(label: str, labels: set[str]) -> bool:
    r"""Say whether a label is a list, such as ``['cat', 'dog']`` or ``cat|dog``.

    A class may well be called ``tench, Tinca tinca``; so a separator counts only if every piece
    of the label is a label of its own or a piece of another one.
    """
    if label.startswith(_LIST_OPENERS) and label.endswith(("]", "}", ")")):
        return True
    for separator in _SEPARATORS:
        pieces = {piece.strip() for piece in label.split(separator)}
        if len(pieces) < 2:
            continue
        others = {p.strip() for other in labels - {label} for p in other.split(separator)}
        if pieces <= others:
            return True
    return False


def _number(label: str) -> float | None:
    try:
        value = float(label)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


def _whole(label: str) -> str:
    """Write ``3.0`` as ``3``: a column of whole numbers with a gap becomes one of fractions."""
    number = _number(label)
    whole = number is not None and "." in label and number == int(number)
    return str(int(number)) if number is not None and whole else label
