"""A pipeline repository with a handful of attempts, written by the trail's own functions.

Nothing is trained: the measurements are made up in the shape of trial.Bench's.
"""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from improve_git.datasets.dataset import DataSet, Entry
from improve_git.domain import FILES, Assignment, Attempt, Component, Design, Rewrite, Verdict
from improve_git.git import Repository, process
from improve_git.iteration.words import main_subject, verdict_subject
from improve_git.messages import compose
from improve_git.pipeline import Pipeline
from improve_git.settings.improve_yaml import improve_yaml
from improve_git.settings.schema import Settings
from improve_git.trail import writing
from improve_git.trail.history import MAIN, branch_of, read_history
from improve_git.trail.landing import land

CLASSES = ("cat", "dog")
TEAM = "scripted"
SOURCE = '"""The {name} component."""\n\nSTRENGTH = {value}\n'


def data_set() -> DataSet:
    """Return a made-up data set of 40 images, 10 of them in val."""
    parts = ["train"] * 20 + ["tune"] * 4 + ["val"] * 10 + ["test"] * 6
    entries = tuple(
        Entry(path=f"{CLASSES[n % 2]}/{n:02d}.png", sha256=f"{n:064x}", label=n % 2, part=part)
        for n, part in enumerate(parts)
    )
    counts = {part: parts.count(part) for part in ("train", "tune", "val", "test")}
    profile = {
        "images": 40,
        "classes": list(CLASSES),
        "class_counts": [20, 20],
        "parts": counts,
        "part_class_counts": {part: [count // 2] * 2 for part, count in counts.items()},
        "width": {"min": 8, "median": 8, "max": 8},
        "height": {"min": 8, "median": 8, "max": 8},
        "formats": {"PNG": 40},
        "imbalance": 1.0,
        "modes": {"RGB": 40},
        "grey": False,
        "duplicates": 0,
        "unreadable": [],
        "mean": [0.5] * 3,
        "std": [0.2] * 3,
    }
    split = {"seed": 0, "fractions": {"tune": 0.1, "val": 0.25, "test": 0.15}, "given": False}
    return DataSet("pets", "class-folders", CLASSES, entries, profile, split)


def measurement(score: float | None, **changes: Any) -> dict[str, Any]:
    """Return a measurement: of a training that worked where there is a score."""
    right = round((score or 0) * 10)
    per_class = [
        {"precision": 1.0, "recall": min(5, right) / 5, "f1": 0.5, "support": 5},
        {"precision": 1.0, "recall": (right - min(5, right)) / 5, "f1": 0.5, "support": 5},
    ]
    judged = {"judgement": {"per_class": per_class, "value": score}} if score is not None else {}
    return {
        "format": 1,
        "key": "k" * 64,
        "status": "ok",
        "reason": "",
        "detail": "",
        "metric": "accuracy",
        "score": score,
        "seeds": [0],
        "curve": [{"epoch": n, "loss": 1 / (n + 1), "tune_accuracy": n / 4} for n in range(3)],
        "train_seconds": 12.5,
        "train_wall_seconds": 18.0,
        "predict_seconds": 0.5,
        "predict_wall_seconds": 4.5,
        "peak_memory_bytes": 2**30,
        "stopped_by": "",
        "sandbox": "process",
        "image": "python-3.11/torch-2.15.0",
        "dataset": data_set().fingerprint,
        "settings": {},
        "info": {},
        "log_tail": "",
    } | judged | changes  # fmt: skip


@dataclass
class ExampleTrail:
    """Writes a pipeline's story step by step, as the loop would."""

    pipeline: Pipeline
    record: dict[str, Any]  # main's newest

    @classmethod
    def found(cls, folder: Path, metric: str = "accuracy", score: float = 0.5) -> "ExampleTrail":
        """Make the repository with its baseline."""
        settings = Settings()
        settings.data.images = "/photos/pets"
        settings.metric.name = metric
        files = {
            "improve.yaml": improve_yaml(settings),
            "dataset.json": data_set().to_json(),
            "README.md": "# pets\n",
        }
        design = Design(
            {file: SOURCE.format(name=name, value=1) for name, file in FILES.items()},
            "Write a first pipeline",
            "A small network, as the images are few.",
        )
        repo = Repository.create(folder)
        writing.found(repo, files, "40 images in 2 classes", design, TEAM)
        repo.git("read-tree", "-m", "-u", "HEAD")
        example = cls(Pipeline.open(folder), measurement(score, metric=metric))
        example.score_main("baseline", example.record)
        return example

    @property
    def repo(self) -> Repository:
        """The pipeline's repository."""
        return self.pipeline.repo

    def score_main(self, verdict: Verdict, record: dict[str, Any]) -> str:
        """Write a verdict on main itself."""
        before = None if verdict == "baseline" else self.record.get("score")
        blob = writing.write_record(self.repo, record | {"verdict": verdict})
        labels = writing.verdict_trailers(verdict, "", record, blob, main_score=before)
        message = compose(main_subject(verdict, record, before), "", labels)
        tip = writing.close(self.repo, MAIN, self.pipeline.main(), message)
        self.repo.add_note(tip, blob)
        self.pipeline.journal.append("result", key="k", record=blob, seconds=22.5)
        self.record = record
        return tip

    def claim(self, component: Component, slug: str, hypothesis: str) -> int:
        """Open an attempt and return its number."""
        number = len(read_history(self.repo).attempts) + 1
        assignment = Assignment(component, slug, hypothesis, f"Try {slug}.", "half a point")
        writing.assign(self.repo, number, assignment, self.pipeline.main(), TEAM)
        return number

    def write(self, number: int, component: Component, slug: str, value: object) -> str:
        """Put the engineer's file on the branch and return the branch."""
        ref = branch_of(number, component, slug)
        change = Rewrite(SOURCE.format(name=component, value=value), f"Use {slug}", "It may help.")
        attempt = Attempt(number, component, slug, None)
        writing.rewrite(self.repo, attempt, str(self.repo.resolve(ref)), change, TEAM)
        return ref

    def attempt(
        self,
        component: Component,
        slug: str,
        verdict: Verdict,
        record: dict[str, Any],
        reason: str = "",
        hypothesis: str = "",
    ) -> int:
        """Write a whole attempt."""
        number = self.claim(component, slug, hypothesis or f"{slug} helps")
        ref = self.write(number, component, slug, number + 1)
        main = self.pipeline.main()
        record = record | {"main_score": self.record["score"], "main_commit": main}
        blob = writing.write_record(self.repo, record)
        labels = writing.verdict_trailers(
            verdict, reason, record, blob, main_score=self.record["score"],
            attempt=(number, component, ref.removeprefix("refs/heads/")),
        )  # fmt: skip
        opened = read_history(self.repo).of(number)
        assert opened
        subject = verdict_subject(opened, verdict, reason, record)
        message = compose(subject, opened.hypothesis, labels)
        if verdict == "merged":
            tip = writing.prepare_merge(self.repo, ref, component, main, message)
            land(self.repo, self.pipeline.journal, tip, main)
            self.record = record
        else:
            tip = writing.close(self.repo, ref, self.repo.resolve(ref) or "", message)
        self.repo.add_note(tip, blob)
        self.pipeline.journal.append("result", key="k", record=blob, seconds=22.5)
        return number

    def commit_by_user(self, files: dict[str, str]) -> str:
        """Let the user commit to main, work tree and all."""
        folder = self.repo.folder
        for name, text in files.items():
            (folder / name).write_text(text)
        self.repo.git("add", "--", *files)
        self.repo.git("commit", "-q", "-m", "Change by hand", env={"GIT_AUTHOR_NAME": "User",
                      "GIT_AUTHOR_EMAIL": "user@example.invalid"})  # fmt: skip
        return self.pipeline.main()


def pin_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every commit be after the last one, beginning at one date."""
    ticks = itertools.count(1_700_000_000)
    monkeypatch.setattr(process, "now", lambda: f"{next(ticks)} +0000")


def tell(folder: Path) -> ExampleTrail:
    """Write a story with one of everything that can happen."""
    example = ExampleTrail.found(folder)
    example.attempt("model", "wider", "merged", measurement(0.7),
                    "accuracy 0.7000 over 0.5000 (+20.00 points)")  # fmt: skip
    example.attempt("train", "longer", "rejected", measurement(0.6),
                    "accuracy 0.6000 under 0.7000 (-10.00 points)")  # fmt: skip
    example.attempt("data", "mixup", "failed", measurement(None, status="crashed", curve=[]),
                    "crashed: ValueError: size mismatch")  # fmt: skip
    example.commit_by_user({"train.py": SOURCE.format(name="train", value="'by hand'")})
    example.score_main("measured", measurement(0.8))
    example.attempt("data", "flips", "merged", measurement(0.9),
                    "accuracy 0.9000 over 0.8000 (+10.00 points)")  # fmt: skip
    example.claim("train", "warm-up", "a warm-up steadies the first steps")
    return example
