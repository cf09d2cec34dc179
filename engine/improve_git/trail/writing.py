"""Writing the trail: every step of an attempt as a commit. Nothing here moves main (see landing).

A branch begins with an empty commit by the Performance Analyst that carries the assignment and
claims the number; then the engineer's commits; then the verdict: a merge commit for an accepted
candidate, an empty commit at the branch's tip for any other.
"""

import json
from collections.abc import Mapping
from typing import Any

from improve_git.domain import (
    FILES,
    Assignment,
    Attempt,
    Component,
    Design,
    Proposal,
    Rewrite,
    Verdict,
)
from improve_git.git import ENGINE, NO_COMMIT, Commit, Person, Repository
from improve_git.messages import compose, one_line, sign, trailers
from improve_git.trail.history import MAIN, TITLES, History, branch_of, is_of_project, read_record

_ROLES = {
    "architect": "Project Architect",
    "analyst": "Performance Analyst",
    "data": "Data Engineer",
    "model": "Model Engineer",
    "train": "Training Engineer",
}


def author(role: str, team: str) -> Person:
    """Return who stands as author: a role, and in brackets what plays it."""
    title = _ROLES[role]
    email = title.lower().replace(" ", "-") + "@improve-git.invalid"
    return Person(f"{title} ({one_line(team, 60)})", email)


def ref_of(attempt: Attempt) -> str:
    """Return the full name of an attempt's branch."""
    return branch_of(attempt.number, attempt.component, attempt.slug)


def found(repo: Repository, files: Mapping[str, str], data: str, design: Design, team: str) -> str:
    """Make main: the engine's files first, then the architect's three. Return main's tip."""
    root = set_up(repo, None, files, data)
    tree = repo.write_tree(root, design.files)
    # A trailer, so that no last paragraph of an agent's can pass for one.
    message = compose(design.subject, design.body, {"Component": "data, model, train"})
    tip = repo.commit(tree, [root], message, author("architect", design.by or team))
    repo.update_ref(MAIN, tip, NO_COMMIT, "init")
    return tip


def set_up(repo: Repository, parent: str | None, files: Mapping[str, str], data: str) -> str:
    """Return a commit that adds the engine's files, to nothing or to a project's main."""
    tree = repo.write_tree(parent, files)
    message = compose(f"Set up a pipeline for {data}", "", {})
    return repo.commit(tree, [parent] if parent else [], message, ENGINE)


def assign(repo: Repository, number: int, assignment: Assignment, base: str, team: str) -> str:
    """Claim a number: make the branch with the assignment as an empty commit. Return its tip."""
    ref = branch_of(number, assignment.component, assignment.slug)
    message = compose(
        f"Assign {FILES[assignment.component]}: {assignment.slug}",
        assignment.instruction,
        {
            "Iteration": number,
            "Component": assignment.component,
            "Branch": ref.removeprefix("refs/heads/"),
            "Hypothesis": assignment.hypothesis or assignment.slug,
            "Expected-Effect": assignment.expected_effect,
            "Mechanism": assignment.mechanism,
        },
    )
    analyst = author("analyst", assignment.by or team)
    tip = repo.commit(f"{base}^{{tree}}", [base], message, analyst)
    repo.update_ref(ref, tip, NO_COMMIT, f"assign {number}")
    return tip


def propose(repo: Repository, number: int, proposal: Proposal, base: str) -> str:
    """Claim a number for a person's own file. Return the branch's tip, which holds the file.

    The branch appears with the assignment and the file in one step: no kill comes between them.
    """
    component, file = proposal.component, FILES[proposal.component]
    ref = branch_of(number, component, proposal.slug)
    labels: dict[str, object] = {"Iteration": number, "Component": component}
    subject, _, body = proposal.message.partition("\n")
    about: dict[str, object] = {
        "Branch": ref.removeprefix("refs/heads/"),
        "Hypothesis": subject.strip() or proposal.slug,
        "Proposed-By": f"{proposal.name} <{proposal.email}>",
        "Proposed-Commit": proposal.commit,
    }
    message = compose(f"Try {file}: {proposal.slug}", body, labels | about)
    first = repo.commit(f"{base}^{{tree}}", [base], message, ENGINE)
    tree = repo.write_tree(base, {file: proposal.source})
    person = Person(proposal.name, proposal.email)
    tip = repo.commit(tree, [first], sign(proposal.message, labels), person)
    repo.update_ref(ref, tip, NO_COMMIT, f"try {number}")
    return tip


def rewrite(repo: Repository, attempt: Attempt, old: str, change: Rewrite, team: str) -> str:
    """Put the engineer's new file on top of a branch's tip ``old``. Return the new one.

    Raises:
        RefMoved: the branch has another tip by now, or is gone.
    """
    component = attempt.component
    tree = repo.write_tree(old, {FILES[component]: change.source})
    message = compose(
        change.subject, change.body, {"Iteration": attempt.number, "Component": component}
    )
    tip = repo.commit(tree, [old], message, author(component, change.by or team))
    repo.update_ref(ref_of(attempt), tip, old, f"rewrite {FILES[component]}")
    return tip


def repair_main(
    repo: Repository, main: str, component: Component, change: Rewrite, team: str
) -> str:
    """Return a commit on top of main that repairs a failing baseline, ready to land."""
    tree = repo.write_tree(main, {FILES[component]: change.source})
    message = compose(change.subject, change.body, {"Component": component})
    return repo.commit(tree, [main], message, author(component, change.by or team))


def take_in_main(repo: Repository, ref: str, tip: str, attempt: Attempt, main: str) -> str:
    """Merge a main that has moved into the branch, keeping the candidate's own file.

    Raises:
        RefMoved: the branch has another tip by now.
    """
    source = repo.read(tip, FILES[attempt.component])
    tree = repo.write_tree(main, {FILES[attempt.component]: source})
    body = "Main has moved in what is scored, so the candidate is measured again on top of it."
    message = compose("Merge main into the candidate", body, {"Iteration": attempt.number})
    merged = repo.commit(tree, [tip, main], message, ENGINE)
    repo.update_ref(ref, merged, tip, "merge main")
    return merged


def close(repo: Repository, ref: str, old: str, message: str) -> str:
    """Record a verdict that merges nothing: an empty commit on top of a branch's tip ``old``.

    Raises:
        RefMoved: the branch's tip is another one by now.
    """
    tip = repo.commit(f"{old}^{{tree}}", [old], message, ENGINE)
    repo.update_ref(ref, tip, old, "verdict")
    return tip


def base_of(repo: Repository, attempt: Attempt, tip: str) -> str:
    """Return the commit of main that a candidate stands on: its first, or that taken in last."""
    for commit in repo.log("--first-parent", f"{attempt.base}..{tip}"):
        if commit.author == ENGINE and len(commit.parents) == 2:
            return commit.parents[1]
    return attempt.base


def prepare_merge(repo: Repository, tip: str, component: Component, main: str, message: str) -> str:
    """Return the merge commit of an accepted candidate, ready to land; moves nothing."""
    tree = repo.write_tree(main, {FILES[component]: repo.read(tip, FILES[component])})
    return repo.commit(tree, [main, tip], message, ENGINE)


def changed_paths(repo: Repository, old: str, new: str) -> list[str]:
    """Return the paths in which two commits' trees differ."""
    before, after = repo.blobs(old), repo.blobs(new)
    return sorted(p for p in {*before, *after} if before.get(p) != after.get(p))


def rewrites(repo: Repository, attempt: Attempt, tip: str) -> list[str]:
    """Return an attempt's rewrite and its repairs, newest first.

    ``tip`` is the branch's, as it was looked at: the user may delete the branch at any time.
    """
    commits = repo.log("--first-parent", f"{attempt.base}..{tip}")
    return [commit.sha for commit in commits if wrote(attempt, commit)]


def wrote(attempt: Attempt, commit: Commit) -> bool:
    """Say whether a commit of an attempt's branch is its engineer's, or the proposer's own."""
    if attempt.proposer:
        labelled = trailers(commit.message).get("Iteration") == str(attempt.number)
        return labelled and not is_of_project(commit)
    return commit.author.email == author(attempt.component, "").email


def read_assignment(repo: Repository, attempt: Attempt, tip: str) -> Assignment:
    """Read an attempt's assignment back from the commit that opened its branch."""
    first = repo.log("--first-parent", "--reverse", f"{attempt.base}..{tip}")[0]
    said = trailers(first.message)
    body = first.message.split("\n\n")[1:-1]
    return Assignment(
        component=attempt.component,
        slug=attempt.slug,
        hypothesis=said.get("Hypothesis", ""),
        instruction="\n\n".join(body),
        expected_effect=said.get("Expected-Effect", ""),
        mechanism=said.get("Mechanism", ""),
    )


def write_record(repo: Repository, record: Mapping[str, Any]) -> str:
    """Store a record as a blob of readable JSON and return its name."""
    return repo.write_blob((json.dumps(record, indent=1, sort_keys=True) + "\n").encode())


def attach_missing_notes(repo: Repository, history: History) -> None:
    """Attach the records whose notes a crash left out; what is not at hand is passed over."""
    noted = repo.notes()
    commits = [scored.commit for scored in history.main]
    commits += [attempt.commit for attempt in history.decided]
    for sha in {*commits} - {*noted}:
        blob = trailers(repo.log("-1", sha)[0].message).get("Record")
        if blob and read_record(repo, blob):
            repo.add_note(sha, blob)


def verdict_trailers(
    verdict: Verdict,
    reason: str,
    record: Mapping[str, Any],
    blob: str,
    *,
    main_score: float | None = None,
    attempt: tuple[int, Component, str] | None = None,
) -> dict[str, Any]:
    """Return a verdict's trailers, in the order in which they are written.

    ``attempt`` is number, component and the branch's short name; None for a verdict on main.
    """
    title = TITLES[record["metric"]]
    score = record.get("score")
    looks = len(record.get("looks") or [])  # at val: told where the score is over fewer
    number, component, branch = attempt or (None, None, None)
    return {
        "Iteration": number,
        "Component": component,
        "Branch": branch,
        "Verdict": verdict,
        "Reason": reason,
        f"Val-{title}": None if score is None else f"{score:.6g}",
        f"Main-{title}": None if main_score is None else f"{main_score:.6g}",
        "Seeds": ",".join(map(str, record["seeds"])),
        "Seed-Scores": ",".join(f"{run['score']:.6g}" for run in record.get("by_seed") or []),
        "Confidence": _figure(record.get("confidence"), ".4f"),
        "Looks": looks if looks > len(record["seeds"]) else None,
        "Luck": _figure(record.get("luck"), ".3g"),
        "Train-Seconds": f"{record['train_seconds']:.1f}" if record.get("train_seconds") else None,
        "Stopped-By": record.get("stopped_by"),
        **_llm_trailers(record.get("llm")),
        "Sandbox": record.get("sandbox"),
        "Image": record.get("image"),
        "Dataset": record.get("dataset"),
        "Record": blob,
    }


def _figure(value: float | None, form: str) -> str | None:
    return None if value is None else format(value, form)


def _llm_trailers(llm: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what the agents took: tokens, and the cost where all prices are known."""
    if not llm:
        return {}
    usd = llm["cost_usd"]
    return {"LLM-Tokens": llm["tokens"], "LLM-Cost-USD": None if usd is None else f"{usd:.4f}"}
