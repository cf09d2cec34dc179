"""Landing a commit on main, in every work tree that has main checked out, crash-safe.

The journal holds old and new first; then each work tree is moved by a two-tree `read-tree`, which
keeps edits to other files and refuses where a landed file has uncommitted edits; then main itself.
A landing cut short is finished or dropped by `recover`.
"""

from contextlib import suppress
from pathlib import Path

from improve_git.errors import PipelineError
from improve_git.git import GitFailed, RefMoved, Repository
from improve_git.history import MAIN
from improve_git.journal import Journal
from improve_git.trail import changed_paths


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
        said = error.stderr
    changed = changed_paths(repo, old, new)
    if all(_holds(repo, folder, new, path) for path in changed):
        # A crash came between the files and the index: only the index is left to move.
        repo.git("read-tree", "-i", "-m", old, new, cwd=folder)
        repo.git("update-index", "-q", "--refresh", cwd=folder)
        return
    names = ", ".join(changed)
    if "not uptodate" in said or "would be overwritten" in said or "would lose" in said:
        raise LandingWaits(
            f"a merge waits: {names} has uncommitted edits in {folder}",
            "commit or stash them, then: improve-git run",
        )
    raise LandingWaits(f"a merge waits: {said}", "mend that, then: improve-git run")


def _holds(repo: Repository, folder: Path, rev: str, path: str) -> bool:
    file = folder / path
    return file.is_file() and repo.git("hash-object", "--path", path, str(file), cwd=folder) == (
        repo.blobs(rev).get(path)
    )
