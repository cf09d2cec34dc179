"""Forges a trail as somebody would who has the repository: by plumbing, descendants and all."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from improve_git.git import Commit, Person, Repository
from improve_git.messages import trailers
from improve_git.trail.history import read_record
from improve_git.trail.writing import write_record


@dataclass
class Draft:
    """A commit that is about to be written anew."""

    old: Commit
    tree: str
    parents: list[str]  # written anew already
    message: str
    author: Person
    committer: Person
    record: dict[str, Any] | None


Edit = Callable[[Draft], Draft | None]  # None drops the commit


def said(commit: Commit) -> dict[str, str]:
    return trailers(commit.message)


def verdict_of(repo: Repository, number: int) -> Commit:
    """Return an iteration's verdict."""
    for commit in repo.log("--branches"):
        if "Verdict" in said(commit) and said(commit).get("Iteration") == str(number):
            return commit
    raise AssertionError(f"no verdict on {number}")


def rewrite(
    repo: Repository, edit: Edit, consistent: bool = False, drop: tuple[str, ...] = ()
) -> dict[str, str]:
    """Write all commits anew, edited, and move the branches and notes to the new ones.

    Args:
        repo: whose.
        edit: changes a commit or drops it; its children then stand on its first parent.
        consistent: write the records anew too, so that they name the new commits.
        drop: full names of branches to leave out.

    Returns old to new.
    """
    branches, notes = repo.branches(), repo.notes()
    committers = repo.committers("--branches")
    new: dict[str, str] = {}
    noted: dict[str, str] = {}
    for commit in repo.log("--branches", "--topo-order", "--reverse"):
        record = read_record(repo, said(commit).get("Record"))
        if record and consistent and record.get("main_commit"):
            record["main_commit"] = new[record["main_commit"]]
        parents = [new[parent] for parent in commit.parents]
        draft = edit(Draft(commit, commit.tree, parents, commit.message, commit.author,
                           committers[commit.sha], record))  # fmt: skip
        if draft is None:
            new[commit.sha] = parents[0]
            continue
        message, blob = draft.message, notes.get(commit.sha)
        if consistent and draft.record:
            blob = write_record(repo, draft.record)
            message = message.replace(said(commit)["Record"], blob)
        new[commit.sha] = _write(repo, replace(draft, message=message))
        if blob:
            noted[new[commit.sha]] = blob
    repo.git("update-ref", "-d", "refs/notes/improve")
    for sha, blob in noted.items():
        repo.add_note(sha, blob)
    for ref, sha in branches.items():
        if ref in drop:
            repo.git("update-ref", "-d", ref)
        else:
            repo.git("update-ref", ref, new[sha])
    return new


def edited(number: int, **changes: Any) -> Edit:
    """Return the edit of one iteration's verdict: its fields, or functions of them."""

    def edit(draft: Draft) -> Draft:
        told = said(draft.old)
        if "Verdict" not in told or told.get("Iteration") != str(number):
            return draft
        return replace(draft, **{
            key: change(getattr(draft, key)) if callable(change) else change
            for key, change in changes.items()
        })  # fmt: skip

    return edit


def reworded(key: str, value: str) -> Callable[[str], str]:
    """Return a change of a message: another value of a trailer."""

    def change(message: str) -> str:
        lines = [f"{key}: {value}" if line.startswith(f"{key}: ") else line
                 for line in message.split("\n")]  # fmt: skip
        return "\n".join(lines)

    return change


def _write(repo: Repository, draft: Draft) -> str:
    options = [word for parent in draft.parents for word in ("-p", parent)]
    env = {
        "GIT_AUTHOR_NAME": draft.author.name,
        "GIT_AUTHOR_EMAIL": draft.author.email,
        "GIT_AUTHOR_DATE": draft.old.date,
        "GIT_COMMITTER_NAME": draft.committer.name,
        "GIT_COMMITTER_EMAIL": draft.committer.email,
        "GIT_COMMITTER_DATE": draft.old.date,
    }
    return repo.git("commit-tree", draft.tree, *options, stdin=draft.message.encode(), env=env)


def clone(repo: Repository, folder: Any, *, notes: bool = True) -> Repository:
    """Clone as a stranger would: over a transport, so that nothing else comes along."""
    subprocess.run(["git", "clone", "-q", f"file://{repo.folder}", str(folder)], check=True)
    if notes:
        fetch = ["fetch", "-q", "origin", "+refs/notes/*:refs/notes/*"]
        subprocess.run(["git", "-C", str(folder), *fetch], check=True)
    return Repository(folder)


def as_text(record: dict[str, Any]) -> str:
    return json.dumps(record, indent=1, sort_keys=True) + "\n"
