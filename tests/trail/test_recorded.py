"""What a record says, of whatever kind it is."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from improve_git.trail import recorded

KEYS = st.sampled_from(["by_seed", "curve", "judgement", "looks", "per_class", "predicted",
                        "recall", "score", "seeds", "support", "train_seconds", "detail",
                        "figures", "x"])  # fmt: skip
LEAVES = st.sampled_from(
    [None, True, 0, 1, 2, -1, 10**400, 0.5, 1e308, math.nan, -math.inf, "", "x\ny"]
)
CONTENT = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=15,
)


@given(st.none() | st.dictionaries(KEYS, CONTENT), st.sampled_from(["accuracy", "log_loss"]))
def test_any_record_is_put_up_with(record: dict[str, Any] | None, metric: str) -> None:
    for row in recorded.curve(record):
        assert all(math.isfinite(value) for value in row.values())
    for pair in recorded.recalls(record):
        assert pair is None or math.isfinite(pair[1])
    assert all(math.isfinite(score) for score in recorded.looks(record).values())
    assert all(seconds > 0 for seconds in recorded.train_seconds(record))
    assert len(recorded.detail(record, 2).splitlines()) <= 2
    for run in (recorded.trainings(record, metric, 2, 3) or {}).values():
        assert math.isfinite(run.score)
        assert [guess in (0, 1, 2) for guess in run.predicted] == [True, True]


def record_of(**judged: Any) -> dict[str, Any]:
    judgement = {"predicted": [0, 2], "figures": None, "per_class": []} | judged
    return {"score": 0.5, "seeds": [7], "judgement": judgement, "train_seconds": 3.0}


def test_the_trainings_of_one_seed_and_of_several() -> None:
    one = record_of()
    assert recorded.trainings(one, "accuracy", 2, 3) == {7: recorded.Trained(0.5, [0, 2])}
    other = record_of(predicted=[1, 1]) | {"seeds": [8], "score": 0.25}
    both = one | {"seeds": [7, 8], "by_seed": [one, other]}
    found = recorded.trainings(json.loads(json.dumps(both)), "accuracy", 2, 3)
    assert found == {7: recorded.Trained(0.5, [0, 2]), 8: recorded.Trained(0.25, [1, 1])}
    assert recorded.train_seconds(both) == [3.0, 3.0]


@pytest.mark.parametrize(
    "record",
    [
        record_of(predicted=[0]),
        record_of(predicted=[0, 3]),
        record_of(predicted=[0, -1]),
        record_of(predicted=[0, True]),
        record_of() | {"seeds": [7, 8]},
        record_of() | {"seeds": ["7"]},
        record_of() | {"score": float("nan")},
        record_of() | {"score": 1e300},
        record_of() | {"by_seed": [record_of(), record_of(predicted=[9, 9])]},
        {},
    ],
)
def test_predictions_that_do_not_fit_count_as_absent(record: dict[str, Any]) -> None:
    assert recorded.trainings(record, "accuracy", 2, 3) is None


def test_scores_by_seed_whose_variance_would_be_no_number_count_as_absent() -> None:
    said = {"Seeds": "1,2,3,4", "Seed-Scores": "1e300,0.5,nan,-inf"}
    assert recorded.seed_scores(said, None) == {2: 0.5}


def test_a_metric_of_confidences_needs_them() -> None:
    losses, rows = [0.1, 0.2], [[0.1, 0.2, 0.7]] * 2
    for metric, right in (("log_loss", losses), ("roc_auc", rows)):
        found = recorded.trainings(record_of(figures=right), metric, 2, 3)
        assert found is not None
        assert found[7].figures == right
        for wrong in (None, [], [0.1], [0.1, None], rows[:1], [[0.1]] * 2):
            assert recorded.trainings(record_of(figures=wrong), metric, 2, 3) is None, wrong


def test_recalls_are_means_over_the_seeds() -> None:
    runs = [
        record_of(per_class=[{"recall": recall, "support": 4}, {"recall": 1}])
        for recall in (0.5, 1.0)
    ]
    assert recorded.recalls({"by_seed": runs}) == [(4, 0.75), None]
    runs[0]["judgement"]["per_class"].pop()
    assert recorded.recalls({"by_seed": runs}) == []


def test_the_confusion_is_summed_over_the_seeds() -> None:
    one = {"judgement": {"confusion": [[3, 1], [0, 2]]}}
    assert recorded.confusion(one, 2) == [[3, 1], [0, 2]]
    assert recorded.confusion(one, 3) == []
    other = {"judgement": {"confusion": [[1, 0], [0, 1]]}}
    assert recorded.confusion({"by_seed": [one, other], **one}, 2) == [[4, 1], [0, 3]]
    assert recorded.confusion({"by_seed": [one, {}], **one}, 2) == []


@pytest.mark.parametrize(
    "table",
    [None, [], [[1, 2]], [[1, 2], [3]], [[1, 2], [3, -1]], [[1, 2], [3, 0.5]], [[1, 2], [3, True]],
     [[1, 2], [3, 10**30]], [[1, 2], "34"]],
)  # fmt: skip
def test_a_confusion_that_is_none_counts_as_absent(table: object) -> None:
    assert recorded.confusion({"judgement": {"confusion": table}}, 2) == []
