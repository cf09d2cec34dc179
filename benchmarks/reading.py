"""How long `status` and `log` take on a long trail, as a multiple of a plain `git log` of it.

    python benchmarks/reading.py [--iterations 1000] [--runs 15] [--keep FOLDER]

Writes a trail of so many iterations by `git fast-import`: about 4 commits and a branch each, with
messages, trailers, records, notes and a journal as a run writes them. Then every command runs as a
process of its own, to a pipe, see timing.py; told are medians.
"Plain" is what a person would type to read the story: `git log --branches`.

Twice: with loose objects and references, as a run leaves them, and after `git gc`.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from improve_git import creation
from improve_git.domain import COMPONENTS, FILES, Attempt, Verdict
from improve_git.git import ENGINE, Person
from improve_git.git.repository import NOTES
from improve_git.iteration import words
from improve_git.messages import compose
from improve_git.pipeline import Pipeline
from improve_git.teams.playbook import Playbook
from improve_git.trail import writing
from improve_git.trail.history import MAIN, branch_of
from timing import medians, print_ratios

PLAIN = "git log --branches"
HYPOTHESIS = (
    "A lower peak and two more epochs give about twice as many steps at the rates where both "
    "accuracies were seen to rise, and training is still hardly above tuning"
)
BODY = (
    "Tuning accuracy crawled while the body's rate was above 0.0004 and rose below it, and "
    "training is hardly above tuning. Lower peaks and two more epochs give more steps at the rates "
    "that help; the warm-up keeps its length in steps.\n\nWhy now: the network is not yet fitted."
)
CURVE = [{"epoch": n, "loss": 1 / n, "train_accuracy": 0.7 + n / 99, "tune_accuracy": 0.7,
          "lr": 0.001} for n in range(1, 13)]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--iterations", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--keep", type=Path, help="write the trail there and leave it there")
    options = parser.parse_args()
    with _folder(options.keep) as folder:
        pipeline = make_trail(folder / "pipeline", options.iterations)
        git = pipeline.repo.git
        commits, branches = git("rev-list", "--count", "--branches"), len(pipeline.repo.branches())
        print(f"{options.iterations:,} iterations: {int(commits):,} commits, {branches:,} branches")
        print("\nas a run leaves it: loose objects and references")
        compare(pipeline.repo.folder, options.runs)
        git("gc", "--quiet")
        print("\nafter git gc")
        compare(pipeline.repo.folder, options.runs)


def compare(folder: Path, runs: int) -> None:
    """Time every command in turn; print medians and their ratio to a plain `git log`."""
    program = [sys.executable, "-m", "improve_git"]
    commands = {
        PLAIN: ["git", "-C", str(folder), "log", "--branches"],
        "python -c pass": [sys.executable, "-c", "pass"],
        "improve-git --version": [*program, "--version"],
        "improve-git status": [*program, "status", "-C", str(folder)],
        "improve-git status --json": [*program, "status", "--json", "-C", str(folder)],
        "improve-git log": [*program, "log", "-C", str(folder)],
        "improve-git log --json": [*program, "log", "--json", "-C", str(folder)],
    }
    print_ratios(medians(commands, runs), PLAIN)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep:
        keep.mkdir(parents=True)
        yield keep
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


class Stream:
    """What `git fast-import` reads: commits that name each other by marks."""

    def __init__(self, since: int) -> None:
        self.parts: list[bytes] = []
        self.mark = 0
        self.date = since

    def commit(self, ref: str, message: str, author: Person, parents: list[str], *file: str) -> str:
        """Put a commit on a branch, with one file (name, text) written or none; return its mark."""
        self.mark += 1
        self.date += 60
        self.parts += [f"commit {ref}\nmark :{self.mark}\n".encode()]
        for role, person in (("author", author), ("committer", ENGINE)):
            self.parts += [f"{role} {person.name} <{person.email}> {self.date} +0000\n".encode()]
        self._data(message)
        for word, parent in zip(("from", "merge"), parents, strict=False):
            self.parts += [f"{word} {parent}\n".encode()]
        if file:
            self.parts += [f"M 100644 inline {file[0]}\n".encode()]
            self._data(file[1])
        return f":{self.mark}"

    def note(self, commit: str, record: str) -> None:
        """Attach a record."""
        self.date += 1
        person = f"{ENGINE.name} <{ENGINE.email}> {self.date} +0000"
        self.parts += [f"commit {NOTES}\ncommitter {person}\n".encode()]
        self._data("Notes added by 'git notes add'\n")
        self.parts += [f"N inline {commit}\n".encode()]
        self._data(record)

    def _data(self, text: str) -> None:
        content = text.encode()
        self.parts += [f"data {len(content)}\n".encode(), content, b"\n"]


def make_trail(folder: Path, iterations: int) -> Pipeline:
    """Every tenth attempt is merged, every seventh fails, repairs come to one an attempt."""
    found = creation.plan("digits", folder, [])
    repo = creation.create(found, lambda _: Playbook())
    pipeline = Pipeline.open(repo.folder)
    journal: list[dict[str, object]] = []
    sources = {name: repo.read(MAIN, file) for name, file in FILES.items()}
    stream = Stream(1_700_000_000)
    score = 0.7238
    record = _record(score)
    labels = writing.verdict_trailers("baseline", "", record, "0" * 40)
    subject = words.main_subject("baseline", record, None)
    main = stream.commit(MAIN, compose(subject, "", labels), ENGINE, [pipeline.main()])
    for number in range(1, iterations + 1):
        component = COMPONENTS[number % 3]
        attempt = Attempt(number, component, f"step-{number}-at-gentler-rates", None)
        ref = writing.ref_of(attempt)
        assert ref == branch_of(number, component, attempt.slug)
        branch = ref.removeprefix("refs/heads/")
        asked = compose(f"Assign {FILES[component]}: {attempt.slug}", BODY, {
            "Iteration": number, "Component": component, "Branch": branch,
            "Hypothesis": HYPOTHESIS, "Expected-Effect": "+0.4 points", "Mechanism": "schedule",
        })  # fmt: skip
        tip = stream.commit(ref, asked, writing.author("analyst", "model"), [main])
        for step in range(1 + number % 3):
            source = f"{sources[component]}\nSTEP = {number + step / 3}\n"
            told = compose(f"Take step {number}", BODY, {"Iteration": number,
                           "Component": component})  # fmt: skip
            by = writing.author(component, "model")
            tip = stream.commit(ref, told, by, [tip], FILES[component], source)
        verdict: Verdict = (
            "merged" if not number % 10 else "failed" if not number % 7 else "rejected"
        )
        before, score_now = score, None if verdict == "failed" else score - 0.01
        if verdict == "merged":
            score_now = score = score + 0.001
        record = _record(score_now, main_score=before)
        reason = ("crashed", "timeout", "out-of-memory")[number % 3] + ": of some kind"
        if verdict != "failed":
            reason = "-1.00 points at first look, confidence 0.12; a chance of 0.01"
        labels = writing.verdict_trailers(
            verdict, reason, record, "0" * 40, main_score=before,
            attempt=(number, component, branch),
        )  # fmt: skip
        message = compose(
            words.verdict_subject(attempt, verdict, reason, record), HYPOTHESIS, labels
        )
        if verdict == "merged":
            main = end = stream.commit(MAIN, message, ENGINE, [main, tip], FILES[component], source)
        else:
            end = stream.commit(ref, message, ENGINE, [tip])
        stream.note(end, json.dumps(record, indent=1))
        journal += _journalled(number, component)
    repo.git("fast-import", "--quiet", "--force", stdin=b"".join(stream.parts))
    repo.git("read-tree", "-m", "-u", "HEAD")
    _unpack(pipeline)
    pipeline.state.mkdir(exist_ok=True)
    text = "".join(json.dumps(event) + "\n" for event in journal)
    (pipeline.state / "journal").write_text(text)
    return pipeline


def _record(score: float | None, **more: object) -> dict[str, object]:
    return {
        "status": "crashed" if score is None else "ok", "metric": "accuracy", "score": score,
        "seeds": [1000], "curve": CURVE, "train_seconds": 889.4, "stopped_by": "", "luck": 0.00581,
        "confidence": 0.17, "sandbox": "process", "dataset": "sha256:" + "d" * 64,
        "image": "python-3.11.7/torch-2.15.0/torchvision-0.29.2/timm-1.0.31",
        "llm": {"tokens": 20020, "cost_usd": 0.0123},
        "judgement": {"predicted": [n % 4 for n in range(525)]}, **more,
    }  # fmt: skip


def _journalled(number: int, component: str) -> list[dict[str, object]]:
    """Return what a run notes down of one iteration."""
    events: list[dict[str, object]] = [{"event": "claim", "number": number}]
    for role in ("analyst", component):
        call = {"call": f"{number:04d}-{role}-1", "iteration": number, "role": role}
        events += [
            {"event": "asking", **call, "tokens": 30_000, "usd": 0.05},
            {"event": "asked", **call, "model": "model", "tokens": 10_010, "prompt_tokens": 8000,
             "completion_tokens": 2010, "usd": 0.006, "seconds": 43.0, "prompt": "e" * 64,
             "transcript": f"{number:032x}{role:>32}"},
        ]  # fmt: skip
    limits = "Limits(seconds=600.0, memory_bytes=8589934592, processes=1024, cpus=None)"
    key = f"{number:064x}"
    return [
        *events,
        {"event": "trained", "key": key, "outcome": "5" * 40},
        {"event": "result", "key": key, "record": "9" * 40, "seconds": 1217.3, "limits": limits},
    ]


def _unpack(pipeline: Pipeline) -> None:
    """Make the imported pack loose objects, as a run's are."""
    for index in (pipeline.repo.common_dir() / "objects" / "pack").glob("*.idx"):
        pack = index.with_suffix(".pack").read_bytes()
        for file in index.parent.glob(f"{index.stem}.*"):
            file.unlink()
        pipeline.repo.git("unpack-objects", "-q", stdin=pack)


if __name__ == "__main__":
    main()
