"""Where the images of a data set lie and what is said about each, before any is opened."""

from dataclasses import dataclass
from pathlib import Path

from improve_git.domain import Part
from improve_git.errors import DataError

DIGITS = "digits"  # the word for the embedded sample; a folder of that name is "./digits"
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


def find(images: str, digits_folder: Path | None = None) -> Listing:
    """Understand a folder, a manifest or the word ``digits``.

    ``digits_folder`` is where the digits' files are or go. Raises DataError.
    """
    from improve_git.datasets import folders, manifest

    if images == DIGITS and digits_folder is None:
        raise ValueError("the digits need a folder")
    root = locate(images, digits_folder or Path())
    if images == DIGITS:
        return folders.find(root, layout=DIGITS)
    if Path(images).is_file():
        return manifest.find(Path(images))
    return folders.find(root)


def locate(source: str, root_for_digits: Path) -> Path:
    """Return the folder that a data set's paths are relative to.

    For ``digits`` that is ``root_for_digits``, and files missing there are written first.
    Raises DataError if the folder or manifest is not there.
    """
    if source == DIGITS:
        from improve_git.datasets import digits

        digits.write(root_for_digits)
        return root_for_digits
    if not source:
        raise DataError("no images given", "name a folder of images, a manifest or the word digits")
    path = Path(source).absolute()
    if path.is_dir():
        return path
    if path.suffix.lower() in MANIFESTS and path.is_file():
        return path.parent
    if path.is_file():
        raise DataError(
            f"{source!r} is neither a folder nor a manifest",
            "name a folder of images or a .csv, .tsv or .parquet manifest; unpack archives first",
        )
    raise DataError(f"there are no images at {source!r}", "check the path; is the disk mounted?")
