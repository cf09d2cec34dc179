"""What an iteration changed, or the whole search: the diff in Git's own form, and the scores."""

from dataclasses import dataclass

from improve_git.domain import Attempt
from improve_git.errors import PipelineError
from improve_git.git import Repository
from improve_git.pipeline import OWN_FILES
from improve_git.trail.history import History, Scored
from improve_git.trail.revision import Revision
from improve_git.trail.story import find_row
from improve_git.trail.writing import changed_paths

_PLAIN = ("--no-ext-diff", "--no-textconv", "--no-color")


@dataclass(frozen=True)
class FileChange:
    """A file that differs."""

    path: str
    added: int | None  # lines; None: Git takes it for no text
    removed: int | None


@dataclass(frozen=True)
class Change:
    """All that `improve-git diff` tells."""

    title: str
    base: str  # the commit before
    commit: str  # the commit after
    metric: str
    score: float | None  # after
    base_score: float | None  # before, by the same metric
    files: tuple[FileChange, ...]
    diff: str


def of_iteration(repo: Repository, history: History, word: str) -> Change:
    """Return what an iteration changed, or the user before a score of main's own.

    Raises:
        PipelineError: there is no such iteration, or it is the baseline.
    """
    row, metric = find_row(history, word)
    base, tip = ends(repo, history, row)
    if not base:
        raise PipelineError(
            "the baseline starts from nothing, so there is no difference",
            "improve-git show baseline; improve-git diff --best tells what came of it",
        )
    name = f"main at {row.commit[:7]}"
    if isinstance(row, Attempt):
        name = f"{row.number:04d} {row.component}: {row.slug}"
    return _change(
        repo, f"{name}, {row.verdict or 'open'}", (base, tip), metric, (row.main_score, row.score)
    )


def of_search(repo: Repository, history: History) -> Change:
    """Return what the whole search changed: from the baseline to the tip of main.

    Raises:
        PipelineError: there is no baseline yet.
    """
    if not history.main:
        raise PipelineError("nothing is measured yet", "improve-git run")
    first, newest = history.main[0], history.main[-1]
    is_scored = not {*OWN_FILES} & {*changed_paths(repo, newest.commit, history.tip)}
    return _change(
        repo,
        f"the baseline to main at {history.tip[:7]}",
        (first.commit, history.tip),
        newest.metric,
        (
            first.score if first.metric == newest.metric else None,
            newest.score if is_scored else None,
        ),
    )


def between(repo: Repository, history: History, one: Revision, other: Revision) -> Change:
    """Return what lies between two measured revisions."""
    rows: list[Attempt | Scored] = [*history.decided, *history.main]
    by_commit = {row.commit: row for row in rows}
    before, after = by_commit[one.commit], by_commit[other.commit]
    base_score = before.score if before.metric == after.metric else None
    return _change(
        repo,
        f"{one.name} to {other.name}",
        (one.commit, other.commit),
        after.metric,
        (base_score, after.score),
    )


def ends(repo: Repository, history: History, row: Attempt | Scored) -> tuple[str, str]:
    """Return the two commits between which a change lies; "" before a baseline.

    A merge is told by what it did to main, which may have moved in other files.
    """
    if isinstance(row, Scored) and row.number is None:
        # What the user did since main's score before; a baseline starts from nothing.
        place = [scored.commit for scored in history.main].index(row.commit)
        return history.main[place - 1].commit if place else "", row.commit
    parents = repo.log("-1", row.commit)[0].parents
    if row.verdict == "merged" and len(parents) == 2:
        return parents[0], row.commit
    # Where main was merged into the branch, the change is what differs from that main.
    base = row.base if isinstance(row, Attempt) else ""
    return repo.merge_base(row.commit, history.tip) or base, row.commit


def patch(repo: Repository, base: str, tip: str) -> str:
    """Return a difference as `git apply` takes it; nothing of the user's settings is run for it."""
    # Plumbing: of a user's settings for diffs, it heeds none that would change the form.
    said = repo.git("diff-tree", "-r", "-p", "--binary", *_PLAIN, base, tip)
    return f"{said}\n" if said else ""


def _change(
    repo: Repository,
    title: str,
    commits: tuple[str, str],
    metric: str,
    scores: tuple[float | None, float | None],
) -> Change:
    said = repo.git("diff-tree", "-r", "-z", "--numstat", *_PLAIN, *commits)
    rows = [row.split("\t", 2) for row in said.split("\0") if row]
    return Change(
        title=title,
        base=commits[0],
        commit=commits[1],
        metric=metric,
        score=scores[1],
        base_score=scores[0],
        files=tuple(FileChange(path, _lines(more), _lines(less)) for more, less, path in rows),
        diff=patch(repo, *commits),
    )


def _lines(count: str) -> int | None:
    return int(count) if count.isdecimal() else None
