"""The trail as a verification reads it: once, whole, and believing none of it."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from improve_git.domain import FILES, Component
from improve_git.errors import DataError, PipelineError, SettingsError
from improve_git.git import ENGINE, Commit, Repository
from improve_git.messages import one_line, trailers
from improve_git.pipeline import Pipeline, content_key
from improve_git.settings.schema import Settings
from improve_git.trail.history import BRANCH, ON_MAIN, read_history, read_record
from improve_git.verification.shape import fault

if TYPE_CHECKING:
    from improve_git.datasets.dataset import DataSet

Record = dict[str, Any]
_NAME = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")  # of a Git object


@dataclass(frozen=True)
class Ruled:
    """A verdict as the engine's commit tells it."""

    commit: Commit
    said: dict[str, str]  # its trailers
    record: Record | None  # None: not at hand, or not of the engine's form
    fault: str  # why the record cannot be used; "" where it can, or is not at hand

    @property
    def verdict(self) -> str:
        """The word of the verdict."""
        return self.said.get("Verdict", "")

    @property
    def attempt(self) -> tuple[int, Component, str] | None:
        """Number, component and slug, as the branch's name has them."""
        match = BRANCH.fullmatch(self.said.get("Branch", ""))
        return (int(match[2]), cast(Component, match[3]), match[4]) if match else None

    @property
    def number(self) -> int | None:
        """The iteration's, None for a score of main's own."""
        return self.attempt[0] if self.attempt else None

    @property
    def name(self) -> str:
        """What people call it."""
        if self.number is not None:
            return f"{self.number:04d}"
        return "the baseline" if self.verdict == "baseline" else "main"

    @property
    def candidate(self) -> str:
        """The commit that was judged: the branch's tip, or what a verdict on main stands on."""
        return self.commit.parents[-1] if self.commit.parents else self.commit.sha

    @property
    def main(self) -> str:
        """The commit of main that it was judged against; "" where its record is not at hand."""
        return str((self.record or {}).get("main_commit") or "")


class Chain:
    """All commits of the branches, and the verdicts among them, oldest first."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.repo = pipeline.repo
        self.history = read_history(self.repo)
        self.tip = pipeline.main()
        _check_newest(self.repo, self.tip)
        found = self.repo.log("--topo-order", "--branches", "--remotes")
        self.commits = {commit.sha: commit for commit in found}
        self.committers = self.repo.committers("--branches", "--remotes")
        self.notes = self.repo.notes()
        self.ruled = tuple(self._ruled(c) for c in found[::-1] if _is_verdict(c))
        self._entries: dict[str, dict[str, str]] = {}
        self._texts: dict[str, str] = {}

    @cached_property
    def on_main(self) -> tuple[Ruled, ...]:
        """The verdicts that main carries."""
        return tuple(
            one for one in self.ruled
            if one.commit.sha in self.reachable and one.verdict in ON_MAIN
        )  # fmt: skip

    @cached_property
    def attempts(self) -> tuple[Ruled, ...]:
        """The verdicts on attempts, by number."""
        its = [one for one in self.ruled if one.number is not None]
        return tuple(sorted(its, key=lambda one: one.number or 0))

    @cached_property
    def reachable(self) -> frozenset[str]:
        """All commits that main holds, by any parent: users merge in either direction."""
        seen: set[str] = set()
        todo = [self.tip]
        while todo:
            sha = todo.pop()
            if sha in self.commits and sha not in seen:
                seen.add(sha)
                todo += self.commits[sha].parents
        return frozenset(seen)

    def incumbent(self, sha: str) -> Ruled | None:
        """Return the newest verdict of main's up to a commit, None where there is none."""
        places = {one.commit.sha: place for place, one in enumerate(self.on_main)}
        newest, seen, todo = -1, set[str](), [sha]
        while todo:
            sha = todo.pop()
            if sha in places:  # what is below it is older
                newest = max(newest, places[sha])
            elif sha in self.commits and sha not in seen:
                seen.add(sha)
                todo += self.commits[sha].parents
        return self.on_main[newest] if newest >= 0 else None

    def on_main_at(self, sha: str) -> tuple[Ruled, ...]:
        """Return the verdicts that main carried when a commit was its tip."""
        newest = self.incumbent(sha)
        return self.on_main[: self.on_main.index(newest) + 1] if newest else ()

    def settings(self, sha: str) -> Settings:
        """Return the settings of a commit; the defaults where its improve.yaml cannot be used."""
        try:
            return self.pipeline.settings(sha)
        except (SettingsError, KeyError):
            return Settings()

    def assignment(self, one: Ruled) -> Commit | None:
        """Return the commit that opened an attempt's branch, from what was judged downwards."""
        commit = self.commits.get(one.candidate)
        while commit:
            said = trailers(commit.message)
            if "Hypothesis" in said and said.get("Branch") == one.said.get("Branch"):
                return commit
            commit = self.commits.get(commit.parents[0]) if commit.parents else None
        return None

    def base(self, one: Ruled) -> str:
        """Return the commit of main that a candidate stands on: the first, or the one taken in."""
        opened = self.assignment(one)
        commit = self.commits.get(one.candidate)
        while commit and opened and commit != opened:
            if commit.author == ENGINE and len(commit.parents) == 2:
                return commit.parents[1]
            commit = self.commits.get(commit.parents[0]) if commit.parents else None
        return opened.parents[0] if opened and opened.parents else ""

    def entries(self, sha: str) -> dict[str, str]:
        """Return what lies at the top of a commit's tree: name to mode, type and object."""
        tree = self.commits[sha].tree
        if tree not in self._entries:
            self._entries[tree] = self.repo.entries(tree)
        return self._entries[tree]

    def files(self, sha: str) -> dict[str, str]:
        """Return the texts of the three files of a commit; what is missing is left out."""
        entries = self.entries(sha)
        names = [name for name in FILES.values() if " blob " in entries.get(name, "")]
        return {name: self._text(entries[name]) for name in names}

    def data_set(self, sha: str) -> "DataSet | None":
        """Return the data set of a commit, None where its dataset.json cannot be used."""
        entry = self.entries(sha).get("dataset.json", "") if sha in self.commits else ""
        if " blob " not in entry:
            return None
        try:
            return self.pipeline.data_set(entry.split()[2])
        except DataError:
            return None

    def key(self, files: dict[str, str], record: Record, main: str) -> str | None:
        """Return the name that a record's result should have; None where that cannot be told."""
        data_set = self.data_set(main)
        if data_set is None:
            return None
        try:
            return content_key(files, record["settings"], data_set, record["image"])
        except RecursionError:  # settings that no engine writes
            return None

    def _text(self, entry: str) -> str:
        blob = entry.split()[2]
        if blob not in self._texts:
            self._texts[blob] = self.repo.read_blob(blob)
        return self._texts[blob]

    def _ruled(self, commit: Commit) -> Ruled:
        said = trailers(commit.message)
        blob = said.get("Record", "")
        if not _NAME.fullmatch(blob):
            return Ruled(commit, said, None, "it names none")
        record = read_record(self.repo, blob)
        if record is None:
            damaged = self.repo.blob_names([blob]) != [""]
            return Ruled(commit, said, None, "it is no JSON object" if damaged else "")
        wrong = fault(record)
        return Ruled(commit, said, None if wrong else record, wrong)


def _check_newest(repo: Repository, tip: str) -> None:
    """Refuse to take for dropped what was fetched and not merged.

    Raises:
        PipelineError: a remote's main goes on from main.
    """
    for ref, sha in repo.branches().items():
        theirs = ref.startswith("refs/remotes/") and ref.endswith("/main")
        if theirs and sha != tip and repo.is_ancestor(tip, sha):
            name = one_line(ref.removeprefix("refs/remotes/"), 60)
            raise PipelineError(
                f"main here is behind {name}, whose attempts were fetched too",
                f"git switch main && git merge --ff-only {shlex.quote(name)}",
            )


def _is_verdict(commit: Commit) -> bool:
    return commit.author == ENGINE and "Verdict" in trailers(commit.message)


def changed(before: dict[str, str], after: dict[str, str]) -> Iterator[str]:
    """Yield the names in which two trees differ."""
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            yield name
