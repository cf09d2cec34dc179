"""Data sets that are folders: one subfolder a class, or such folders under train, val and test."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from improve_git.datasets.listing import MANIFESTS, PART_NAMES, Found, Listing
from improve_git.domain import PARTS, Part
from improve_git.errors import DataError

_LITTER = frozenset({"Thumbs.db", "desktop.ini", "__MACOSX"})  # left by desktops and archivers


def find(root: Path, layout: str = "") -> Listing:
    """List the files of a folder. Raises DataError if it holds no classes or contradicts itself."""
    entries = list(_visible(root))
    folders = [entry.name for entry in entries if _is_folder(entry)]
    loose = [entry.name for entry in entries if not _is_folder(entry)]
    if not folders:
        raise _no_classes(root, loose)
    parts = {} if layout else _part_folders(root, folders)
    if parts:
        return _find_parts(root, parts, loose + [name for name in folders if name not in parts])
    _require_two(root, folders)
    classes, files = _find_classes(root, "", folders, None)
    return Listing(root, layout or "class-folders", classes, files, ignored=tuple(loose))


def class_order(names: set[str]) -> tuple[str, ...]:
    """Sort class names: by number where all are whole numbers, so that grades stay in order."""
    if all(name.isascii() and name.lstrip("-").isdigit() for name in names):
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names))


def _part_folders(root: Path, folders: Sequence[str]) -> dict[str, Part]:
    """Return the part of each split folder, or nothing where the folders are classes.

    A class may be called ``train`` (beside ``bus`` and ``car``). So it is a split only if it has
    subfolders, and is alone or has another part's folder beside it.
    """
    parts = {name: PART_NAMES[name.lower()] for name in folders if name.lower() in PART_NAMES}
    train = [name for name, part in parts.items() if part == "train"]
    if not train or not _subfolders(root / train[0]):
        return {}
    if len(parts) == 1 and len(folders) > 1:
        return {}
    for part in PARTS:
        same = [name for name, its in parts.items() if its == part]
        if len(same) > 1:
            raise DataError(
                f"the folders {' and '.join(map(repr, same))} are both the {part} part",
                "remove or rename one of them",
            )
    return parts


def _find_parts(root: Path, parts: dict[str, Part], ignored: list[str]) -> Listing:
    folder_of = {part: name for name, part in parts.items()}
    train = root / folder_of["train"]
    _require_two(train, _subfolders(train))
    classes, files = _find_classes(root, train.name, _subfolders(train), "train")
    unlabelled: list[str] = []
    for part in PARTS[1:]:
        if part not in folder_of:
            continue
        name = folder_of[part]
        folders = _subfolders(root / name)
        foreign = [folder for folder in folders if _as_text(folder) not in classes]
        if part == "test" and len(foreign) == len(folders):
            unlabelled = list(walk(root, name))
            continue
        if not folders:
            raise DataError(
                f"the folder {name!r} has no class folders",
                f"sort its images into the classes of {train.name!r}, or move it away",
            )
        if foreign:
            raise DataError(
                f"the class {foreign[0]!r} is in {name!r} and not in {train.name!r}",
                f"add images of it to {train.name!r}, or move it away",
            )
        files += _find_classes(root, name, folders, part)[1]
    return Listing(root, "split-folders", classes, files, tuple(unlabelled), tuple(ignored))


def _find_classes(
    root: Path, top: str, folders: Sequence[str], part: Part | None
) -> tuple[tuple[str, ...], tuple[Found, ...]]:
    files: list[Found] = []
    names: dict[str, str] = {}
    for folder in folders:
        label = _as_text(folder)
        if label in names:
            raise DataError(f"two class folders are called {label!r}", "rename one of them")
        names[label] = folder
        inner = str(Path(top) / folder)
        paths = list(walk(root, inner))
        if not paths:
            raise DataError(
                f"the class folder {inner!r} is empty",
                "add images to it or remove it",
            )
        files += [Found(path, label, part) for path in paths]
    return class_order(set(names)), tuple(files)


def walk(root: Path, top: str) -> Iterator[str]:
    """Yield the files below a folder, sorted, relative to the root.

    Links to folders are followed, each real folder once: a loop ends, and a copy is not doubled.
    """
    # The folders above count as seen: a link to them would bring in all other classes.
    seen = {_identity(root / above) for above in Path(top).parents}
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        identity = _identity(root / folder)
        if identity in seen:
            continue
        seen.add(identity)
        deeper: list[str] = []
        for entry in _visible(root / folder):
            path = str(Path(folder) / entry.name)
            if _is_folder(entry):
                deeper.append(path)
            else:
                yield path
        waiting += reversed(deeper)


def _identity(folder: Path) -> tuple[int, int]:
    about = folder.stat()
    return about.st_dev, about.st_ino


def _visible(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(
            f"the folder {str(folder)!r} cannot be read: {error.strerror}", "check its permissions"
        ) from error
    return (e for e in found if not e.name.startswith(".") and e.name not in _LITTER)


def _subfolders(folder: Path) -> list[str]:
    return [entry.name for entry in _visible(folder) if _is_folder(entry)]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads round in a circle
        return False


def _as_text(name: str) -> str:
    r"""Write bytes of a folder's name that are no UTF-8 as \xNN: labels are shown everywhere."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _no_classes(root: Path, loose: Sequence[str]) -> DataError:
    if not loose:
        return DataError(f"the folder {str(root)!r} is empty", "give one subfolder a class")
    manifests = [name for name in loose if name.lower().endswith(MANIFESTS)]
    fix = "sort the images into one subfolder a class, or give a manifest with image,label"
    if manifests:
        fix = f"name the manifest itself: {str(root / manifests[0])!r}"
    return DataError(f"{str(root)!r} has {len(loose)} files and no class folders", fix)


def _require_two(folder: Path, classes: Sequence[str]) -> None:
    if len(classes) > 1:
        return
    only = folder / classes[0]
    fix = "give one subfolder a class, two classes at least"
    if len(_subfolders(only)) > 1:
        fix = f"did you mean {str(only)!r}?"
    raise DataError(f"{str(folder)!r} has one class only, {classes[0]!r}", fix)
