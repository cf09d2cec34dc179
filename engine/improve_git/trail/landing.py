"""Landing a commit on main, in every work tree that has main checked out, crash-safe.

The journal holds old and new first; then each work tree is moved by a two-tree `read-tree`, which
keeps edits to other files and refuses where a landed file has uncommitted edits; then main itself.
A landing cut short is finished or dropped by `recover`.
"""

from contextlib import suppress
from pathlib import Path

from improve_git.errors import PipelineError
from improve_git.git import GitFailed, RefMoved, Repository
from improve_git.journal import Journal
from improve_git.trail.history import MAIN
from improve_git.trail.writing import changed_paths

# What Git says where a file that it would write has edits.
_EDITED = ("not uptodate", "would be overwritten", "would lose")


class LandingWaits(PipelineError):
    """A file that would land has uncommitted edits in a work tree; nothing has been touched."""


def land(repo: Repository, journal: Journal, new: str, old: str, number: int | None = None) -> None:
    """Move main from ``old`` to ``new`` together with the work trees that have it checked out.

    ``number`` is that of the attempt that is merged by it.

    Raises:
        LandingWaits: a work tree has uncommitted edits in a file that would change.
        RefMoved: main moved meanwhile; the work trees are as they were.
    """
    journal.append("landing", old=old, new=new, number=number)
    _finish(repo, journal, new, old, number)


def recover(repo: Repository, journal: Journal) -> None:
    """Finish a landing that a crash cut short, or drop it where main has moved elsewhere."""
    last = journal.last("landing", "landed", "landing-dropped")
    if not last or last["event"] != "landing":
        return
    for folder in repo.work_trees("main"):
        _mend_torn(repo, folder, last["new"])
    main = repo.resolve(MAIN)
    if main in (last["old"], last["new"]) and repo.resolve(last["new"]):
        _finish(repo, journal, last["new"], last["old"], last.get("number"))
        return
    for folder in repo.work_trees("main"):
        with suppress(LandingWaits):
            _move_work_tree(repo, folder, last["old"], last["new"])
    journal.append("landing-dropped", new=last["new"])


def _finish(repo: Repository, journal: Journal, new: str, old: str, number: int | None) -> None:
    moved: list[Path] = []
    try:
        for folder in repo.work_trees("main") if changed_paths(repo, old, new) else []:
            _move_work_tree(repo, folder, new, old)
            moved.append(folder)
        if repo.resolve(MAIN) != new:
            repo.update_ref(MAIN, new, old, "land")
    except (LandingWaits, RefMoved):
        for folder in moved:
            _move_work_tree(repo, folder, old, new)
        journal.append("landing-dropped", new=new)
        raise
    journal.append("landed", new=new, number=number)


def has_landed(journal: Journal, number: int) -> bool:
    """Say whether an attempt was merged before, even if its merge is no longer on main."""
    return any(event.get("number") == number for event in journal.events("landed"))


def _move_work_tree(repo: Repository, folder: Path, new: str, old: str) -> None:
    with suppress(GitFailed):  # which says only that some file has edits
        repo.git("update-index", "-q", "--refresh", cwd=folder)
    try:
        repo.git("read-tree", "-m", "-u", old, new, cwd=folder)
        return
    except GitFailed as error:
        failed = error
    changed = changed_paths(repo, old, new)
    if all(_holds(repo, folder, new, path) for path in changed):
        # A crash came between the files and the index: only the index is left to move.
        repo.git("read-tree", "-i", "-m", old, new, cwd=folder)
        repo.git("update-index", "-q", "--refresh", cwd=folder)
        return
    names = ", ".join(changed)
    if any(words in failed.stderr for words in _EDITED):
        raise LandingWaits(
            f"a merge waits: {names} has uncommitted edits in {folder}",
            "commit or stash them, then: improve-git run",
        )
    raise failed


def _mend_torn(repo: Repository, folder: Path, new: str) -> None:
    """Put back each file of which a full disk let Git write only the beginning."""
    if repo.resolve(new) is None:
        return
    for path in changed_paths(repo, MAIN, new):
        file = folder / path
        found = file.read_bytes() if file.is_file() else None
        if found is not None and _is_torn(found, *(_as_file(repo, r, path) for r in (MAIN, new))):
            repo.git("checkout-index", "--force", "--", path, cwd=folder)


def _is_torn(found: bytes, old: bytes, new: bytes) -> bool:
    """Say whether a file begins as the new one and is no edit of the old one."""
    return not found or (new.startswith(found) and not old.startswith(found))


def _as_file(repo: Repository, rev: str, path: str) -> bytes:
    """Return a file of a commit as a checkout has it, but for its last newline."""
    with suppress(GitFailed):
        said = repo.git("cat-file", "--filters", f"{rev}:{path}")
        return said.encode("utf-8", "surrogateescape")
    return b""


def _holds(repo: Repository, folder: Path, rev: str, path: str) -> bool:
    file = folder / path
    return file.is_file() and repo.git("hash-object", "--path", path, str(file), cwd=folder) == (
        repo.blobs(rev).get(path)
    )
