"""How a search went, out of its trail."""

from pathlib import Path

import pytest
from example_trail import ExampleTrail, measurement, pin_clock, tell

from improve_git.trail.history import read_history
from improve_git.trail.progress import Step, failures, steps


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    pin_clock(monkeypatch)


def test_main_stands_where_the_last_merge_or_the_user_put_it(tmp_path: Path) -> None:
    example = tell(tmp_path / "pets")
    example.attempt("model", "deeper", "rejected", measurement(0.4), "lower")
    assert steps(read_history(example.repo)) == (
        Step(1, "merged", 0.7, 0.7),
        Step(2, "rejected", 0.6, 0.7),
        Step(3, "failed", None, 0.7),
        Step(4, "merged", 0.9, 0.9),
        Step(6, "rejected", 0.4, 0.9),
    )


def test_a_new_metric_begins_anew(tmp_path: Path) -> None:
    example = ExampleTrail.found(tmp_path / "pets")
    example.attempt("model", "wider", "merged", measurement(0.7))
    example.record = {}
    example.score_main("measured", measurement(0.25, metric="log_loss"))
    example.attempt("model", "deeper", "rejected", measurement(0.3, metric="log_loss"))
    assert steps(read_history(example.repo)) == (Step(2, "rejected", 0.3, 0.25),)


def test_failures_are_told_by_kind(tmp_path: Path) -> None:
    example = ExampleTrail.found(tmp_path / "pets")
    for reason in ("timeout: 60 s", "crashed: ValueError", "timeout: 60 s", "\x1b[2J forged"):
        failed = measurement(None, status="crashed", curve=[])
        example.attempt("model", "odd", "failed", failed, reason)
    assert failures(read_history(example.repo)) == {"timeout": 2, "crashed": 1, "other": 1}
