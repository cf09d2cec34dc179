"""Trying a person's own branch: its one file goes through the same sandbox and gate as an agent's.

Nobody is asked and nothing is repaired. The branch is only read: its file becomes an ordinary
attempt on top of main, in one step, so that after a kill the next `try` or `run` carries on.
"""

import difflib
import shlex
from collections.abc import Sequence

from improve_git import contract
from improve_git.domain import (
    BY_HAND,
    FILES,
    Assignment,
    Attempt,
    Component,
    Context,
    Design,
    Outcome,
    Proposal,
    Rewrite,
)
from improve_git.errors import PipelineError, TeamError
from improve_git.git import Commit, Repository
from improve_git.iteration import words
from improve_git.iteration.incumbent import Main
from improve_git.iteration.trial import Bench
from improve_git.iteration.trust import check_trust
from improve_git.loop import Loop
from improve_git.messages import one_line, slug_of
from improve_git.observer import Observer
from improve_git.pipeline import Pipeline, scored_difference
from improve_git.trail import writing
from improve_git.trail.history import BRANCH, MAIN, is_of_project, read_history

NAMELESS = "by-hand"  # the slug where a branch's name makes none


class Nobody:
    """Implements the Team protocol where a person has written already: it writes nothing."""

    name = BY_HAND

    def design(self, context: Context, epochs: int | None) -> Design:
        """Raise TeamError: the files are there."""
        del context, epochs
        raise TeamError("nobody is asked for a design")

    def assign(self, context: Context) -> Assignment | None:
        """Choose nothing."""
        del context
        return None

    def rewrite(self, assignment: Assignment, context: Context) -> Rewrite:
        """Raise TeamError: a person's file is tried as it is."""
        del assignment, context
        raise TeamError("nobody is asked for a file")

    def repair(
        self, assignment: Assignment, failed_source: str, outcome: Outcome, context: Context
    ) -> Rewrite | None:
        """Leave a failed file as it is."""
        del assignment, failed_source, outcome, context
        return None


def check(pipeline: Pipeline, branch: str) -> None:
    """Look whether a branch can be tried; records nothing.

    Raises:
        PipelineError: there is no such branch, or it is not one file that keeps the contract.
    """
    if _tried(pipeline, branch) is None:
        _proposal(pipeline, branch)


def try_branch(pipeline: Pipeline, bench: Bench, observer: Observer, branch: str) -> Attempt:
    """Measure a branch's file against main, give the verdict, and return the attempt.

    What was tried on this very main before is not tried again: that attempt is returned.

    Raises:
        LandingWaits: it is accepted, and cannot land on uncommitted edits.
        PipelineError: the branch cannot be tried, or main itself cannot be trained.
        SandboxError: the sandbox failed repeatedly, or may not run a person's file.
    """
    loop = Loop(pipeline, Nobody(), bench, observer)
    loop.recover()
    attempt = _tried(pipeline, branch)
    if attempt is None:
        _check_trust(pipeline, bench, _proposal(pipeline, branch))
        main = loop.incumbent.measured()
        attempt = _claim(loop, _proposal(pipeline, branch), main)
    else:
        told = "tried already" if attempt.verdict else "carrying on"
        observer.say(f"{told}: {_name(attempt)}")
    for other in loop.history().attempts:
        if other.verdict is None and other.number != attempt.number:
            observer.say(f"still open: {_name(other)}; the next run carries on with it")
    if attempt.verdict is None:
        loop.conclude(attempt)
    history = loop.history()
    if history.open() is None:  # an open one may have weights that wait to be judged
        bench.keep_weights(pipeline.snapshot(pipeline.main()))
    done = history.of(attempt.number)
    if done is None or done.verdict is None:
        raise PipelineError(f"{_name(attempt)} has no verdict: its branch is gone",
                            f"improve-git try {shlex.quote(branch)}")  # fmt: skip
    return done


def _claim(loop: Loop, proposal: Proposal, main: Main) -> Attempt:
    """Open an attempt with a person's file on top of a measured main."""
    number = loop.next_number(loop.history())
    writing.propose(loop.repo, number, proposal, main.commit)
    loop.journal.append("claim", number=number)
    attempt = loop.history().of(number)
    assert attempt
    loop.observer.say(words.attempt_line(attempt, attempt.hypothesis))
    return attempt


def _tried(pipeline: Pipeline, branch: str) -> Attempt | None:
    """Return the attempt that a branch's tip is or was, unless main has become another since."""
    repo = pipeline.repo
    tip = _tip(repo, branch)
    tries = [one for one in read_history(repo).attempts if one.proposal == tip]
    if not tries or tries[-1].verdict in (None, "merged"):
        return tries[-1] if tries else None
    base = writing.base_of(repo, tries[-1], tries[-1].commit)
    moved = scored_difference(pipeline.snapshot(base), pipeline.snapshot(pipeline.main()))
    return None if moved else tries[-1]


def _tip(repo: Repository, branch: str) -> str:
    """Return the commit of a local or remote branch of the user's."""
    branches = repo.branches()
    ref = next((ref for ref in (f"refs/heads/{branch}", f"refs/remotes/{branch}")
                if ref in branches), None)  # fmt: skip
    if ref == MAIN:
        raise PipelineError("main is no branch to try: a run measures what is committed there",
                            "improve-git run")  # fmt: skip
    if attempt := BRANCH.search(branch):
        number = int(attempt[2])
        raise PipelineError(f"{branch} is an attempt already", f"improve-git show {number}")
    if ref is None:
        names = [name.split("/", 2)[2] for name in branches]
        near = difflib.get_close_matches(branch, names, 1)
        fix = f"improve-git try {shlex.quote(near[0])}" if near else "name one of: git branch"
        raise PipelineError(f"there is no branch {branch!r:.80}", fix)
    return branches[ref]


def _proposal(pipeline: Pipeline, branch: str) -> Proposal:
    """Return what a branch proposes for the main of this moment.

    Raises:
        PipelineError: it is not one file that keeps the contract, or main has changed it since.
    """
    repo, main = pipeline.repo, pipeline.main()
    tip = _tip(repo, branch)
    base = repo.merge_base(main, tip)
    if base is None:
        raise PipelineError(f"{branch} has no commit in common with main",
                            "start one from main: git switch -c ANOTHER main")  # fmt: skip
    component = _component(branch, writing.changed_paths(repo, base, tip))
    file = FILES[component]
    ours, old, new = repo.blob_names([f"{rev}:{file}" for rev in (main, base, tip)])
    if not new:
        raise PipelineError(f"{branch} takes {file} away", "a try changes what is in it")
    if ours == new:
        raise PipelineError(f"{branch} has the {file} that main has: nothing is left to try",
                            "change it there, and commit")  # fmt: skip
    if ours != old:
        raise PipelineError(
            f"{file} was changed on main after {branch} began, so it would undo that",
            f"bring them together first: git rebase main {shlex.quote(branch)}",
        )
    source = repo.read_blob(new)
    breaches = contract.check(pipeline.snapshot(main).files | {file: source})
    if breaches:
        raise PipelineError("\n  ".join([f"{branch} breaks the contract:", *breaches]),
                            f"mend {file} on {branch}, commit, and try again")  # fmt: skip
    commit = _newest(repo, base, tip, file)
    if is_of_project(commit):
        raise PipelineError(
            f"{commit.sha[:10]}, the newest on {branch}, is by {commit.author.name}: no person's",
            "to try it as yours: git commit --amend --reset-author --no-edit",
        )
    return Proposal(
        component=component,
        slug=slug_of(branch) or NAMELESS,
        source=source,
        message=commit.message,
        name=one_line(commit.author.name, 100) or "unknown",
        email=one_line(commit.author.email, 200),
        commit=tip,
    )


def _component(branch: str, changed: Sequence[str]) -> Component:
    """Return the one component that a branch changes."""
    components = [component for component, file in FILES.items() if file in changed]
    if len(changed) == 1 and components:
        return components[0]
    *most, last = FILES.values()
    wanted = f"a try changes exactly one of {', '.join(most)} and {last}"
    if not components:
        told = one_line(", ".join(changed)) or "nothing"
        raise PipelineError(f"{branch} changes {told} since it left main; {wanted}",
                            "change one of them on a branch of its own, and commit")  # fmt: skip
    name = shlex.quote(branch)
    splits = [
        f"git switch -c {name}-{component} main && git checkout {name} -- {FILES[component]} && "
        f"git commit -m 'Change {FILES[component]}'"
        for component in components
    ]
    raise PipelineError(
        f"{branch} changes {one_line(', '.join(changed))} since it left main; {wanted}",
        "\n    ".join([f"a branch for {'each' if splits[1:] else 'that file alone'}:", *splits]),
    )


def _newest(repo: Repository, base: str, tip: str, file: str) -> Commit:
    """Return the newest commit that changed a file: a merge at the tip says nothing of it."""
    found = repo.log("-1", "--no-merges", f"{base}..{tip}", "--", file)
    return (found or repo.log("-1", tip))[0]


def _check_trust(pipeline: Pipeline, bench: Bench, proposal: Proposal) -> None:
    """Refuse a person's file where a sandbox that does not isolate may not run it."""
    snapshot = pipeline.snapshot(pipeline.main())
    files = snapshot.files | {FILES[proposal.component]: proposal.source}
    check_trust(files, bench.sandbox, snapshot.settings.sandbox.allow_unisolated)


def _name(attempt: Attempt) -> str:
    return f"{attempt.number:04d} {attempt.component}: {attempt.slug}"
