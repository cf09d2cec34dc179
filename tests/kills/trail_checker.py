"""Checks a pipeline after its run by nothing but Git, the journal and what lies on the disk.

It shares no code with the engine: it asks `git` and reads JSON. Each check yields the violations
it finds as sentences; none is the good case.
"""

import hashlib
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ENGINE = "improve-git <engine@improve-git.invalid>"
ROLES = {"data": "Data Engineer", "model": "Model Engineer", "train": "Training Engineer"}
# What differs from run to run: times, and names of commits, in which dates go.
VOLATILE_TRAILERS = ("Record", "Train-Seconds")
TOLD = ("verdict", "status", "score", "key", "iteration", "component", "judgement", "seeds")
STATE = {"journal", "lock", "packs", "weights", "images-seen.json", "images-at"}


@dataclass(frozen=True)
class Commit:
    """One commit, as `git log` tells it."""

    sha: str
    parents: list[str]
    tree: str
    author: str
    subject: str
    body: str
    said: dict[str, str]  # its trailers


@dataclass
class Trail:
    """What the checks look at."""

    folder: Path
    commits: dict[str, Commit]
    main: list[Commit]  # by first parents, oldest first
    notes: dict[str, str]  # commit -> blob
    events: list[dict[str, Any]]  # of the journal
    torn: int  # lines of the journal that are not whole

    def git(self, *command: str) -> str:
        return git(self.folder, *command)

    def changed(self, old: str, new: str) -> list[str]:
        return self.git("diff-tree", "-r", "--name-only", old, new).split()

    def record(self, blob: str) -> dict[str, Any]:
        found = json.loads(self.git("cat-file", "blob", blob))
        assert isinstance(found, dict)
        return found

    def branches(self) -> dict[str, str]:
        form = "--format=%(refname:short) %(objectname)"
        lines = self.git("for-each-ref", form, "refs/heads/improve").splitlines()
        return dict(line.split() for line in lines)

    def verdicts(self) -> list[Commit]:
        return [c for c in self.commits.values() if c.author == ENGINE and "Verdict" in c.said]


def git(folder: Path, *command: str) -> str:
    done = subprocess.run(
        ["git", *command], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise AssertionError(f"git {' '.join(command)}: {done.stderr}")
    return done.stdout.rstrip("\n")


def read(folder: Path) -> Trail:
    form = "%H%x00%P%x00%T%x00%an <%ae>%x00%s%x00%b%x00%(trailers:only,unfold)%x1e"
    commits = {}
    for chunk in git(folder, "log", "--branches", "--topo-order", f"--format={form}").split("\x1e"):
        fields = chunk.lstrip("\n").split("\0")
        if len(fields) == 7:
            sha, parents, tree, author, subject, body, trailers = fields
            pairs = [line.partition(": ")[::2] for line in trailers.splitlines() if line]
            commits[sha] = Commit(sha, parents.split(), tree, author, subject, body, dict(pairs))
            assert len(dict(pairs)) == len(pairs), f"{subject}: a trailer stands twice"
    chain = git(folder, "rev-list", "--first-parent", "--reverse", "main").split()
    notes = {}
    if git(folder, "for-each-ref", "refs/notes/improve"):
        lines = git(folder, "notes", "--ref", "improve", "list").splitlines()
        notes = {commit: blob for blob, commit in (line.split() for line in lines)}
    events, torn = [], 0
    journal = folder / ".improve" / "journal"
    for line in journal.read_bytes().splitlines() if journal.exists() else []:
        try:
            events.append(json.loads(line))
        except ValueError:
            torn += 1
    return Trail(folder, commits, [commits[sha] for sha in chain], notes, events, torn)


def users_work(folder: Path) -> dict[str, str]:
    """Return all that the user has in the checkout and has not committed."""
    new = git(folder, "ls-files", "--others", "--exclude-standard").splitlines()
    return {
        "HEAD": git(folder, "symbolic-ref", "HEAD"),
        "status": git(folder, "status", "--porcelain"),
        "edits": git(folder, "diff"),
        "staged": git(folder, "diff", "--cached"),
        **{name: (folder / name).read_text() for name in new},
    }


def violations(
    folder: Path,
    *,
    attempts: int,
    before: dict[str, str],
    trainings: Path,
    temporary: Path,
) -> list[str]:
    """Return what is wrong with a pipeline whose run has come to its end.

    Args:
        folder: the pipeline's.
        attempts: how many the run was to make.
        before: the user's work before it.
        trainings: the log of what a sandbox was given to train, a JSON object a line.
        temporary: the engine's folder for temporary files.
    """
    trail = read(folder)
    found = list(repository(trail))
    found += main_only_improves(trail)
    found += every_attempt(trail, attempts)
    found += records(trail)
    found += journal(trail)
    found += trained_once(trail, trainings)
    found += leftovers(trail, temporary)
    after = users_work(folder)
    found += [f"the user's {name} is another" for name in {*before, *after}
              if before.get(name) != after.get(name)]  # fmt: skip
    return found


def repository(trail: Trail) -> Iterator[str]:
    command = ["git", "fsck", "--strict", "--no-dangling", "--no-progress"]
    said = subprocess.run(command, cwd=trail.folder, capture_output=True, text=True, check=False)
    if said.returncode or said.stdout.strip():
        yield f"git fsck: {said.stdout}{said.stderr}"
    for name in ("data.py", "model.py", "train.py"):
        if trail.git("hash-object", name) != trail.git("rev-parse", f"main:{name}"):
            yield f"{name} in the checkout is not main's"


def main_only_improves(trail: Trail) -> Iterator[str]:
    score, verdicts = None, []
    for before, commit in zip([None, *trail.main], trail.main, strict=False):
        if commit.author != ENGINE or "Verdict" not in commit.said:
            continue
        verdict, new = commit.said["Verdict"], float(commit.said["Val-Accuracy"])
        verdicts.append(verdict)
        changed = trail.changed(before.sha, commit.sha) if before else []
        if verdict == "merged":
            component = commit.said["Component"]
            if not new > float(commit.said["Main-Accuracy"]):
                yield f"{commit.subject}: not better"
            if float(commit.said["Main-Accuracy"]) != score:
                yield f"{commit.subject}: compared with another score than main's {score}"
            if changed != [f"{component}.py"]:
                yield f"{commit.subject}: changes {changed}"
            measured = trail.commits[commit.parents[1]]
            if set(trail.changed(measured.sha, commit.sha)) & {"data.py", "model.py", "train.py"}:
                yield f"{commit.subject}: lands something else than was measured"
            if trail.branches().get(commit.said["Branch"]) != measured.sha:
                yield f"{commit.subject}: not the tip of {commit.said['Branch']}"
        elif changed or len(commit.parents) != 1:
            yield f"{commit.subject}: not an empty commit"
        score = new
    if verdicts[:1] != ["baseline"] or verdicts.count("baseline") != 1:
        yield f"main's verdicts begin with {verdicts[:2]}"


def every_attempt(trail: Trail, attempts: int) -> Iterator[str]:
    branches = trail.branches()
    numbers = sorted(int(name.split("/")[1][:4]) for name in branches)
    if numbers != list(range(1, attempts + 1)):
        yield f"attempts {numbers} instead of 1 to {attempts}"
    on_main = {commit.sha for commit in trail.main}
    for name, tip in branches.items():
        given = [c for c in trail.verdicts() if c.said.get("Branch") == name]
        if len(given) != 1:
            yield f"{name} has {len(given)} verdicts"
            continue
        merged = given[0].said["Verdict"] == "merged"
        if merged != (given[0].sha in on_main) or (not merged and given[0].sha != tip):
            yield f"{name}: its verdict stands at the wrong place"
        score, reason = given[0].said.get("Val-Accuracy"), given[0].said["Reason"]
        judged = given[0].said["Verdict"] == "rejected" and not reason.startswith("superseded")
        if judged and not (score and float(score) <= float(given[0].said["Main-Accuracy"])):
            yield f"{name} was rejected though {reason}"
        if given[0].said["Verdict"] == "failed" and score is not None:
            yield f"{name} failed with a score"
        yield from _branch(trail, name, given[0].parents[1] if merged else given[0].parents[0])


def _branch(trail: Trail, name: str, tip: str) -> Iterator[str]:
    """Check an attempt's commits, from its assignment to what was judged."""
    component = name.split("-")[1]
    chain = [trail.commits[tip]]
    while not chain[-1].said.get("Hypothesis"):
        chain.append(trail.commits[chain[-1].parents[0]])
    *later, first = chain
    if first.parents[0] not in {commit.sha for commit in trail.main}:
        yield f"{name} does not start from main"
    person = first.said.get("Proposed-By")  # whose own branch it tries
    begins, writes = (ENGINE, person) if person else ("Performance Analyst", ROLES[component])
    if not first.author.startswith(begins) or first.said["Branch"] != name:
        yield f"{name} begins with {first.subject} by {first.author}"
    if trail.changed(first.parents[0], first.sha):
        yield f"{name}: the assignment changes files"
    written = [commit for commit in later if commit.author != ENGINE]
    if not 1 <= len(written) <= 2:
        yield f"{name}: {len(written)} commits by the engineer"
    for commit in written:
        if not commit.author.startswith(writes):
            yield f"{name}: {commit.subject} is by {commit.author}"
        if trail.changed(commit.parents[0], commit.sha) != [f"{component}.py"]:
            yield f"{name}: {commit.subject} changes something else than {component}.py"


def records(trail: Trail) -> Iterator[str]:
    """Check that each verdict has its record as a note, and that it says the same."""
    given = trail.verdicts()
    if set(trail.notes) != {commit.sha for commit in given}:
        yield f"{len(trail.notes)} notes for {len(given)} verdicts"
    for commit in given:
        if trail.notes.get(commit.sha) != commit.said["Record"]:
            yield f"{commit.subject}: its note is not its record"
        record = trail.record(commit.said["Record"])
        score = commit.said.get("Val-Accuracy")
        same = record["verdict"] == commit.said["Verdict"] and record["status"] in (
            ("ok",) if score else ("invalid", "crashed", "timeout", "out-of-memory"))  # fmt: skip
        if not same or (score and f"{record['score']:.6g}" != score):
            yield f"{commit.subject}: its record tells something else"


def journal(trail: Trail) -> Iterator[str]:
    """Check that each result was collected once and counts once, and that nothing is half done."""
    results = [event for event in trail.events if event["event"] == "result"]
    keys = [event["key"] for event in results]
    if len(set(keys)) != len(keys):
        yield "a result was collected twice"
    for event in results:
        record = trail.record(event["record"])
        seconds = record["train_wall_seconds"] + (record["predict_wall_seconds"] or 0)
        if record["key"] != event["key"] or abs(seconds - event["seconds"]) > 0.01:
            yield "a result in the journal is not its record's"
    scored = {trail.record(commit.said["Record"])["key"] for commit in trail.verdicts()}
    if not scored <= set(keys):
        yield f"{len(scored - set(keys))} verdicts stand on results that the journal does not know"
    steps = [event for event in trail.events if event["event"].startswith("land")]
    if steps and steps[-1]["event"] == "landing":
        yield "a landing is half done"
    merged = [
        event["number"] for event in steps if event["event"] == "landed" and event.get("number")
    ]
    landed = [int(c.said["Iteration"]) for c in trail.main if c.said.get("Verdict") == "merged"]
    if merged != landed:
        yield f"the journal knows of merges {merged}, main of {landed}"


def trained_once(trail: Trail, log: Path) -> Iterator[str]:
    """Check that what the journal had collected was never trained again, and what it was of."""
    trained = [json.loads(line) for line in log.read_text().splitlines()]
    written = (trail.folder / ".improve" / "journal").read_bytes()
    for training in trained:
        known = written[: training["journal_bytes"]].decode(errors="replace")
        name = training["weights"].removesuffix(".safetensors")
        if re.search(rf'"event": "(result|trained)".*"key": "{name}', known):
            yield f"{name} was trained again although its result was there"
    files = {training["weights"].removesuffix(".safetensors"): training["files"]
             for training in trained}  # fmt: skip
    for commit in trail.verdicts():
        measured = files.get(trail.record(commit.said["Record"])["key"][:20], {})
        for name, blob in measured.items():
            if trail.git("rev-parse", f"{commit.sha}:{name}") != blob:
                yield f"{commit.subject}: {name} is not the one that was trained"


def leftovers(trail: Trail, temporary: Path) -> Iterator[str]:
    """Check that nothing half-made lies about, and that only main's weights are kept."""
    for path in [*temporary.iterdir(), *(trail.folder / ".git").rglob("*.lock")]:
        yield f"left: {path}"
    for path in (trail.folder / ".git" / "objects").rglob("tmp_*"):
        yield f"left: {path}"
    state = trail.folder / ".improve"
    for path in state.rglob("*"):
        if path.name.startswith(".") or path.relative_to(state).parts[0] not in STATE:
            yield f"left: {path}"
    newest = [c for c in trail.main if c.author == ENGINE and "Verdict" in c.said][-1]
    wanted = {f"{trail.record(newest.said['Record'])['key'][:20]}.safetensors"}
    kept = {path.name for path in (state / "weights").iterdir()}
    if kept != wanted:
        yield f"weights are kept of {sorted(kept)} instead of {sorted(wanted)}"


def left_running(folder: Path, docker: bool) -> list[str]:
    """Return the processes and containers that carry the label of a pipeline's sandboxes."""
    state = str((folder / ".improve").resolve())
    label = hashlib.sha256(state.encode()).hexdigest()[:12]
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and label.encode() in (entry / "environ").read_bytes():
                found.append(f"process {entry.name}")
    if docker:
        command = ["docker", "ps", "-a", "--filter", "label=improve-git", "--format",
                   '{{.ID}} {{.Label "improve-git"}}']  # fmt: skip
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        found += [f"container {line}" for line in said.splitlines() if label in line]
    return found


def essence(folder: Path) -> list[str]:
    """Return the trail without what differs from run to run: times, and names that follow them.

    One line a commit, which names its parents by their lines, so that equal lines are equal
    graphs; and one a branch.
    """
    trail = read(folder)
    names: dict[str, str] = {}
    lines = []
    for commit in reversed(trail.commits.values()):
        said = {k: v for k, v in commit.said.items() if k not in VOLATILE_TRAILERS}
        note = trail.record(trail.notes[commit.sha]) if commit.sha in trail.notes else {}
        told = {key: note[key] for key in TOLD if key in note}
        parents = [names[parent] for parent in commit.parents]
        why = commit.body.rpartition("\n\n")[0]
        line = json.dumps([commit.subject, commit.author, commit.tree, why, said, told, parents])
        names[commit.sha] = hashlib.sha256(line.encode()).hexdigest()[:10]
        lines.append(line)
    tips = {"main": trail.main[-1].sha, **trail.branches()}
    return sorted(lines) + [f"{name} {names[tip]}" for name, tip in sorted(tips.items())]
