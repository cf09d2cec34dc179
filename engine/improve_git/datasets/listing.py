"""What a data set says of its files before any is opened: plain data."""

from dataclasses import dataclass
from pathlib import Path

from improve_git.domain import Part

MANIFESTS = (".csv", ".tsv", ".parquet")
PART_NAMES: dict[str, Part] = {
    "train": "train",
    "tune": "tune",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}


@dataclass(frozen=True)
class Found:
    """One file and what the data set says about it."""

    path: str  # relative to the root; bytes that are no UTF-8 as surrogate escapes
    label: str
    part: Part | None = None  # None: to be assigned
    group: str = ""


@dataclass(frozen=True)
class Listing:
    """A data set before its files were opened."""

    root: Path
    layout: str  # class-folders, split-folders, manifest or digits
    classes: tuple[str, ...]
    files: tuple[Found, ...]
    unlabelled: tuple[str, ...] = ()  # test images without labels
    ignored: tuple[str, ...] = ()  # names in the root that belong to no class
