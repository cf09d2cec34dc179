"""Figures as people read them."""

import pytest

from improve_git.figures import METRICS, duration, metric_text, size_text


def test_every_metric_has_a_name_for_sentences() -> None:
    assert [metric_text(metric) for metric in METRICS] == [
        "accuracy", "balanced accuracy", "macro-F1", "log loss", "ROC-AUC", "quadratic kappa",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0 seconds"), (45, "45 seconds"), (95, "1.6 minutes"), (360, "6.0 minutes"),
     (5000, "83.3 minutes"), (9000, "2.5 hours")],
)  # fmt: skip
def test_a_time_has_the_unit_that_suits_it(seconds: float, told: str) -> None:
    assert duration(seconds) == told


def test_no_size_is_nothing() -> None:
    assert [size_text(n) for n in (10, 3000, 5 << 20)] == ["1 KiB", "3 KiB", "5 MiB"]
