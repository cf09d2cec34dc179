"""The packs that a pipeline keeps: checked against the images, built where they are missing."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

from improve_git.datasets.dataset import DataSet
from improve_git.datasets.packs import build_packs, packs_size
from improve_git.datasets.scan import check_present, locate
from improve_git.domain import PARTS
from improve_git.errors import DataError
from improve_git.settings import DataSettings


def images_root(settings: DataSettings, state: Path) -> Path:
    """Return the folder that the entries' paths are relative to; DataError if it is not there."""
    return locate(settings.images, state / "digits")


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
    root = images_root(settings, state)
    check_present(data_set, root, cache=state / "images-seen.json")
    folder = packs_folder(data_set, state, settings)
    if are_ready(folder):
        return folder
    needed = packs_size(data_set, settings.cache_side)
    say(f"packing {len(data_set.entries):,} images, about {needed / 2**20:.0f} MiB on disk")
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            f"the packs need {needed / 2**30:.1f} GiB, {free / 2**30:.1f} GiB are free at {state}",
            "free some space, or make smaller packs with data.cache_side=256",
        )
    build_packs(data_set, root, folder, settings.cache_side)
    return folder
