import re

import pytest

from improve_git.domain import COMPONENTS
from improve_git.views import plots
from improve_git.views.course import PICTURES, Gain, Gains, Mark, Scores, Side, Sides
from improve_git.views.plots import figure


def texts(svg: bytes) -> list[str]:
    """Return what is written in a plot: letters are drawn, and told by comments."""
    return re.findall("<!-- (.*?) -->", svg.decode())


def side(name: str, confusion: list[list[int]]) -> Side:
    return Side(name, (), confusion)


def test_class_names_are_drawn_safely(capfd: pytest.CaptureFixture[str]) -> None:
    names = ("$\\frac{1", "a" * 10_000, "</text><script>", "猫", "x\u202ey", "--> <!--")
    table = [[1 + (row == column) for column in range(6)] for row in range(6)]
    svg = plots.draw({"confusion": Sides((side("main", table),), names)}, "$x_", "svg")
    told = {*texts(svg)}
    assert {"$x_", "$\\frac{1", "a" * 17 + "…", "&lt;/text&gt;&lt;script&gt;", "class 3",
            "x y"} <= told  # fmt: skip
    assert b"<script" not in svg
    assert capfd.readouterr() == ("", "")  # nothing of glyphs that are not there


def test_of_many_classes_the_most_confused_are_drawn() -> None:
    table = [[9 if row == column else 0 for column in range(200)] for row in range(200)]
    table[150][20] = 5
    names = tuple(f"c{index}" for index in range(200))
    found = Sides((side("baseline", table), side("main", table)), names)
    told = texts(plots.draw({"confusion": found}, "", "svg"))
    assert {"c150", "c20", "(12 most confused of 200)"} <= {*told}
    assert len({name for name in told if name in names}) == 12


def test_a_thousand_iterations_and_what_is_off_the_scale() -> None:
    marks = [Mark(0, "baseline", "", 0.7, (0.69, 0.71))]
    for number in range(1, 1000):
        verdict = "merged" if number % 50 == 0 else "failed" if number % 7 == 0 else "rejected"
        score = None if verdict == "failed" else 0.7 + number / 1e5 - 0.01 * (verdict == "rejected")
        marks.append(Mark(number, verdict, COMPONENTS[number % 3], score, ()))
    marks.append(Mark(1000, "rejected", "train", 0.1, ()))
    told = texts(plots.draw({"score": Scores("accuracy", tuple(marks), 0.02)}, "", "svg"))
    assert {"rejected, below the scale", "lowest to highest seed", "failed",
            "best of as many idle changes"} <= {*told}  # fmt: skip
    assert "0050 train" not in told  # too many to be named


def test_a_loss_says_which_way_is_better() -> None:
    marks = (Mark(0, "baseline", "", 0.9, ()), Mark(1, "merged", "train", 0.5, ()))
    gains = Gains("log_loss", (Gain("train", 0.4, 1, 1),))
    told = texts(plots.draw({"score": Scores("log_loss", marks, None), "gain": gains}, "", "svg"))
    assert {"log loss", "(lower is better)", "+0.4000", "gain in log loss on val"} <= {*told}


def test_every_picture_has_a_drawer() -> None:
    assert {*figure._DRAWERS} == {*PICTURES}
