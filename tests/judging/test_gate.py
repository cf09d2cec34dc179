"""The gate, as a table: rule, scores, decision and its sentence."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from improve_git.figures import METRICS
from improve_git.judging.gate import Decision, Evidence, Rule, decide
from improve_git.judging.significance import Trained

CONFIRMED = Rule("confirmed", seed=0, seeds=3, confidence=0.9, chance=0.1)
LOOK = CONFIRMED.first_seed
IMAGES = 400
# Scores by seed of pipelines before: five points of freedom, half a point between seeds.
TRAIL = [(0.800, 0.805, 0.795), (0.810, 0.805, 0.815, 0.810)]


def scores(metric: str, *values: float) -> Evidence:
    return Evidence(metric, {seed: Trained(value, ()) for seed, value in enumerate(values)})


def right(share: float, seed: int, images: int = IMAGES) -> Trained:
    """Return a training that gets a share of the images right; seeds differ in a few of them."""
    luck = random.Random(seed)
    order = sorted(range(images), key=lambda n: n + luck.gauss(0, images / 40))
    hits = set(order[: round(share * images)])
    return Trained(len(hits) / images, [0 if n in hits else 1 for n in range(images)])


def evidence(**shares: float) -> Evidence:
    """Return evidence with one share a seed: ``look=0.8, s0=0.81``."""
    by_seed = {
        (LOOK if name == "look" else int(name[1:])): right(share, hash_of(name, share))
        for name, share in shares.items()
    }
    return Evidence("accuracy", by_seed, [0] * IMAGES)


def hash_of(name: str, share: float) -> int:
    return sum(map(ord, name)) * 1000 + round(1000 * share)


MAIN = evidence(s0=0.80, s1=0.805, s2=0.795)


@pytest.mark.parametrize(
    ("metric", "new", "old", "kind", "reason"),
    [
        ("accuracy", 0.9139, 0.9028, "merge", "accuracy 0.9139 over 0.9028 (+1.11 points)"),
        ("accuracy", 0.9000, 0.9028, "reject", "accuracy 0.9000 under 0.9028 (-0.28 points)"),
        ("accuracy", 0.9028, 0.9028, "reject", "accuracy 0.9028, the same as main"),
        ("balanced_accuracy", 0.5, 0.25, "merge",
         "balanced accuracy 0.5000 over 0.2500 (+25.00 points)"),
        ("log_loss", 0.41, 0.52, "merge", "log loss 0.4100 under 0.5200 (-0.1100)"),
        ("log_loss", 0.52, 0.41, "reject", "log loss 0.5200 over 0.4100 (+0.1100)"),
        ("roc_auc", 0.123456, 0.123455, "merge", "roc auc 0.123456 over 0.123455 (+0.0000)"),
    ],
)  # fmt: skip
def test_improves(metric: str, new: float, old: float, kind: str, reason: str) -> None:
    decision = decide(scores(metric, new), scores(metric, old))
    assert (decision.kind, decision.reason, decision.seeds) == (kind, reason, (0,))


def test_several_seeds_count_by_their_mean() -> None:
    main = scores("accuracy", 0.8, 0.9)
    assert decide(scores("accuracy", 0.95, 0.76), main).kind == "merge"
    assert decide(scores("accuracy", 0.95, 0.74), main).kind == "reject"


def test_improves_takes_main_on_the_candidates_seed_alone() -> None:
    decision = decide(scores("accuracy", 0.85), scores("accuracy", 0.8, 0.9))
    assert (decision.kind, decision.main_seeds) == ("merge", (0,))


@pytest.mark.parametrize(
    ("candidate", "decision"),
    [
        # Nothing is known of the candidate: a look at a seed that no score is told over.
        (evidence(), Decision("measure", "a first look", (LOOK,))),
        # Clearly worse, or no better: one training is enough.
        (evidence(look=0.78), ("reject", (LOOK,), (0, 1, 2), "-2.00 points at first look")),
        (evidence(look=0.80), ("reject", (LOOK,), (0, 1, 2), "+0.00 points at first look")),
        # Promising: the seeds of main, one by one.
        (evidence(look=0.83), ("measure", (0,))),
        (evidence(look=0.83, s0=0.83), ("measure", (1,))),
        (evidence(look=0.83, s0=0.83, s1=0.83), ("measure", (2,))),
        # Its look was luck.
        (evidence(look=0.84, s0=0.79), ("reject", (0,), (0,), "-1.00 points over 1 seed")),
        (evidence(look=0.84, s0=0.82, s1=0.79),
         ("reject", (0, 1), (0, 1), "+0.25 points over 2 seeds")),
        # All seeds are in.
        (evidence(look=0.83, s0=0.83, s1=0.835, s2=0.825),
         ("merge", (0, 1, 2), (0, 1, 2), "+3.00 points over 3 seeds, confidence 0.9")),
        (evidence(look=0.84, s0=0.81, s1=0.81, s2=0.80),
         ("reject", (0, 1, 2), (0, 1, 2), "not the 0.9 asked for")),
        (evidence(look=0.90, s0=0.79, s1=0.79, s2=0.79),
         ("reject", (0, 1, 2), (0, 1, 2), "-1.00 points over 3 seeds, confidence 0.")),
    ],
)  # fmt: skip
def test_confirmed(candidate: Evidence, decision: Decision | tuple) -> None:
    got = decide(candidate, MAIN, CONFIRMED, TRAIL)
    if isinstance(decision, Decision):
        assert got == decision
    elif decision[0] == "measure":
        assert (got.kind, got.seeds) == decision
    else:
        assert (got.kind, got.seeds, got.main_seeds) == decision[:3]
        assert decision[3] in got.reason
        assert "\n" not in got.reason


def test_a_first_look_never_enters_the_decision() -> None:
    seeds = {"s0": 0.82, "s1": 0.825, "s2": 0.815}
    low = decide(evidence(look=0.70, **seeds), MAIN, CONFIRMED, TRAIL)
    high = decide(evidence(look=0.95, **seeds), MAIN, CONFIRMED, TRAIL)
    assert low == high


def test_the_confidence_asked_for_is_what_it_takes() -> None:
    candidate = evidence(look=0.83, s0=0.82, s1=0.82, s2=0.815)
    got = decide(candidate, MAIN, CONFIRMED, TRAIL)
    assert got.confidence is not None
    for asked, kind in ((got.confidence - 0.01, "merge"), (got.confidence + 0.001, "reject")):
        rule = Rule("confirmed", 0, 3, asked, 0.1)
        assert decide(candidate, MAIN, rule, TRAIL).kind == kind


def test_noise_between_seeds_takes_confidence_away() -> None:
    candidate = evidence(look=0.84, s0=0.83, s1=0.83, s2=0.83)
    wild = [(0.70, 0.80, 0.90), (0.75, 0.85, 0.95)]
    calm, noisy = (decide(candidate, MAIN, CONFIRMED, trail) for trail in (TRAIL, wild))
    assert calm.kind == "merge"
    assert noisy.kind == "reject"
    assert (calm.confidence or 0) > (noisy.confidence or 0)


def test_main_without_its_seeds_is_a_bug() -> None:
    with pytest.raises(ValueError, match="main is measured on 2 seeds, not on 3"):
        decide(evidence(), evidence(s0=0.8, s1=0.8), CONFIRMED)


@pytest.mark.parametrize(
    ("new", "old", "message"),
    [
        (scores("accuracy", 0.9, 0.9), scores("accuracy", 0.8), "different seeds"),
        (scores("accuracy"), scores("accuracy"), "different seeds"),
        (scores("accuracy", 0.9), scores("macro_f1", 0.8), "does not compare"),
        (scores("accuracy", math.nan), scores("accuracy", 0.8), "not finite"),
        (scores("log_loss", 0.1), scores("log_loss", math.inf), "not finite"),
    ],
)
def test_what_does_not_compare_is_a_bug(new: Evidence, old: Evidence, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decide(new, old)


def test_an_unknown_rule_is_a_bug() -> None:
    with pytest.raises(ValueError, match="unknown rule"):
        decide(scores("accuracy", 1.0), scores("accuracy", 0.0), Rule("always"))


FINITE = st.floats(-10, 10)


@given(st.sampled_from(sorted(METRICS)), FINITE, FINITE)
def test_merges_exactly_what_is_strictly_better(metric: str, new: float, old: float) -> None:
    better = new > old if METRICS[metric] else new < old
    decision = decide(scores(metric, new), scores(metric, old))
    assert (decision.kind == "merge") is better
    assert "\n" not in decision.reason


@given(st.sampled_from(sorted(METRICS)), st.permutations([0.1, 0.7, 0.2, 0.30000000000000004]))
def test_the_order_of_seeds_never_makes_an_improvement(metric: str, values: list[float]) -> None:
    new = scores(metric, *values)
    old = scores(metric, 0.1, 0.2, 0.30000000000000004, 0.7)
    assert decide(new, old).kind == "reject"


SHARES = st.floats(0, 1)


@given(st.lists(SHARES, min_size=4, max_size=4), st.lists(SHARES, min_size=3, max_size=3))
def test_what_is_confirmed_is_strictly_better_on_the_same_seeds(
    ours: list[float], theirs: list[float]
) -> None:
    main = Evidence("accuracy", {n: right(s, n) for n, s in enumerate(theirs)}, [0] * IMAGES)
    by_seed: dict[int, Trained] = {}
    while True:
        candidate = Evidence("accuracy", by_seed, [0] * IMAGES)
        decision = decide(candidate, main, CONFIRMED, TRAIL)
        if decision.kind != "measure":
            break
        [seed] = decision.seeds
        assert seed not in by_seed
        by_seed[seed] = right(ours[len(by_seed)], 77 + seed)
    if decision.kind == "merge":
        assert decision.seeds == decision.main_seeds == (0, 1, 2)
        assert candidate.mean(decision.seeds) > main.mean()
        assert (decision.confidence or 0) >= CONFIRMED.confidence
