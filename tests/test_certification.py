"""Certification on real Git: what is compared, what it costs, what is written down, and where."""

import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from improve_git import certification
from improve_git.certification import Certificate, asked_confidence
from improve_git.domain import Outcome
from improve_git.errors import PipelineError
from improve_git.history import CERTIFICATIONS, CERTIFIED, certificates, read_history
from improve_git.incumbent import Incumbent
from improve_git.messages import trailers
from improve_git.observer import Silent
from improve_git.overview import overview
from improve_git.pipeline import Pipeline
from improve_git.sandboxes.base import PredictJob, TrainJob
from improve_git.trial import Bench
from scripted import ScriptedSandbox, source
from worlds import World, make_photos, make_world, ticking_clock

BETTER = ("model", "wider", source("model", 0.5))  # 30 points
BEST = ("train", "longer", source("train", 0.25))  # 5 points
CRASH = "\n# crashes with seed 2001\n"


@dataclass
class SealedSandbox:
    """A scripted sandbox that writes down which seeds and images were used."""

    inner: ScriptedSandbox
    seeds: list[int] = field(default_factory=list)
    packs: list[str] = field(default_factory=list)
    name: str = "scripted"
    image: str = "scripted-1"

    def train(self, job: TrainJob, on_event: Callable[[dict[str, Any]], None]) -> Outcome:
        if CRASH in job.files["train.py"] and job.spec["seed"] == 2001:
            return Outcome("crashed", reason="as scripted")
        self.seeds.append(job.spec["seed"])
        return self.inner.train(job, on_event)

    def predict(
        self, job: PredictJob, on_event: Callable[[dict[str, Any]], None]
    ) -> tuple[Outcome, np.ndarray | None]:
        self.packs.append(job.pack.name)
        outcome, logits = self.inner.predict(job, on_event)
        assert logits is not None
        logits[job.spec["seed"] % len(logits)] = logits[0]  # one image is in the seed's hands
        return outcome, logits

    def clear_leftovers(self, label_prefix: str) -> int:
        return self.inner.clear_leftovers(label_prefix)


@pytest.fixture(autouse=True, scope="module")
def clock() -> Iterator[None]:
    with ticking_clock():
        yield


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_photos(tmp_path_factory.mktemp("data") / "photos")


@pytest.fixture
def world(photos: Path, tmp_path: Path) -> Callable[..., World]:
    def make(*moves: tuple[str, str, str]) -> World:
        w = make_world(photos, tmp_path / "pipeline", [*moves], words=("data.split.test=0.3",))
        w.sandbox = SealedSandbox(w.sandbox)  # type: ignore[assignment]
        return w

    return make


def certify(w: World) -> Certificate:
    pipeline = Pipeline.open(w.pipeline.repo.folder)
    bench = Bench(pipeline, w.sandbox, Silent())
    main = Incumbent(pipeline, w.team, bench, Silent()).measured()
    return certification.certify(pipeline, bench, main)


def used(w: World) -> tuple[list[int], list[str]]:
    """Return the seeds and packs since the last call."""
    box: Any = w.sandbox
    found = (box.seeds, box.packs)
    box.seeds, box.packs = [], []
    return found


def test_a_run_never_opens_the_sealed_images(world: Callable[..., World]) -> None:
    w = world(BETTER)
    w.run()
    assert used(w) == ([0, 0], ["val", "val"])


def test_the_first_certificate_is_against_the_baseline(world: Callable[..., World]) -> None:
    w = world(BETTER)
    w.run()
    used(w)
    repo, tip = w.pipeline.repo, w.pipeline.main()
    weights = sorted((w.pipeline.state / "weights").iterdir())
    assert weights
    made = certify(w)
    baseline = read_history(repo).main[0].commit
    assert (made.use, made.tip, made.against, made.passed) == (1, tip, baseline, True)
    assert made.asked == 0.975 and made.confidence >= 0.975 and made.gain == pytest.approx(0.3)
    assert used(w) == ([2000, 2001, 2002] * 2, ["test"] * 6)
    assert repo.resolve(CERTIFIED) == tip
    assert w.pipeline.main() == tip  # main has not moved
    [said] = certificates(repo)
    assert (said["Certification"], said["Passed"], said["Tip"], said["Against"]) == (
        "1", "yes", tip, baseline,
    )  # fmt: skip
    assert said["Seeds"] == "2000,2001,2002"
    told = r"\+30\.00 points on 60 sealed images over 3 seeds a side, confidence 0\.99\d\d, 0\.975"
    assert re.match(told, made.sentence), made.sentence
    assert sorted((w.pipeline.state / "weights").iterdir()) == weights
    found = overview(w.pipeline)
    assert found.certificate is not None and found.certificate["Passed"] == "yes"


def test_teams_and_the_graph_see_nothing_of_it(world: Callable[..., World]) -> None:
    w = world(BETTER)
    w.run()
    before = read_history(w.pipeline.repo), w.graph()
    certify(w)
    assert (read_history(w.pipeline.repo), w.graph()) == before


def test_each_use_has_half_the_budget_and_fresh_seeds(world: Callable[..., World]) -> None:
    w = world(BETTER, BEST)
    w.run("budget.iterations=1")
    first = certify(w)
    w.run()
    used(w)
    second = certify(w)
    assert second.against == first.tip
    assert [first.asked, second.asked] == [0.975, 0.9875]
    assert used(w)[0] == [2003, 2004, 2005] * 2
    uses = certificates(w.pipeline.repo)
    assert [said["Certification"] for said in uses] == ["2", "1"]
    assert sum(1 - asked_confidence(use) for use in range(1, 60)) <= 0.05


def test_what_does_not_pass_counts_and_leaves_the_mark(world: Callable[..., World]) -> None:
    w = world(("model", "wider", source("model", 0.21)))  # one image of val, none beyond noise
    w.run()
    made = certify(w)
    assert not made.passed and made.confidence < made.asked
    repo = w.pipeline.repo
    assert repo.resolve(CERTIFIED) is None
    assert certificates(repo)[0]["Passed"] == "no"
    subject = repo.log("-1", CERTIFICATIONS)[0].subject
    assert subject.startswith(f"Do not certify {made.tip[:10]}, accuracy 0.")


def test_there_must_be_something_new(world: Callable[..., World]) -> None:
    w = world(BETTER)
    w.run("budget.iterations=0")
    with pytest.raises(PipelineError, match="main holds what is the baseline still"):
        certify(w)
    w.run()
    certify(w)
    with pytest.raises(PipelineError, match="main holds what is certified already"):
        certify(w)
    assert len(certificates(w.pipeline.repo)) == 1


def test_there_must_be_a_baseline(world: Callable[..., World]) -> None:
    with pytest.raises(PipelineError, match="nothing is measured yet"):
        certification.last(world().pipeline)


def test_a_bookmark_that_a_kill_left_behind_is_mended(world: Callable[..., World]) -> None:
    w = world(BETTER)
    w.run()
    made, repo = certify(w), w.pipeline.repo
    repo.git("update-ref", "-d", CERTIFIED)
    with pytest.raises(PipelineError, match="main holds what is certified already"):
        certify(w)
    assert repo.resolve(CERTIFIED) == made.tip


def test_a_training_that_fails_uses_nothing_up_and_loses_nothing(
    world: Callable[..., World],
) -> None:
    w = world(("train", "longer", source("train", 0.4, CRASH)))
    w.run()
    used(w)
    with pytest.raises(PipelineError, match="main cannot be certified: with seed 2001, crashed"):
        certify(w)
    assert certificates(w.pipeline.repo) == []
    w.commit("train.py", source("train", 0.4))
    used(w)
    assert certify(w).use == 1


def test_an_interrupted_use_goes_on_where_it_was(world: Callable[..., World]) -> None:
    w = world(BETTER)
    w.run()
    used(w)
    box: Any = w.sandbox

    def stop() -> None:
        if len(box.seeds) == 4:
            raise KeyboardInterrupt

    box.inner.before_training = stop
    with pytest.raises(KeyboardInterrupt):
        certify(w)
    box.inner.before_training = lambda: None
    assert certify(w).passed
    assert used(w)[0] == [2000, 2001, 2002, 2000, 2000, 2001, 2002]  # the fourth was cut short


def test_a_certificate_by_another_hand_does_not_count(world: Callable[..., World]) -> None:
    w = world(BETTER)
    w.run()
    repo = w.pipeline.repo
    message = "Certify it\n\nCertification: 1\nPassed: yes\n"
    forged = subprocess.run(
        ["git", "commit-tree", "-m", message, "HEAD^{tree}"],
        cwd=repo.folder, check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    repo.git("update-ref", CERTIFICATIONS, forged)
    assert trailers(message)["Passed"] == "yes"
    assert certificates(repo) == []
    assert certify(w).use == 1


def test_the_record_travels_with_the_reference(world: Callable[..., World], tmp_path: Path) -> None:
    w = world(BETTER)
    w.run()
    certify(w)
    clone = tmp_path / "clone"
    every = "+refs/improve/*:refs/improve/*"
    for command in (
        ["clone", "-q", str(w.pipeline.repo.folder), str(clone)],
        ["-C", str(clone), "fetch", "-q", "origin", every],
    ):
        subprocess.run(["git", *command], check=True)
    shown = subprocess.run(["git", "-C", str(clone), "show", f"{CERTIFICATIONS}:record.json"],
                           check=True, capture_output=True, text=True)  # fmt: skip
    assert '"passed": true' in shown.stdout
