import pytest
from cases import attempt, context_of, profile_of
from hypothesis import given
from hypothesis import strategies as st

from improve_git.judge import standard_error
from improve_git.schema import METRICS
from improve_git.teams.agents.rounding import Scale, scale_of

POINTS = Scale("accuracy", True, 0.012)
LOSS = Scale("log_loss", False, 0.02)


@pytest.mark.parametrize(
    ("scale", "score", "told", "gain", "gain_told"),
    [
        (POINTS, 0.9139, "91.2 %", 0.0111, "+1.2 points"),
        (POINTS, 0.9062, "91.2 %", 0.0059, "about 0 points"),
        (POINTS, 1.0, "99.6 %", -0.0625, "-6.0 points"),
        (LOSS, 0.3371, "0.34", 0.0371, "+0.04 log loss"),
        (Scale("accuracy", True, 0.0006), 0.913862, "91.38 %", -0.0009, "-0.12 points"),
        (Scale("roc_auc", True, 0.003), 0.9871, "0.987", 0.0008, "about 0 roc auc"),
    ],
)
def test_scores_and_gains_are_told_in_steps(scale, score, told, gain, gain_told):
    assert (scale.score(score), scale.gain(gain)) == (told, gain_told)


@pytest.mark.parametrize("score", [0.0, 0.5, 0.8137, 1.0])
@pytest.mark.parametrize("images", [20, 150, 5000])
def test_a_step_is_half_a_standard_error_of_mains_score(score, images):
    scale = scale_of(context_of(score=score, profile=profile_of(val=images)))
    assert scale.step == pytest.approx(standard_error(images, score) / 2)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("score", [None, -0.3, 0.0, 0.9, 7.5])
def test_every_metric_has_a_scale(metric, score):
    higher = METRICS[metric]
    scale = scale_of(context_of(metric=metric, higher_is_better=higher, score=score))
    assert 0 < scale.step <= 0.05 and scale.score(0.5) and scale.gain(0.1)


def test_before_main_is_measured_the_trail_tells_the_scale():
    context = context_of(score=None, attempts=[attempt(1, main_score=0.95)])
    assert scale_of(context).step == pytest.approx(standard_error(150, 0.95) / 2)


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
