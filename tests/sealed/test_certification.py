"""Certification on real Git: what is compared, and what passes."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from improve_git.errors import PipelineError
from improve_git.messages import trailers
from improve_git.sealed import certification
from improve_git.sealed.certification import sentence_of
from improve_git.trail.history import read_history
from improve_git.trail.openings import CERTIFIED, OPENINGS, read_openings
from improve_git.views.overview import overview
from scripted import source
from sealing import BEST, BETTER, certify, sealed_world, used
from worlds import World

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def world(photos: Path, tmp_path: Path) -> Callable[..., World]:
    return partial(sealed_world, photos, tmp_path / "pipeline")


def test_the_first_certificate_is_against_the_baseline(world: Callable[..., World]) -> None:
    w = world(BETTER)
    w.run()
    used(w)
    repo, tip = w.pipeline.repo, w.pipeline.main()
    made = certify(w)
    baseline = read_history(repo).main[0].commit
    assert (made.number, made.kind, made.passed) == (1, "certification", True)
    assert (made.tip, made.against) == (tip, baseline)
    assert made.level == 0.975 and made.gain == pytest.approx(0.3)
    assert made.confidence is not None and made.confidence >= 0.975
    assert 0 < made.low < made.gain and made.high is None
    assert used(w) == ([2000, 2001, 2002] * 2, ["test"] * 6)
    assert repo.resolve(CERTIFIED) == tip
    assert w.pipeline.main() == tip  # main has not moved
    told = r"\+30\.00 points on 60 sealed images over 3 seeds a side, confidence 0\.99\d\d, 0\.975"
    assert re.match(told, sentence_of(made)), sentence_of(made)
    assert sentence_of(made) in " ".join(repo.log("-1", OPENINGS)[0].message.split())
    assert overview(w.pipeline).opened("certification") == made


def test_the_next_certificate_is_against_the_last(world: Callable[..., World]) -> None:
    w = world(BETTER, BEST)
    w.run("budget.iterations=1")
    first = certify(w)
    w.run()
    second = certify(w)
    assert second.against == first.tip
    assert [first.level, second.level] == [0.975, 0.9875]
    assert read_openings(w.pipeline.repo) == (second, first)


def test_what_does_not_pass_counts_and_leaves_the_mark(world: Callable[..., World]) -> None:
    w = world(("model", "wider", source("model", 0.21)))  # one image of val, none beyond noise
    w.run()
    made, repo = certify(w), w.pipeline.repo
    assert made.passed is False and made.confidence is not None and made.confidence < made.level
    assert repo.resolve(CERTIFIED) is None
    [commit] = repo.log("-1", OPENINGS)
    assert trailers(commit.message)["Passed"] == "no"
    assert commit.subject.startswith(f"Do not certify {made.tip[:10]}, accuracy 0.")


def test_a_loss_that_falls_passes(world: Callable[..., World]) -> None:
    w = world(BETTER, words=("metric=log_loss",))
    w.run()
    made = certify(w)
    assert made.passed and made.metric == "log_loss" and made.score < made.against_score
    assert 0 < made.low < made.gain and sentence_of(made).startswith("-0.")
    assert read_openings(w.pipeline.repo) == (made,)


def test_there_must_be_something_new(world: Callable[..., World]) -> None:
    w = world(BETTER)
    w.run("budget.iterations=0")
    with pytest.raises(PipelineError, match="main holds what is the baseline still"):
        certify(w)
    w.run()
    certify(w)
    with pytest.raises(PipelineError, match="main holds what is certified already"):
        certify(w)
    assert len(read_openings(w.pipeline.repo)) == 1


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
