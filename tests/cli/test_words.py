"""Sentences for people."""

import pytest
from example_trail import data_set, measurement

from improve_git.iteration.words import is_worse, outlook, worse_main
from improve_git.pipeline import Snapshot
from improve_git.settings.schema import Settings


@pytest.mark.parametrize(("score", "chance"), [(0.4, True), (0.5, True), (0.6, False)])
def test_a_baseline_at_chance_level_says_so(score: float, chance: bool) -> None:
    lines = outlook(Snapshot({}, Settings(), data_set()), measurement(score))
    told = "this is chance level: always naming the largest class of val scores 0.5000"
    assert (lines[0] == told) is chance
    assert "an iteration takes about 22 seconds; 40 of them about 15.0 minutes" in lines


def test_a_main_that_fell_to_chance_level_says_so() -> None:
    told = "main is now at accuracy 0.5000 (-20.00 points)"
    assert worse_main(measurement(0.5), 0.7) == f"{told}, chance level"
    assert not worse_main(measurement(0.6), 0.7).endswith("chance level")


def test_what_a_trailer_rounds_away_is_no_loss() -> None:
    assert not is_worse(measurement(0.9913258984), 0.991326)
    assert is_worse(measurement(0.9913), 0.991326)
