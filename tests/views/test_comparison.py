"""Two measured revisions on the same images: on real Git with a scripted sandbox."""

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from improve_git.errors import PipelineError
from improve_git.trail.history import read_history
from improve_git.trail.revision import Revision, find_revision
from improve_git.views.comparison import (
    Agreement,
    ClassPair,
    Comparison,
    SeedPair,
    compare_revisions,
)
from worlds import BETTER, CRASH, WORSE, World, make_photos, make_world, ticking_clock

MOVES = [("model", "wider", BETTER), ("train", "longer", WORSE), ("train", "rush", CRASH)]
IMAGES = 80


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Make a pipeline with a merge, a rejected and a failed attempt."""
    folder = tmp_path_factory.mktemp("comparison")
    with ticking_clock():
        w = make_world(make_photos(folder / "photos"), folder / "pipeline", MOVES)
        w.run()
        yield w


def find(w: World, word: str) -> Revision:
    return find_revision(w.pipeline.repo, read_history(w.pipeline.repo), word)


def compared(w: World, one: Revision | str, other: Revision | str) -> Comparison:
    found = [find(w, side) if isinstance(side, str) else side for side in (one, other)]
    return compare_revisions(w.pipeline.repo, read_history(w.pipeline.repo), *found)


def told(w: World, word: str, by_seed: dict[int, list[int]]) -> Revision:
    """Return a revision whose record holds these predictions instead."""
    labels = np.array(w.pipeline.snapshot("main").data_set.labels("val"))
    runs = [
        {
            "seeds": [seed],
            "score": float(np.mean(labels == np.array(predicted))),
            "judgement": {"predicted": predicted, "figures": None},
        }
        for seed, predicted in by_seed.items()
    ]
    found = find(w, word)
    return replace(found, record=runs[0] if len(runs) == 1 else {"by_seed": runs})


def test_the_gain_its_error_and_who_is_right_where(world: World) -> None:
    found = compared(world, "baseline", "main")
    names = ("the baseline", "0001 model: wider")
    assert (found.a.name, found.b.name, found.metric, found.images) == (*names, "accuracy", IMAGES)
    assert (found.a.score, found.b.score) == (0.6, 0.8)
    assert found.seeds == (SeedPair(0, 0.6, 0.8),)
    paired = found.paired
    assert paired
    assert (paired.seeds, paired.pairs) == ((0,), 1)
    assert paired.agreement == Agreement(both=48, only_a=0, only_b=16, neither=16)
    # A paired t-test on 16 images of 80 that B alone gets right.
    test = stats.ttest_1samp([1] * 16 + [0] * 64, 0)
    interval = test.confidence_interval(0.95)
    assert paired.gain.value == pytest.approx(0.2)
    assert paired.gain.error == pytest.approx(0.2 / test.statistic)
    assert (paired.gain.low, paired.gain.high) == pytest.approx((interval.low, interval.high))
    assert paired.gain.confidence == pytest.approx(1 - test.pvalue / 2)
    assert paired.gain.seed_noise is None  # every pipeline here was trained once
    labels = world.pipeline.snapshot("main").data_set.part("val")
    assert [one.entry for one in paired.differ] == labels[48:64]
    assert all(one.a != (one.entry.label,) == one.b for one in paired.differ)
    sizes = [sum(entry.label == number for entry in labels) for number in (0, 1)]
    for one, size, number in zip(paired.classes, sizes, (0, 1), strict=True):
        right = [sum(e.label == number for e in labels[:end]) / size for end in (48, 64)]
        assert one == ClassPair(("cats", "dogs")[number], size, *right)


def test_the_other_way_round_it_is_the_opposite(world: World) -> None:
    forth, back = compared(world, "2", "1").paired, compared(world, "1", "2").paired
    assert forth and back
    assert back.gain.value == pytest.approx(-forth.gain.value)
    assert (back.gain.low, back.gain.high) == pytest.approx((-forth.gain.high, -forth.gain.low))
    assert back.agreement.only_a == forth.agreement.only_b == 8
    assert {one.entry for one in back.differ} == {one.entry for one in forth.differ}


def test_with_itself_there_is_no_difference(world: World) -> None:
    paired = compared(world, "main", "1").paired
    assert paired
    assert (paired.gain.value, paired.gain.error, paired.differ) == (0, 0, ())
    assert paired.gain.confidence == 0.5


PREDICTED = st.lists(st.integers(0, 1), min_size=IMAGES, max_size=IMAGES)
BY_SEED = st.dictionaries(st.integers(0, 3), PREDICTED, min_size=1, max_size=3)


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(BY_SEED, BY_SEED)
def test_the_table_adds_up_to_the_gain(
    world: World, a: dict[int, list[int]], b: dict[int, list[int]]
) -> None:
    paired = compared(world, told(world, "baseline", a), told(world, "main", b)).paired
    assert paired
    shared = [seed for seed in a if seed in b]
    assert paired.seeds == tuple(shared)
    assert paired.pairs == (len(shared) or len(a) * len(b))
    table = paired.agreement
    answers = IMAGES * paired.pairs
    assert table.both + table.only_a + table.only_b + table.neither == answers
    assert paired.gain.value == pytest.approx((table.only_b - table.only_a) / answers)
    assert paired.gain.low <= paired.gain.value <= paired.gain.high
    seeds = shared or None
    for one in paired.differ:
        assert len(one.a) == len(seeds or a) and len(one.b) == len(seeds or b)


def test_seeds_are_paired_where_both_have_them(world: World) -> None:
    labels = world.pipeline.snapshot("main").data_set.labels("val")
    wrong = [1 - label for label in labels]
    a = told(world, "baseline", {0: labels, 1: wrong})
    b = told(world, "main", {1: labels, 7: wrong})
    paired = compared(world, a, b).paired
    assert paired
    assert (paired.seeds, paired.gain.value) == ((1,), 1.0)  # seed 1 alone counts
    assert paired.agreement == Agreement(both=0, only_a=0, only_b=IMAGES, neither=0)
    assert paired.gain.seed_noise is None
    many = compared(world, a, told(world, "main", {0: labels, 1: labels})).paired
    assert many
    assert many.gain.seed_noise == pytest.approx(math.sqrt(0.5 / IMAGES))  # at least the churn


def test_the_noise_between_seeds_is_pooled_over_the_trail(world: World) -> None:
    history = read_history(world.pipeline.repo)
    noisy = replace(history.attempts[1], seed_scores=(0.5, 0.7))
    history = replace(history, attempts=(history.attempts[0], noisy, history.attempts[2]))
    sides = [find(world, word) for word in ("baseline", "main")]
    paired = compare_revisions(world.pipeline.repo, history, *sides).paired
    assert paired
    assert paired.gain.seed_noise == pytest.approx(math.sqrt(0.02))
    assert paired.gain.error == pytest.approx(math.sqrt(0.2 * 0.8 / 79 + 2 * 0.02))


def test_without_a_record_the_scores_compare(world: World) -> None:
    without = replace(find(world, "main"), record=None)
    found = compared(world, "baseline", without)
    assert (found.a.score, found.b.score, found.paired) == (0.6, 0.8, None)
    assert (found.a.has_record, found.b.has_record) == (True, False)
    assert found.seeds == (SeedPair(0, 0.6, 0.8),)


@pytest.mark.parametrize("record", [{}, {"judgement": 3}, {"by_seed": [{"seeds": [0]}]}])
def test_a_record_of_any_kind_is_put_up_with(world: World, record: dict[str, Any]) -> None:
    found = compared(world, "baseline", replace(find(world, "main"), record=record))
    assert (found.paired, found.b.has_record, found.b.has_predictions) == (None, True, False)


def test_a_failed_iteration_has_no_score(world: World) -> None:
    with pytest.raises(PipelineError, match="0003 has no score: crashed: as scripted"):
        compared(world, "3", "main")


def test_what_was_judged_otherwise_does_not_compare(world: World, tmp_path: Path) -> None:
    history = read_history(world.pipeline.repo)
    other = replace(history.main[1], metric="macro_f1")
    sides = [find(world, word) for word in ("baseline", "main")]
    with pytest.raises(PipelineError, match="judged by accuracy, 0001 by macro_f1: scores of diff"):
        compare_revisions(
            world.pipeline.repo, replace(history, main=(history.main[0], other)), *sides
        )
    moves = [("model", "wider", BETTER)]
    again = make_world(make_photos(tmp_path / "photos"), tmp_path / "pipeline", moves)
    again.run()
    content = json.loads((again.pipeline.repo.folder / "dataset.json").read_text())
    moved = next(entry for entry in content["entries"] if entry["part"] == "val")
    moved["part"] = "tune"
    again.commit("dataset.json", json.dumps(content))
    again.sandbox.labels = again.sandbox.labels[1:]
    again.run("budget.iterations=0")
    with pytest.raises(PipelineError, match="judged on the same images, divided otherwise, so"):
        compared(again, "baseline", "main")
