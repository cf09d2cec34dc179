from dataclasses import replace

import pytest
from situations import attempt, context_of, first_files, profile_of

from improve_git.teams.moves import Move, neighbours
from improve_git.teams.policy import choose, expected_minutes, gained, open_moves, posterior

PROFILE = profile_of(300, 200)


def move(slug, component="train", gain=0.1, sd=0.1, cost=1.0, inverse=""):
    return Move(slug, component, "Do", "Why.", "2020", {"A": 1}, {"A": 2}, gain, sd, cost, inverse)


def context(number=1, seed=0, attempts=(), **changes):
    return context_of({}, PROFILE, number=number, seed=seed, attempts=list(attempts), **changes)


def slugs(moves):
    return [one.slug for one in moves]


A, B = move("a", inverse="a-back"), move("b", component="data")
BACK = move("a-back", inverse="a")


def test_the_choice_depends_on_seed_and_number_alone():
    moves = neighbours(context_of(first_files(PROFILE), PROFILE))
    chosen = [choose(moves, context(number, seed)).slug for seed in (0, 1) for number in range(20)]
    again = [choose(moves[::-1], context(n, s)).slug for s in (0, 1) for n in range(20)]
    assert chosen == again
    assert chosen[:20] != chosen[20:] and len(set(chosen)) > 5


def test_a_rejected_move_is_closed_until_main_changes():
    tried = [attempt(1, "a", "rejected")]
    assert slugs(open_moves([A, B], tried)) == ["b"]
    assert slugs(open_moves([A, B], [*tried, attempt(2, "b", "merged", "data")])) == ["a", "b"]
    again = [*tried, attempt(2, "b", "merged", "data"), attempt(3, "a", "rejected")]
    assert slugs(open_moves([A, B], again)) == ["b"]


def test_a_failed_move_stays_closed():
    tried = [attempt(1, "a", "failed", score=None), attempt(2, "b", "merged", "data")]
    assert slugs(open_moves([A, B], tried)) == ["b"]


def test_a_persons_branch_that_has_a_moves_name_is_not_that_move():
    own = replace(attempt(1, "a", "rejected"), proposer="Ann <ann@example.invalid>")
    assert slugs(open_moves([A, B], [own])) == ["a", "b"]
    assert posterior(A, context(2, attempts=[own])) == posterior(A, context(2))
    merged = replace(own, verdict="merged")  # opens what was closed
    assert slugs(open_moves([A, BACK], [attempt(1, "a", "rejected"), merged])) == ["a", "a-back"]


def test_the_way_back_from_a_merge_is_closed_until_the_next_change():
    tried = [attempt(1, "a", "merged")]
    assert slugs(open_moves([A, BACK], tried)) == ["a"]
    assert slugs(open_moves([A, BACK], [*tried, attempt(2, "b", "merged")])) == ["a", "a-back"]


def test_nothing_is_chosen_only_when_all_is_closed():
    tried = [attempt(1, "a", "rejected")]
    assert choose([A, B], context(attempts=tried)) is B
    assert choose([A, B], context(attempts=[*tried, attempt(2, "b", "rejected", "data")])) is None
    assert choose([], context()) is None


def test_every_move_is_tried_before_the_end():
    moves = neighbours(context_of(first_files(PROFILE), PROFILE))
    tried = []
    while (chosen := choose(moves, context(len(tried) + 1, attempts=tried))) is not None:
        tried.append(attempt(len(tried) + 1, chosen.slug, "rejected", chosen.component, score=0.89))
    assert sorted(a.slug for a in tried) == sorted(slugs(moves))


@pytest.mark.parametrize(
    ("higher_is_better", "score", "main_score", "share"),
    [
        (True, 0.92, 0.90, 0.2),
        (True, 0.88, 0.90, -0.2),
        (False, 0.40, 0.50, 0.2),
        (False, 0.60, 0.50, -0.2),
        (True, 0.10, 0.90, -1.0),
        (True, 1.0, 0.999, 0.1),
        (True, None, 0.9, None),
    ],
)
def test_gain_is_a_share_of_the_remaining_error(higher_is_better, score, main_score, share):
    tried = attempt(1, "a", "rejected", score=score, main_score=main_score)
    assert gained(tried, higher_is_better) == (None if share is None else pytest.approx(share))


def test_the_posterior_learns_from_the_trail():
    assert posterior(A, context()) == pytest.approx((0.1, 0.1))
    bad = [attempt(n, "a", "rejected", score=0.87) for n in range(3)]
    mean, sd = posterior(A, context(attempts=bad))
    weight = 3 * 0.15**-2 / (0.1**-2 + 3 * 0.15**-2)
    assert mean == pytest.approx((1 - weight) * 0.1 + weight * -0.3)
    assert sd < 0.1
    assert posterior(B, context(attempts=bad)) == pytest.approx((0.1, 0.1))


def test_time_counts_in_full_where_hours_are_limited_and_by_its_root_where_not():
    cheap, dear = move("cheap", sd=0.001), move("dear", sd=0.001, cost=4.0)
    assert choose([dear, cheap], context()) is cheap
    worth = move("worth", gain=0.25, sd=0.001, cost=4.0)
    assert choose([worth, cheap], context()) is worth
    assert choose([worth, cheap], context(hours_limited=True)) is cheap
    very = move("very", gain=0.9, sd=0.001, cost=4.0)
    assert choose([very, cheap], context(hours_limited=True)) is very


def test_what_a_move_takes_is_told_from_the_trail():
    dear = move("dear", cost=4.0)
    tried = [attempt(1, "x", "rejected", train_seconds=50.0)]
    assert expected_minutes(dear, tried) == pytest.approx((10 + 4 * 50) / 60)
    tried = [attempt(1, "x", "merged", train_seconds=20.0), *tried]
    assert expected_minutes(dear, tried) == pytest.approx((10 + 4 * 20) / 60)
