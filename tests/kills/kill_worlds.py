"""The pipelines on which engines are killed, and how an engine is put together for one of them.

A world is a folder: the pipeline, a private folder for temporary files, a log of trainings, and
`world.json`, so that any process can open it. The scripted world takes no time to train; the
world of bars trains a tiny real network for a fixed number of epochs on one thread.
"""

import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from boundaries import Boundaries
from PIL import Image

import pipelines
from improve_git import creation
from improve_git.by_hand import try_branch
from improve_git.domain import FILES, Assignment, Context, Design, Outcome, Rewrite
from improve_git.files import write_atomically
from improve_git.iteration.trial import Bench
from improve_git.loop import Loop
from improve_git.observer import Silent
from improve_git.pipeline import Pipeline
from improve_git.sandboxes.base import PredictJob, Sandbox, TrainJob
from improve_git.sandboxes.select import open_sandbox
from improve_git.trail.history import read_history
from scripted import ScriptedSandbox, ScriptedTeam, source
from worlds import make_photos

CRASHING = "\n# crashed\n"
USERS = "Train my way"


@dataclass
class Plan:
    """What the team of a world does."""

    sandbox: str  # "scripted", "process" or "docker"
    design: dict[str, str]  # "data.py" -> source
    moves: list[tuple[str, str, str]]  # component, slug, source
    repairs: dict[str, str] = field(default_factory=dict)  # a failed source -> the next
    users_commit: str = ""  # a train.py that the user commits while move 2, of data.py, is trained
    tries: list[tuple[str, str, str]] = field(default_factory=list)  # the user's, as moves
    carried_on_by: str = "try"  # or "run"


def scripted_plan() -> Plan:
    """A merge, a candidate on a moved main, a repaired merge, a failure, a rejection."""
    crash, lost = source("train", 0.9, CRASHING), source("data", 0.9, CRASHING)
    return Plan(
        "scripted",
        {FILES[name]: source(name, 0.1) for name in FILES},
        [
            ("model", "wider", source("model", 0.2)),
            ("data", "shift", source("data", 0.2)),
            ("train", "longer", crash),
            ("data", "lost", lost),
            ("model", "narrower", source("model", 0.1)),
        ],
        {crash: source("train", 0.3)},
        source("train", 0.15),
    )


def tries_plan(carried_on_by: str) -> Plan:
    """Branches of the user's: one that is merged, and one that crashes and that none repairs."""
    crash = source("train", 0.9, CRASHING)
    return Plan(
        "scripted",
        {FILES[name]: source(name, 0.1) for name in FILES},
        [],
        {crash: source("train", 0.9)},
        tries=[("model", "wider", source("model", 0.2)), ("train", "crash", crash)],
        carried_on_by=carried_on_by,
    )


def bars_plan(sandbox: str) -> Plan:
    """A merge, a rejection and a failure; far enough apart to come out so on every machine."""
    step = "parameter -= gradient"
    timid = pipelines.TRAIN.replace(step, "parameter -= 1e-6 * gradient")
    pooled = pipelines.MODEL.replace("AdaptiveAvgPool2d(4)", "AdaptiveAvgPool2d(1)")
    blind = pooled.replace("8 * 16", "8")
    crash = pipelines.DATA.replace("workers = spec", "raise OSError\n    workers = spec")
    return Plan(
        sandbox,
        {**pipelines.FILES, "train.py": timid},
        [("train", "bolder", pipelines.TRAIN), ("model", "blind", blind), ("data", "lost", crash)],
    )


def make_world(folder: Path, plan: Plan) -> "KillWorld":
    """Make a pipeline with work of the user's in its checkout that is not committed."""
    folder.mkdir(parents=True)
    (folder / "tmp").mkdir()
    photos = make_photos(folder / "photos") if plan.sandbox == "scripted" else _bars(folder)
    (folder / "world.json").write_text(json.dumps(asdict(plan)))
    words = ["data.split.val=0.4", "data.split.test=0.1", "budget.train_seconds=300",
             "budget.predict_seconds=300", "sandbox.cpus=1", "budget.repairs=1", "epochs=4",
             "accept=improves", "budget.failures=9",
             f"budget.iterations={len(plan.moves) + len(plan.tries)}"]  # fmt: skip
    if plan.sandbox != "scripted":
        words.append(f"sandbox={plan.sandbox}")
    if plan.sandbox == "process":  # what holds is another test's business
        words.append("sandbox.allow_unisolated=true")
    found = creation.plan(str(photos), folder / "pipeline", words)
    creation.create(found, lambda _: PlannedTeam(plan))
    world = KillWorld(folder)
    for component, branch, text in plan.tries:
        _users_git(world.pipeline, "switch", "-q", "-c", branch, "main")
        (world.pipeline / f"{component}.py").write_text(text)
        _users_git(world.pipeline, "commit", "-q", "-a", "-m", f"Try {branch}")
        _users_git(world.pipeline, "switch", "-q", "main")
    (world.pipeline / "README.md").write_text("Mine, not committed.\n")
    (world.pipeline / "notes.txt").write_text("Mine, staged.\n")
    _users_git(world.pipeline, "add", "notes.txt")
    (world.pipeline / "plan.txt").write_text("Mine, untracked.\n")
    return world


def _bars(folder: Path) -> Path:
    images, labels = pipelines.make_images(240, seed=1)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = folder / "photos" / ("left", "middle", "right")[label] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return folder / "photos"


def _users_git(folder: Path, *command: str) -> str:
    # In a session of its own: what is killed is the engine, not the user.
    done = subprocess.run(["git", *command], cwd=folder, check=True, capture_output=True,
                          text=True, start_new_session=True)  # fmt: skip
    return done.stdout


@dataclass(frozen=True)
class KillWorld:
    """A world on disk."""

    folder: Path

    @property
    def pipeline(self) -> Path:
        return self.folder / "pipeline"

    @property
    def state(self) -> Path:
        return self.pipeline / ".improve"

    @property
    def trainings(self) -> Path:
        return self.folder / "trainings"

    @property
    def hits(self) -> Path:
        return self.folder / "hits"

    def plan(self) -> Plan:
        return Plan(**json.loads((self.folder / "world.json").read_text()))

    def copy(self, target: Path) -> "KillWorld":
        """Return an independent copy, the images shared."""
        shutil.copytree(self.folder, target, symlinks=True, ignore=lambda *_: ["photos"])
        return KillWorld(target)

    def run(self, boundaries: Boundaries, memory: Path | None = None) -> str:
        """Run the real loop in this process until it ends."""
        plan = self.plan()
        pipeline = Pipeline.open(self.pipeline)
        snapshot = pipeline.snapshot(pipeline.main())
        sandbox: Sandbox
        if plan.sandbox == "scripted":
            sandbox = ScriptedSandbox(snapshot.data_set)
        else:
            sandbox = open_sandbox(snapshot.settings.sandbox, lambda _: None)
        if memory:
            sandbox = Remembering(sandbox, memory)
        watched = Watched(sandbox, boundaries, self, plan)
        bench = Bench(pipeline, watched, Silent())
        loop = Loop(pipeline, PlannedTeam(plan), bench, Silent())
        if not plan.tries:
            return loop.run()
        if plan.carried_on_by == "run" and read_history(pipeline.repo).open():
            loop.run()
        done = [try_branch(pipeline, bench, Silent(), branch) for _, branch, _ in plan.tries]
        return ", ".join(str(attempt.verdict) for attempt in done)


class PlannedTeam(ScriptedTeam):
    """Does the same in every process."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan.moves)
        self.plan = plan

    def design(self, context: Context, epochs: int | None) -> Design:
        del context, epochs
        return Design(self.plan.design, "Write the first pipeline", "For the kills.")

    def repair(
        self, assignment: Assignment, failed_source: str, outcome: Outcome, context: Context
    ) -> Rewrite | None:
        del context
        text = self.plan.repairs.get(failed_source)
        return text and Rewrite(text, f"Repair {assignment.slug} after {outcome.status}", "So.")


class Watched:
    """A sandbox whose phases are boundaries too, and whose trainings are written down."""

    def __init__(
        self, inner: Sandbox, boundaries: Boundaries, world: KillWorld, plan: Plan
    ) -> None:
        self.inner = inner
        self.name, self.image = inner.name, inner.image
        self.boundaries = boundaries
        self.world = world
        self.plan = plan

    def train(self, job: TrainJob, on_event: Callable[[dict[str, Any]], None]) -> Outcome:
        self._note(job)
        self.boundaries.passed("a training begins")
        self._users_commit(job)
        outcome = self.inner.train(job, self._watching(on_event, "training"))
        self.boundaries.passed("a training has ended")
        return outcome

    def predict(
        self, job: PredictJob, on_event: Callable[[dict[str, Any]], None]
    ) -> tuple[Outcome, np.ndarray | None]:
        self.boundaries.passed("a prediction begins")
        found = self.inner.predict(job, self._watching(on_event, "prediction"))
        self.boundaries.passed("a prediction has ended")
        return found

    def clear_leftovers(self, label_prefix: str) -> int:
        return self.inner.clear_leftovers(label_prefix)

    def _watching(
        self, on_event: Callable[[dict[str, Any]], None], phase: str
    ) -> Callable[[dict[str, Any]], None]:
        def hear(event: dict[str, Any]) -> None:
            on_event(event)
            self.boundaries.passed(f"during a {phase}")

        return hear

    def _note(self, job: TrainJob) -> None:
        """Write down what is trained, and how long the journal was then."""
        journal = self.world.state / "journal"
        line = {
            "weights": job.weights_out.name,
            "files": {name: _blob(text) for name, text in job.files.items()},
            "journal_bytes": journal.stat().st_size if journal.exists() else 0,
        }
        with self.world.trainings.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def _users_commit(self, job: TrainJob) -> None:
        """Commit as the user would, once, while the second move is trained."""
        if not self.plan.users_commit or job.files["data.py"] != self.plan.moves[1][2]:
            return
        folder = self.world.pipeline
        if USERS not in _users_git(folder, "log", "--format=%s", "main").splitlines():
            (folder / "train.py").write_text(self.plan.users_commit)
            _users_git(folder, "commit", "-q", "-m", USERS, "--", "train.py")


def _blob(text: str) -> str:
    """Return the name that Git gives to a text."""
    data = text.encode("utf-8", "surrogateescape")
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Remembering:
    """A sandbox that does each training and prediction once, and then answers from a folder.

    What is killed during a training is trained again by the engine, as it must be; here that
    costs a moment instead of minutes. Everything else is as real as before.
    """

    def __init__(self, inner: Sandbox, memory: Path, moment: float = 0.3) -> None:
        self.inner = inner
        self.name, self.image = inner.name, inner.image
        self.memory = memory
        self.moment = moment

    def train(self, job: TrainJob, on_event: Callable[[dict[str, Any]], None]) -> Outcome:
        known = self.memory / f"train-{_content(job.files)}"
        weights = known.with_suffix(".weights")
        if not known.exists():
            outcome = self.inner.train(job, on_event)
            if outcome.status == "sandbox-error":
                return outcome
            if job.weights_out.exists():
                write_atomically(weights, job.weights_out.read_bytes())
            write_atomically(known, json.dumps(asdict(outcome)))
            return outcome
        outcome = Outcome(**json.loads(known.read_text()))
        for point in outcome.curve:
            time.sleep(self.moment / len(outcome.curve))
            on_event({"event": "epoch", **point})
        if outcome.status == "ok":
            write_atomically(job.weights_out, weights.read_bytes())
        return outcome

    def predict(
        self, job: PredictJob, on_event: Callable[[dict[str, Any]], None]
    ) -> tuple[Outcome, np.ndarray | None]:
        known = self.memory / f"predict-{_content(job.files)}"
        if known.exists():
            time.sleep(self.moment)
            return Outcome("ok"), np.load(known)
        outcome, logits = self.inner.predict(job, on_event)
        if logits is not None:
            partial = known.with_suffix(f".{os.getpid()}.npy")
            np.save(partial, logits)
            partial.replace(known)
            outcome = replace(outcome, seconds=0.0, wall_seconds=0.0)
        return outcome, logits

    def clear_leftovers(self, label_prefix: str) -> int:
        return self.inner.clear_leftovers(label_prefix)


def _content(files: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:20]
