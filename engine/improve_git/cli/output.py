"""Where commands write a file that the user names: over an older one of theirs, and no other."""

import os
from pathlib import Path

from improve_git.errors import ImproveError

_HEAD = 4096  # bytes, within which a file says what made it


def check_target(path: Path, begins: bytes, mark: str) -> None:
    """Raise ImproveError where a file cannot be written, or where there is one of another kind.

    Args:
        path: the file.
        begins: what a file of the kind begins with.
        mark: what stands near its beginning if this program made it.
    """
    folder = path.absolute().parent
    if not folder.is_dir():
        raise ImproveError(f"{path.parent} is not a folder", f"mkdir -p {path.parent}")
    if path.exists() and not path.is_file():
        raise ImproveError(f"{path} is no file", "name another")
    if not os.access(folder, os.W_OK):
        raise ImproveError(f"{path.parent} is not writable", "name another file")
    if not path.exists():
        return
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head.startswith(begins) or mark.encode() not in head:
        raise ImproveError(f"{path} is there, and not made by this command", "name another file")
