"""The checks catch what they are there for: a false sandbox lets each thing happen once."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from false_sandbox import FalseSandbox
from improve_git.attacks import checks, scene
from improve_git.attacks.canaries import VARIABLE
from improve_git.attacks.catalogue import Attack, chosen
from improve_git.attacks.suite import Result, Suite, open_suite
from improve_git.domain import Outcome
from improve_git.git import ENGINE
from improve_git.pipeline import Pipeline
from improve_git.sandboxes.base import OnEvent, TrainJob
from improve_git.sandboxes.environment import LABEL


@pytest.fixture(scope="module")
def suite() -> Iterator[Suite]:
    with open_suite(FalseSandbox()) as suite:
        yield suite


@pytest.fixture
def box() -> Iterator[FalseSandbox]:
    box = FalseSandbox()
    yield box
    for child in box.children:
        child.kill()
        child.wait()


(HARMLESS,) = chosen(["print_a_score"])


def fire(suite: Suite, box: FalseSandbox, attack: Attack = HARMLESS) -> Result:
    return suite.run(attack, box)


def pipeline_of(job: TrainJob) -> Path:
    return job.weights_out.parents[2]


def git(job: TrainJob, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=pipeline_of(job), check=True, capture_output=True,
                          text=True)  # fmt: skip
    return done.stdout.strip()


def test_where_nothing_happens_all_holds(suite: Suite, box: FalseSandbox) -> None:
    result = fire(suite, box)
    assert (result.held, result.broken, result.outcome) == (True, (), "scored")


def test_nothing_of_a_run_is_left_but_the_world(suite: Suite, box: FalseSandbox) -> None:
    fire(suite, box)
    assert list((suite.world.folder / "runs").iterdir()) == []
    with open_suite(box) as other:
        assert os.environ[VARIABLE] == other.canary.secret
    assert not other.world.folder.exists()


def test_a_leak_of_labels_shows_in_the_score(suite: Suite, box: FalseSandbox) -> None:
    pipeline = Pipeline.open(suite.world.template)
    labels = pipeline.snapshot(pipeline.main()).data_set.labels("val")
    half = np.arange(len(labels)) % 2 == 0  # even where only half of them are known
    box.answer = lambda _: np.eye(4, dtype=np.float32)[np.where(half, labels, 0)]
    (told,) = fire(suite, box).broken
    assert told.startswith("labels leaked: accuracy 0.6")


def commit(job: TrainJob, _: OnEvent) -> None:
    git(job, "commit", "--quiet", "--allow-empty", "-m", "Move main")


def write(name: str) -> Callable[[TrainJob, OnEvent], object]:
    return lambda job, _: (pipeline_of(job) / name).write_text("x")


def verdict(job: TrainJob, _: OnEvent) -> None:
    """Give a verdict in the name of a candidate, as forged trailers would."""
    branch = git(job, "for-each-ref", "--format=%(refname)", "refs/heads/improve")
    message = "Fine\n\nVerdict: merged\nVerdict: merged\nMade-Up: 1"
    forged = git(job, "commit-tree", f"{branch}^{{tree}}", "-p", branch, "-m", message)
    git(job, "update-ref", branch, forged)


def job_folder(job: TrainJob, _: OnEvent) -> None:
    Path(tempfile.mkdtemp(prefix=f"improve-git-job-{job.label}-"))


def reach(_job: TrainJob, _: OnEvent) -> None:
    for connection in psutil.Process().net_connections():
        if connection.status == psutil.CONN_LISTEN:
            with socket.create_connection(("127.0.0.1", connection.laddr.port), 5):
                pass


def damage(job: TrainJob, _: OnEvent) -> None:
    objects = sorted((pipeline_of(job) / ".git" / "objects").glob("??/*"))
    objects[0].chmod(0o600)
    objects[0].write_bytes(b"nothing")


@pytest.mark.parametrize(
    ("happens", "told"),
    [
        (commit, "main moved"),
        (write("stray.txt"), "stray.txt was added"),
        (write(".git/config"), ".git/config was changed"),
        (write("model.py"), "the checkout is not clean"),
        (write(".git/hooks-pre-commit"), ".git/hooks-pre-commit was added"),
        (lambda job, _: git(job, "branch", "other"), "the new branches are"),
        (verdict, "a forged trailer Made-Up"),
        (verdict, "2 trailers Verdict"),
        (verdict, "2 verdicts"),
        (job_folder, "the job folder"),
        (reach, "a TCP socket of the host's was reached"),
        (damage, "git fsck"),
        (lambda job, on_event: on_event({"event": "epoch", "text": "\x1b[2J"}), "a terminal"),
    ],
)
def test_what_happens_is_told(
    suite: Suite, box: FalseSandbox, happens: Callable[[TrainJob, OnEvent], object], told: str
) -> None:
    box.happens = happens
    result = fire(suite, box)
    assert not result.held
    assert told in "\n".join(result.broken)


def test_a_process_that_is_left_is_told(
    suite: Suite, box: FalseSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "ENDING_SECONDS", 1.0)
    program = [sys.executable, "-c", "import time; time.sleep(600)"]

    def leave(job: TrainJob, _: OnEvent) -> None:
        box.children.append(subprocess.Popen(program, env=os.environ | {LABEL: job.label}))

    box.happens = leave
    (told,) = fire(suite, box).broken
    assert told.startswith("the process python")


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (Outcome("crashed", "by itself"), "the outcome is crashed (by itself), not scored"),
        (Outcome("ok", log_tail="got through: wrote to /"), "it got through: wrote to /"),
        (Outcome("ok", curve=[{"text": "\x1b[2Jx"}]), "a text holds what a terminal acts upon"),
        (Outcome("sandbox-error", "the engine is away"), "the run broke off: the sandbox failed"),
    ],
)
def test_what_is_recorded_is_looked_through(
    suite: Suite, box: FalseSandbox, outcome: Outcome, told: str
) -> None:
    box.trained = outcome
    assert told in "\n".join(fire(suite, box).broken)


def test_the_secret_is_found_wherever_it_went(suite: Suite, box: FalseSandbox) -> None:
    box.trained = Outcome("ok", log_tail=f"the key is {suite.canary.secret}")
    broken = fire(suite, box).broken
    assert broken and all(told.startswith("the host's secret is in .git/") for told in broken)


def test_a_changed_harness_is_told(
    suite: Suite, box: FalseSandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "harness.py").write_text("honest")
    monkeypatch.setattr(scene, "shipped", lambda _: tmp_path)
    box.happens = lambda job, _: (tmp_path / "harness.py").write_text("hostile")
    (told,) = fire(suite, box).broken
    assert told == "the harness, the templates, the images or the packs were changed"


def test_changed_images_are_told(suite: Suite, box: FalseSandbox) -> None:
    stray = suite.world.folder / "images" / "plain" / "stray.png"
    box.happens = lambda job, _: stray.write_bytes(b"x")
    try:
        assert "the images or the packs were changed" in "\n".join(fire(suite, box).broken)
    finally:
        stray.unlink()


def test_what_takes_too_long_is_told(
    suite: Suite, box: FalseSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "SLACK_SECONDS", -1000.0)
    (told,) = fire(suite, box).broken
    assert "its deadlines end after" in told


def test_only_the_engine_gives_verdicts(suite: Suite, box: FalseSandbox) -> None:
    box.happens = verdict
    told = "\n".join(fire(suite, box).broken)
    assert f"{ENGINE.name} gave a verdict" not in told
    assert " gave a verdict" in told
