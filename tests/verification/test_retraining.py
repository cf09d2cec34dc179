import numpy as np
import pytest

from improve_git.judging.significance import Pair, Trained
from improve_git.verification.retraining import allowance


def pair(ours: list[list[int]], theirs: list[list[int]]) -> Pair:
    """Return trainings that are right (1) or wrong (0) on each image."""
    sides = [[Trained(float(np.mean(row)), row) for row in side] for side in (ours, theirs)]
    return Pair("accuracy", [1] * len(ours[0]), *sides)


def test_the_spread_between_seeds_is_pooled_over_the_trail() -> None:
    same = pair([[1] * 100], [[1] * 100])
    allowed, freedom = allowance(same, [(0.70, 0.72, 0.71), (0.80, 0.81, 0.82)])
    # s = 0.01 with 4 degrees of freedom; Student's t at 0.995 is 4.604.
    assert freedom == 4
    assert allowed == pytest.approx(4.604 * 0.01 * 2**0.5, rel=1e-3)


def test_without_a_known_spread_single_images_have_to_do() -> None:
    ours, theirs = [1] * 90 + [0] * 10, [1] * 84 + [0] * 16
    allowed, freedom = allowance(pair([ours], [theirs]), [])
    assert freedom == 0
    assert allowed == pytest.approx(2.576 * 6**0.5 / 100, rel=1e-3)
