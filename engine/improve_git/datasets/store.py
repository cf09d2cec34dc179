"""The packs that a pipeline keeps: checked against the images, built where they are missing."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from improve_git.datasets.dataset import DataSet
from improve_git.datasets.packs import build_packs, packs_size
from improve_git.datasets.scan import check_present, locate
from improve_git.domain import PARTS
from improve_git.errors import DataError
from improve_git.files import write_atomically
from improve_git.settings.schema import DataSettings

_WHERE = "images-at"  # the file with the place where the images were found last
_TELL = "if they lie elsewhere on this machine, say it once: improve-git run data.images=FOLDER"


def images_root(settings: DataSettings, state: Path) -> Path:
    """Return the folder that the entries' paths are relative to; DataError if it is not there.

    Where improve.yaml's place is not there, it is the one in which they were found before.
    """
    return _first_place(settings, state, lambda _: None)


def find_images(
    data_set: DataSet, settings: DataSettings, state: Path, cache: Path | None = None
) -> Path:
    """Return the folder that holds the very images of a data set, by their hashes.

    Raises:
        DataError: images are gone or changed since init, in every place that is known.
    """
    return _first_place(settings, state, lambda root: check_present(data_set, root, cache))


def _first_place(settings: DataSettings, state: Path, check: Callable[[Path], None]) -> Path:
    problems: list[DataError] = []
    for place in places_of(settings, state):
        try:
            root = locate(place, state / "digits")
            check(root)
            return root
        except DataError as error:
            problems.append(error)
    raise DataError(problems[0].message, f"{problems[0].fix}; {_TELL}")


def places_of(settings: DataSettings, state: Path) -> list[str]:
    """Return where the images may lie: where the settings say, then where they were found last."""
    return [settings.images, *_remembered(state)]


def packs_folder(data_set: DataSet, state: Path, settings: DataSettings) -> Path:
    """Return where a data set's packs are kept, whether they are there or not."""
    content = [[e.sha256, e.label, e.group, e.part] for e in data_set.entries]
    name = hashlib.sha256(json.dumps([content, settings.cache_side]).encode()).hexdigest()[:16]
    return state / "packs" / name


def are_ready(folder: Path) -> bool:
    """Say whether the packs of all parts are there."""
    return all((folder / part / "pack.json").exists() for part in PARTS)


def ready_packs(
    data_set: DataSet, state: Path, settings: DataSettings, say: Callable[[str], None]
) -> Path:
    """Return the folder of a data set's packs, one a part, building what is missing.

    Raises:
        DataError: images are gone or changed since init, or the disk is too small.
    """
    root = find_images(data_set, settings, state, cache=state / "images-seen.json")
    _remember(root, state)
    folder = packs_folder(data_set, state, settings)
    if are_ready(folder):
        return folder
    needed = packs_size(data_set, settings.cache_side)
    say(f"packing {len(data_set.entries):,} images, about {needed / 2**20:.1f} MiB on disk")
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            f"the packs need {needed / 2**30:.1f} GiB, {free / 2**30:.1f} GiB are free at {state}",
            "free some space, or make smaller packs with data.cache_side=256",
        )
    build_packs(data_set, root, folder, settings.cache_side)
    return folder


def _remember(root: Path, state: Path) -> None:
    """Keep where the images are, so that a clone has to be told once."""
    if root != state / "digits" and _remembered(state) != [str(root)]:
        write_atomically(state / _WHERE, os.fsencode(root))


def _remembered(state: Path) -> list[str]:
    with suppress(FileNotFoundError):
        return [os.fsdecode((state / _WHERE).read_bytes())]
    return []
