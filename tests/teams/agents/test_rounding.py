from collections import Counter
from dataclasses import replace

import pytest
from cases import attempt, context_of, profile_of
from hypothesis import given
from hypothesis import strategies as st

from improve_git.figures import METRICS
from improve_git.judging.judge import standard_error
from improve_git.teams.agents import asking, evidence
from improve_git.teams.agents.lessons import outcome_of
from improve_git.teams.agents.rounding import Scale, scale_of, step_of

POINTS = Scale("accuracy", True, 0.02)
LOSS = Scale("log_loss", False, 0.02)
SIZES = (60, 225, 394, 525, 1000)  # images of val


@pytest.mark.parametrize(
    ("scale", "score", "told", "gain", "gain_told"),
    [
        (POINTS, 0.9139, "92 %", 0.0111, "+2 points"),
        (POINTS, 0.9062, "90 %", 0.0059, "about 0 points"),
        (POINTS, 1.0, "100 %", -0.0625, "-6 points"),
        (POINTS, -0.001, "0 %", -0.001, "about 0 points"),
        (LOSS, 0.3371, "0.34", 0.0371, "+0.04 log loss"),
        (Scale("accuracy", True, 0.005), 0.913862, "91.5 %", -0.0091, "-1.0 points"),
        (Scale("accuracy", True, 0.1), 0.8137, "80 %", 0.0937, "+10 points"),
        (Scale("roc_auc", True, 0.001), 0.98712, "0.987", 0.0004, "about 0 roc auc"),
    ],
)
def test_scores_and_gains_are_told_in_steps(scale, score, told, gain, gain_told):
    assert (scale.score(score), scale.gain(gain)) == (told, gain_told)


@pytest.mark.parametrize(
    ("images", "step"),
    [(20, 0.2), (60, 0.05), (150, 0.05), (394, 0.02), (525, 0.02), (1000, 0.01), (5000, 0.005),
     (624, 0.02), (625, 0.01), (10**6, 0.0005)],
)  # fmt: skip
def test_the_step_hangs_on_the_number_of_images_alone(images, step):
    for score in (None, 0.0, 0.5, 0.8137, 1.0):
        for attempts in ([], [attempt(1, main_score=0.95)]):
            context = context_of(score=score, attempts=attempts, profile=profile_of(val=images))
            assert scale_of(context).step == step


@given(st.integers(1, 10**7))
def test_a_step_is_round_and_no_finer_than_half_a_standard_error(images):
    step = step_of(images)
    digits = f"{step:.0e}"
    assert float(digits) == step and digits[0] in "125"
    least = max(standard_error(images, 0.5) / 2, 3 / images)
    assert 0.999999 * least <= step <= 2.51 * least


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("score", [-0.3, 0.0, 0.9, 7.5])
def test_every_metric_has_a_scale(metric, score):
    scale = scale_of(context_of(metric=metric, higher_is_better=METRICS[metric]))
    assert scale.step == 0.005 and scale.score(score) and scale.gain(0.1)
    assert (scale.smallest_gain(score, 394) is None) == (metric != "accuracy")


@pytest.mark.parametrize("images", SIZES)
def test_each_score_told_fits_several_and_a_better_one_is_never_told_lower(images):
    scale = scale_of(context_of(profile=profile_of(val=images)))
    told = [scale.score(k / images) for k in range(images + 1)]
    assert min(Counter(told).values()) > 1
    figures = [float(text.removesuffix(" %")) for text in told]
    assert figures == sorted(figures) and figures[0] == 0 and figures[-1] >= 98


def told_of_val(context):
    """Return every figure of the analyst's evidence that comes from val."""
    scale = scale_of(context)
    main, found = evidence.incumbent(context, scale), evidence.search(context, scale)
    return repr((
        main["score"], main["step"], main["smallest_gain"], found["by_component"],
        found["calibration"], [outcome_of(a, scale) for a in context.attempts],
    ))  # fmt: skip


@pytest.mark.parametrize("images", SIZES)
def test_all_that_is_told_of_val_together_never_singles_out_a_score(images):
    """Neither main's nor a candidate's, though all the others be known to whoever reads it."""
    start = context_of(profile=profile_of(val=images))

    def told(main, candidate):
        attempts = [
            attempt(1, "merged", score=main, main_score=round(0.7 * images) / images),
            attempt(2, score=candidate, main_score=main),
        ]
        # What the gate reckons with must not be told either: it comes from the exact score.
        changes = {"attempts": attempts, "score": main, "smallest_gain": main / 7}
        return told_of_val(replace(start, **changes))

    known = round(0.8 * images) / images
    shares = [k / images for k in range(images + 1)]
    for texts in ([told(k, known) for k in shares], [told(known, k) for k in shares]):
        assert min(Counter(texts).values()) > 1


def test_of_two_scores_that_are_told_alike_the_prompts_are_the_same():
    profile = profile_of(val=394)
    one, other = (
        context_of(profile=profile, score=k / 394, smallest_gain=k / 4000,
                   attempts=[attempt(1, score=0.7, main_score=k / 394)])
        for k in (359, 362)
    )  # fmt: skip
    assert asking.assign(one, 4000, False) == asking.assign(other, 4000, False)


def test_a_gain_is_the_difference_of_the_scores_that_are_told():
    told = attempt(1, score=0.9101, main_score=0.9099)
    assert POINTS.gain(POINTS.got(told)) == "+2 points"
    told = attempt(1, score=0.9295, main_score=0.9101)
    assert POINTS.gain(POINTS.got(told)) == "about 0 points"


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -float("inf")])
def test_a_score_that_is_none_brings_nothing(score):
    assert POINTS.got(attempt(1, score=score)) is POINTS.got(attempt(1, main_score=score)) is None


def test_the_smallest_gain_is_reckoned_from_the_rounded_score():
    told = {POINTS.smallest_gain(k / 394, 394) for k in range(359, 366)}
    assert told == {"2.8 points"}
    assert Scale("accuracy", True, 0.5).smallest_gain(1.0, 6) == "100 points"


def test_gains_are_positive_where_the_metric_gets_better():
    better = attempt(1, score=0.2, main_score=0.3)
    assert LOSS.got(better) == pytest.approx(0.1) and POINTS.got(better) == pytest.approx(-0.1)
    assert POINTS.got(attempt(1, "failed")) is None


@given(st.sampled_from([POINTS, LOSS]), st.floats(-100, 100))
def test_an_expected_gain_is_read_back_from_the_trail(scale, gain):
    factor = 100 if scale is POINTS else 1
    told = attempt(1, expected_effect=scale.expected_text(gain))
    assert scale.expected(told) == pytest.approx(gain / factor, rel=0.01, abs=1e-12)


def test_the_text_of_an_expected_gain_is_the_change_of_the_metric():
    assert POINTS.expected_text(0.8) == "+0.8 points"
    assert LOSS.expected_text(0.03) == "-0.03"


@pytest.mark.parametrize(
    "text",
    ["", "much", "+15% of the remaining error, at 1 times the time", "0.8", "+0.8", "+0.8 points?"],
)
def test_expectations_told_in_another_way_count_for_nothing(text):
    assert POINTS.expected(attempt(1, expected_effect=text)) is None
