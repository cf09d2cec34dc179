"""Small helpers of the tests of faults."""

import subprocess
from typing import NamedTuple, Protocol

from improve_git.trail.history import read_history
from worlds import World


class Said(NamedTuple):
    """How a command ended and what it printed."""

    code: object
    out: str
    err: str


class Call(Protocol):
    """Runs the command line."""

    def __call__(self, *words: object, w: World | None = None) -> Said: ...


def user(w: World, *command: str) -> str:
    """Do what a user does with Git in the pipeline's folder; return what it printed."""
    done = subprocess.run(
        ["git", *command],
        cwd=w.pipeline.repo.folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def be_busy(w: World) -> None:
    """Leave a stash, a branch, a staged edit, an unstaged one and an untracked file about."""
    folder = w.pipeline.repo.folder
    user(w, "branch", "mine")
    (folder / "README.md").write_text("stashed\n")
    user(w, "stash")
    (folder / "README.md").write_text("staged\n")
    user(w, "add", "README.md")
    (folder / "README.md").write_text("staged and more\n")
    (folder / "ideas.txt").write_text("untracked\n")


def work_of(w: World) -> list[str]:
    """Return all that ``be_busy`` left about, to be compared."""
    looks = ("stash show -p", "rev-parse mine stash", "diff --cached -- README.md",
             "diff -- README.md", "ls-files --others --exclude-standard")  # fmt: skip
    return [user(w, *look.split()) for look in looks]


def check_trail(w: World) -> None:
    """Check what holds of every pipeline at rest: valid, noted, nothing open, nothing left over."""
    repo = w.pipeline.repo
    assert user(w, "fsck", "--no-dangling", "--connectivity-only") == ""
    history = read_history(repo)
    assert history.open() is None
    scored = {s.commit for s in history.main} | {a.commit for a in history.attempts}
    assert scored <= set(repo.notes())
    assert not list((repo.folder / ".git").rglob("*.lock"))
    assert not (w.pipeline.state / "lock.holder").exists()
