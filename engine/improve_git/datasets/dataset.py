"""A data set that was read: what is in it, how it is divided, and its file ``dataset.json``."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Self

from improve_git.domain import PARTS, Part
from improve_git.errors import DataError

FORMAT = 1
_PROFILE = (  # what is counted on; see profile.make_profile
    "images", "classes", "class_counts", "parts", "part_class_counts", "imbalance", "width",
    "height", "modes", "grey", "mean", "std", "duplicates", "unreadable",
)  # fmt: skip
_HINT = "take the file back from Git, or make the pipeline anew with improve-git init"


@dataclass(frozen=True)
class Entry:
    """One image. ``path`` is relative; bytes that are no UTF-8 are surrogate escapes."""

    path: str
    sha256: str
    label: int  # index into the data set's classes
    part: Part
    group: str = ""  # "": none


@dataclass(frozen=True)
class DataSet:
    """A data set as it was read; the entries are sorted by (sha256, path)."""

    source: str  # as given: a path or the word digits
    layout: str  # class-folders, split-folders, manifest or digits
    classes: tuple[str, ...]
    entries: tuple[Entry, ...]
    profile: dict[str, Any]
    split: dict[str, Any]  # {"seed": 0, "fractions": {"tune": ...}, "given": False}
    unlabelled: tuple[str, ...] = ()  # paths of test images without labels, kept for predict

    @cached_property
    def fingerprint(self) -> str:
        """``sha256:...`` over the class names and each image's hash, label and group; no paths."""
        rows = sorted((entry.sha256, entry.label, entry.group) for entry in self.entries)
        text = json.dumps([self.classes, rows])
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"

    def part(self, part: Part) -> list[Entry]:
        """Return the entries of a part in the order of its pack."""
        return [entry for entry in self.entries if entry.part == part]

    def labels(self, part: Part) -> list[int]:
        """Return the labels of a part in the order of its pack. For the host only."""
        return [entry.label for entry in self.part(part)]

    def group_numbers(self) -> dict[str, int]:
        """Return an opaque number for each group, by its first image's place in the entries."""
        names = dict.fromkeys(entry.group for entry in self.entries if entry.group)
        return {name: number for number, name in enumerate(names)}

    def to_json(self) -> str:
        """Return the text of dataset.json: the same for the same data, one line an image."""
        head = {
            "format": FORMAT,
            "source": self.source,
            "layout": self.layout,
            "fingerprint": self.fingerprint,
            "split": self.split,
            "classes": self.classes,
        }
        lines = [f"{json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
        lines += ['"profile": {', *_rows(_members(self.profile)), "},"]
        entries = (json.dumps({f.name: getattr(e, f.name) for f in _FIELDS}) for e in self.entries)
        lines += ['"entries": [', *_rows(entries), "],"]
        lines += ['"unlabelled": [', *_rows(map(json.dumps, self.unlabelled)), "]"]
        return "\n".join(["{", *lines, "}", ""])

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read the text of dataset.json. Raises DataError if it is damaged or of another format."""
        try:
            content = json.loads(text)
            version = content["format"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DataError(f"dataset.json is damaged: {error}", _HINT) from error
        if version != FORMAT:
            newer = isinstance(version, int) and version > FORMAT
            old = "use the improve-git that made it, or make the pipeline anew: improve-git init"
            raise DataError(
                f"dataset.json has format {version!r}; this improve-git reads {FORMAT}",
                "install a newer improve-git" if newer else old,
            )
        try:
            data_set = cls(
                source=_typed(content["source"], str),
                layout=_typed(content["layout"], str),
                classes=tuple(_typed(name, str) for name in content["classes"]),
                entries=tuple(_entry(row) for row in content["entries"]),
                profile=_typed(content["profile"], dict),
                split=_typed(content["split"], dict),
                unlabelled=tuple(_typed(path, str) for path in content["unlabelled"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"dataset.json is damaged: {error}", _HINT) from error
        data_set._check(content.get("fingerprint"))
        return data_set

    def _check(self, fingerprint: object) -> None:
        missing = [key for key in _PROFILE if key not in self.profile]
        if missing:
            raise DataError(f"dataset.json is damaged: its profile has no {missing[0]!r}", _HINT)
        order = [(entry.sha256, entry.path) for entry in self.entries]
        if order != sorted(order):
            raise DataError("dataset.json is damaged: its images are not in order", _HINT)
        if not all(0 <= entry.label < len(self.classes) for entry in self.entries):
            raise DataError("dataset.json is damaged: a label has no class", _HINT)
        if fingerprint != self.fingerprint:
            raise DataError(
                "dataset.json was changed by hand: its fingerprint does not fit its images", _HINT
            )


_FIELDS = fields(Entry)


def _entry(row: Mapping[str, Any]) -> Entry:
    if row["part"] not in PARTS:
        raise ValueError(f"no part is called {row['part']!r}")
    return Entry(
        path=_typed(row["path"], str),
        sha256=_typed(row["sha256"], str),
        label=_typed(row["label"], int),
        part=row["part"],
        group=_typed(row["group"], str),
    )


def _typed(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{value!r:.50} should be a {kind.__name__}")
    return value


def _members(content: Mapping[str, Any]) -> Iterator[str]:
    return (f"{json.dumps(key)}: {json.dumps(value)}" for key, value in content.items())


def _rows(items: Iterator[str]) -> list[str]:
    rows = list(items)
    return [row + "," for row in rows[:-1]] + rows[-1:]
