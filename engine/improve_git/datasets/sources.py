"""Where the images of a data set lie: a folder, a manifest or the word ``digits``."""

from pathlib import Path

from improve_git.datasets import folders, manifest
from improve_git.datasets.listing import MANIFESTS, Listing
from improve_git.errors import DataError

DIGITS = "digits"  # the word for the embedded sample; a folder of that name is "./digits"


def find(images: str, digits_folder: Path | None = None) -> Listing:
    """Understand a folder, a manifest or the word ``digits``.

    ``digits_folder`` is where the digits' files are or go. Raises DataError.
    """
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
