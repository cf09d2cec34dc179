"""Evaluation on real Git: what is compared with the baseline, and what is told of it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from improve_git.errors import PipelineError
from improve_git.sealed import evaluation
from improve_git.trail.history import read_history
from improve_git.trail.openings import OPENINGS, read_openings
from improve_git.views.overview import overview
from scripted import source
from sealing import BEST, BETTER, WORSE, certify, evaluate, sealed_world, used
from worlds import World

pytestmark = pytest.mark.usefixtures("clock")
CRASH = ("train", "rush", source("train", 0.9, "\n# crashed\n"))


@pytest.fixture
def world(photos: Path, tmp_path: Path) -> Callable[..., World]:
    return partial(sealed_world, photos, tmp_path / "pipeline")


def test_main_is_compared_with_the_baseline_whatever_is_certified(
    world: Callable[..., World],
) -> None:
    w = world(BETTER, BEST)
    w.run("budget.iterations=1")
    certify(w)
    w.run()
    used(w)
    made, repo = evaluate(w), w.pipeline.repo
    baseline = read_history(repo).main[0].commit
    assert (made.tip, made.against) == (w.pipeline.main(), baseline)
    assert (made.number, made.kind, made.passed, made.confidence) == (2, "evaluation", None, None)
    assert made.gain == pytest.approx(made.score - made.against_score) == pytest.approx(0.35)
    assert made.high is not None and 0 < made.low < made.gain < made.high
    assert made.gain - made.low == pytest.approx(made.high - made.gain, rel=1e-4)
    assert used(w) == ([2003, 2004, 2005] * 2, ["test"] * 6)
    assert overview(w.pipeline).opened("evaluation") == made
    body = " ".join(repo.log("-1", OPENINGS)[0].message.split())
    assert "+35.00 points over the baseline, 98.75 % interval +" in body
    assert "on 60 sealed images over 3 seeds a side" in body


def test_any_scored_revision_may_be_evaluated(world: Callable[..., World]) -> None:
    w = world(BETTER, WORSE)
    w.run()
    made = evaluate(w, "2")  # rejected, on top of the first
    assert made.tip == read_history(w.pipeline.repo).attempts[1].commit
    assert made.gain == pytest.approx(0.1)
    assert evaluate(w, made.tip[:12]).number == 2


def test_the_settings_of_the_revision_hold_for_both(world: Callable[..., World]) -> None:
    w = world(BETTER)
    w.run()
    settings = w.pipeline.text("improve.yaml")
    w.commit("improve.yaml", settings.replace("metric: accuracy", "metric: macro_f1"))
    assert "macro_f1" in w.pipeline.text("improve.yaml")
    w.run()
    before, now = evaluate(w, "1"), evaluate(w)
    assert (before.metric, now.metric) == ("accuracy", "macro_f1")
    assert now.gain == pytest.approx(now.score - now.against_score) and now.gain > 0
    known = evaluation.known(w.pipeline, "main")
    assert (known.metric, known.baseline, known.gain) == ("macro_f1", None, None)


def test_of_a_loss_the_gain_is_positive_where_it_falls(world: Callable[..., World]) -> None:
    w = world(BETTER, words=("metric=log_loss",))
    w.run()
    made = evaluate(w)
    assert made.high is not None and made.score < made.against_score
    assert made.gain == pytest.approx(made.against_score - made.score, rel=1e-4)
    assert 0 < made.low < made.gain < made.high
    body = " ".join(w.pipeline.repo.log("-1", OPENINGS)[0].message.split())
    interval = f"-{made.high:.4f} to -{made.low:.4f}"
    assert f"-{made.gain:.4f} over the baseline, 97.5 % interval {interval}, on 60" in body


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("main", "main holds the baseline's own files"),
        ("baseline", "the baseline holds the baseline's own files"),
        ("1", "0001 failed: there is nothing to evaluate"),
        ("9", "there is no iteration 9"),
        ("nowhere", "there is no revision 'nowhere'"),
    ],
)
def test_what_cannot_be_evaluated_opens_nothing(
    world: Callable[..., World], word: str, message: str
) -> None:
    w = world(CRASH)
    w.run()
    used(w)
    with pytest.raises(PipelineError, match=message):
        evaluate(w, word)
    assert used(w) == ([], []) and read_openings(w.pipeline.repo) == ()


def test_what_is_known_without_opening(world: Callable[..., World]) -> None:
    w = world(BETTER, CRASH)
    w.run()
    used(w)
    found = evaluation.known(w.pipeline, "main")
    assert found.gain == pytest.approx(0.3) and found.openings == ()
    assert (found.metric, found.train_seconds) == ("accuracy", 1.5)
    failed = evaluation.known(w.pipeline, "2")
    assert (failed.score, failed.gain) == (None, None)
    assert used(w) == ([], [])
