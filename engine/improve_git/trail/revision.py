"""Which verdict a word means: an iteration's number, `baseline`, or any revision of Git's."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from improve_git.domain import FILES, Attempt
from improve_git.errors import PipelineError
from improve_git.git import Repository
from improve_git.messages import one_line, trailers
from improve_git.trail.history import History, Scored, read_record

_CONTENT = (*FILES.values(), "dataset.json")  # what was measured, but for the settings


@dataclass(frozen=True)
class Revision:
    """A verdict, and the content that it is about."""

    commit: str  # of the verdict; its tree is what was measured
    number: int | None  # of the iteration; None: a score of main's own
    name: str  # for people
    trailers: dict[str, str]
    record: dict[str, Any] | None  # None: not at hand


def find_revision(repo: Repository, history: History, word: str) -> Revision:
    """Return the verdict on what a word names.

    An iteration's number, ``baseline`` (or 0), or a revision of Git's: a verdict itself, or a
    commit whose three files and data set stand in one, the nearest before it first.

    Raises:
        PipelineError: there is no such iteration or revision, or it was never measured.
    """
    if not history.main:
        raise PipelineError("nothing is measured yet", "improve-git run")
    if word in ("0", "baseline"):
        return _of(repo, history.main[0])
    if word.isdecimal() and len(word) < 7:
        return _of(repo, _iteration(history, int(word)))
    commit = history.tip if word == "main" else _resolve(repo, word)
    rows: list[Scored | Attempt] = [*history.main[::-1]]
    rows += [attempt for attempt in history.decided[::-1] if attempt.verdict != "merged"]
    by_commit = {row.commit: row for row in rows}
    if commit in by_commit:
        return _of(repo, by_commit[commit])
    line = repo.git("rev-list", "--first-parent", commit).splitlines()
    near = [by_commit[sha] for sha in line if sha in by_commit]
    candidates = [*near, *(row for row in rows if row not in near)]
    content, *measured = _contents(repo, [commit, *(row.commit for row in candidates)])
    if content in measured:
        return _of(repo, candidates[measured.index(content)])
    raise PipelineError(
        f"{one_line(word, 60)} was never measured: no verdict is about these files",
        "improve-git run measures main; improve-git try measures a branch of yours",
    )


def _iteration(history: History, number: int) -> Scored | Attempt:
    for scored in history.main:
        if scored.number == number:
            return scored
    attempt = history.of(number)
    if attempt and attempt.verdict:
        return attempt
    if attempt:
        raise PipelineError(f"iteration {number} has no verdict yet", "improve-git run")
    numbers = [decided.number for decided in history.decided]
    there = f"iterations {numbers[0]} to {numbers[-1]}, and " if numbers else ""
    raise PipelineError(f"there is no iteration {number}", f"there are {there}the baseline (0)")


def _resolve(repo: Repository, word: str) -> str:
    commit = repo.resolve(word)
    if commit is None:
        raise PipelineError(
            f"there is no revision {one_line(word, 60)!r}",
            "name an iteration's number, baseline, main, or a branch or commit",
        )
    return commit


def _contents(repo: Repository, commits: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the blobs of what is measured, for each commit."""
    names = repo.blob_names([f"{commit}:{path}" for commit in commits for path in _CONTENT])
    size = len(_CONTENT)
    return [tuple(names[start : start + size]) for start in range(0, len(names), size)]


def _of(repo: Repository, row: Scored | Attempt) -> Revision:
    said = trailers(repo.log("-1", row.commit)[0].message)
    own = "the baseline" if row.verdict == "baseline" else f"main at {row.commit[:7]}"
    return Revision(
        commit=row.commit,
        number=row.number,
        name=own if row.number is None else f"{row.number:04d}",
        trailers=said,
        record=read_record(repo, said.get("Record")),
    )
