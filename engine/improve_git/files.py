"""Small helpers around the host's files."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_MAKER = re.compile(r"\.partial-(\d+)-")


def shipped(name: str) -> Path:
    """Return a data folder that comes with the package: ``sandbox``, ``attacks``, and so on.

    A wheel carries it in ``_shipped``; an editable install uses the checkout's own folder.
    Raises FileNotFoundError for a name that neither has.
    """
    for folder in (_PACKAGE / "_shipped" / name, _PACKAGE.parent.parent / name):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"{name} is missing from this installation of improve-git")


def partial_prefix(name: str) -> str:
    """Return how the name of something half-made begins: hidden, and with who makes it."""
    return f".{name}.partial-{os.getpid()}-"


def abandoned(folder: Path, pattern: str = "**/.*") -> list[Path]:
    """Return what processes that are gone left half-made, among what matches in a folder."""
    found = [(path, _MAKER.search(path.name)) for path in folder.glob(pattern)]
    return [path for path, maker in found if maker and not Path("/proc", maker[1]).exists()]


def clear_abandoned(folder: Path) -> None:
    """Remove what processes that are gone left half-made anywhere below a folder."""
    for path in abandoned(folder):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file so that a kill or a full disk leaves the old content or the new, never a mix."""
    data = content.encode() if isinstance(content, str) else content
    handle, name = tempfile.mkstemp(prefix=partial_prefix(path.name), dir=path.parent)
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.chmod(0o644)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


@contextmanager
def new_folder(path: Path, durable: bool = True, timeless: bool = True) -> Iterator[Path]:
    """Give a temporary folder to fill; it becomes ``path`` only once the block has ended well.

    The files inside are readable by everybody, since a sandbox reads them as another user.
    ``durable`` has them survive a power cut too, which costs time for each file; ``timeless``
    gives them the time stamp 0. ``path`` must not exist, or be empty. What a killed process left
    half-made beside it is removed, so only one process at a time may make the same folder.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{path.name}.partial-"
    for left in path.parent.iterdir():
        if left.name.startswith(prefix):
            shutil.rmtree(left, ignore_errors=True)
    partial = Path(tempfile.mkdtemp(prefix=partial_prefix(path.name), dir=path.parent))
    try:
        yield partial
        for file in sorted(partial.rglob("*"), reverse=True):
            file.chmod(0o755 if file.is_dir() else 0o644)
            if durable:
                _sync(file)
            if timeless:
                os.utime(file, (0, 0))
        partial.chmod(0o755)
        _sync(partial)
        if timeless:
            os.utime(partial, (0, 0))
        partial.rename(path)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
