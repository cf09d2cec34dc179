import json
import re
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import Call
from example_trail import ExampleTrail, measurement
from PIL import Image

from improve_git.trail.history import read_history
from improve_git.views import plots
from improve_git.views.course import (
    Gain,
    Gains,
    Mark,
    Scores,
    Sides,
    against_incumbent,
    pictures,
)
from improve_git.views.overview import overview


def confused(score: float, cats: list[int], dogs: list[int]) -> dict[str, object]:
    record = measurement(score)
    record["judgement"] = record["judgement"] | {"confusion": [cats, dogs]}
    return record


def texts(svg: bytes) -> list[str]:
    """Return what is written in a plot: letters are drawn, and told by comments."""
    return re.findall("<!-- (.*?) -->", svg.decode())


def drawn(example: ExampleTrail, call: Call, tmp_path: Path, *words: str) -> list[str]:
    file = tmp_path / "drawn.svg"
    said = call("plot", *words, "-o", file, "-C", example.repo.folder)
    assert (said.err, said.code) == ("", 0)
    return texts(file.read_bytes())


def test_the_story_as_data(example: ExampleTrail) -> None:
    history = read_history(example.repo)
    found = pictures(example.repo, history, overview(example.pipeline))
    assert found["score"] == Scores(
        "accuracy",
        (
            Mark(0, "baseline", "", 0.5, ()),
            Mark(1, "merged", "model", 0.7, ()),
            Mark(2, "rejected", "train", 0.6, ()),
            Mark(3, "failed", "data", None, ()),
            Mark(3.5, "measured", "", 0.8, ()),
            Mark(4, "merged", "data", 0.9, ()),
        ),
        None,
    )
    gains = found["gain"]
    assert isinstance(gains, Gains)
    assert [replace(part, gain=round(part.gain, 9)) for part in gains.parts] == [
        Gain("data", 0.1, 1, 2), Gain("model", 0.2, 1, 1), Gain("train", 0, 0, 1),
        Gain("by hand", 0.1, None, None),
    ]  # fmt: skip
    curves = found["curves"]
    assert isinstance(curves, Sides)
    assert [(side.name, len(side.curve), side.confusion) for side in curves.sides] == [
        ("baseline", 3, []), ("main", 3, [])
    ]  # fmt: skip
    assert "confusion" not in found  # the example's records have none


def test_the_default_is_all_that_is_at_hand(
    example: ExampleTrail, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    example.attempt("model", "deeper", "merged", confused(0.95, [5, 0], [1, 4]))
    monkeypatch.chdir(tmp_path / "pets")
    said = call("plot")
    assert (said.out, said.code) == ("score, gain, curves, confusion: pets.png\n", 0)
    with Image.open("pets.png") as image:
        assert (image.format, image.width) == ("PNG", 1700)
    first = Path("pets.png").read_bytes()
    assert call("plot").code == 0  # an older plot is overwritten
    assert Path("pets.png").read_bytes() == first


def test_what_each_picture_tells(example: ExampleTrail, call: Call, tmp_path: Path) -> None:
    example.attempt("model", "deeper", "merged", confused(0.95, [5, 0], [1, 4]))
    title = "pets: accuracy 0.5000 to 0.9500 on val (+45.00 points)"
    score = drawn(example, call, tmp_path, "score")
    assert {title, "on val, optimistic: a search kept the best", "0001 model", "0004 data",
            "0006 model", "main", "baseline", "merged", "rejected", "failed",
            "a commit by hand"} <= {*score}  # fmt: skip
    gain = drawn(example, call, tmp_path, "gain")
    assert {"data", "1 of 2 merged", "+10.00", "by hand", "points of accuracy on val"} <= {*gain}
    curves = drawn(example, call, tmp_path, "curves")
    assert {"learning: tune accuracy", "learning: loss", "baseline", "main"} <= {*curves}
    confusion = drawn(example, call, tmp_path, "confusion")
    assert {"confusion, main", "cat", "dog", "100", "20", "80"} <= {*confusion}


def test_an_iteration_beside_its_incumbent(
    example: ExampleTrail, call: Call, tmp_path: Path
) -> None:
    history = read_history(example.repo)
    compared = against_incumbent(example.repo, history, overview(example.pipeline), 2)
    assert [side.name for side in compared.sides] == ["main at that time", "iteration 2"]
    assert "0002 train: longer (rejected)" in drawn(example, call, tmp_path, "2")
    assert "baseline" in drawn(example, call, tmp_path, "0")


def test_a_plot_keeps_nothing_of_the_machine(
    example: ExampleTrail, call: Call, tmp_path: Path
) -> None:
    """Neither a date nor what a matplotlibrc in the current folder asks for."""
    drawn(example, call, tmp_path, "score")
    here = (tmp_path / "drawn.svg").read_bytes()
    assert b"<dc:date>" not in here
    (tmp_path / "matplotlibrc").write_text("font.size: 30\ntext.usetex: True\naxes.grid: True\n")
    words = ["plot", "score", "-o", "there.svg", "-C", str(example.repo.folder)]
    subprocess.run([sys.executable, "-m", "improve_git", *words], cwd=tmp_path, check=True)
    assert (tmp_path / "there.svg").read_bytes() == here


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["everything"], "WHAT is score, gain, curves, confusion or an iteration's number"),
        (["99"], "there is no iteration 99"),
        (["-o", "plot.jpg"], "'plot.jpg' ends in neither .png nor .svg"),
        (["-o", "mine.png"], "mine.png is there, and not made by this command"),
        (["-o", "gone/plot.png"], "gone is not a folder"),
        (["-o", "folder.png"], "folder.png is no file"),
    ],
)
def test_what_cannot_be_drawn_is_told(
    example: ExampleTrail, call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    words: list[str], says: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (4, 4)).save("mine.png")
    mine = Path("mine.png").read_bytes()
    Path("folder.png").mkdir()
    said = call("plot", *words, "-C", example.repo.folder)
    assert says in said.err
    assert said.code in (1, 2)
    assert Path("mine.png").read_bytes() == mine


def test_before_anything_is_measured_or_merged(tmp_path: Path, call: Call) -> None:
    example = ExampleTrail.found(tmp_path / "new")
    assert "nothing was merged yet" in call("plot", "gain", "-C", example.repo.folder).err
    told = drawn(example, call, tmp_path)
    assert "new: accuracy 0.5000, the baseline" in told
    assert "main" in told and "merged" not in told
    example.repo.git("reset", "-q", "--hard", "HEAD~1")
    assert "nothing is measured yet" in call("plot", "-C", example.repo.folder).err


def test_a_clone_without_records(example: ExampleTrail, call: Call, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    example.repo.git("clone", "-q", f"file://{example.repo.folder}", str(clone))
    said = call("plot", "-o", tmp_path / "all.png", "-C", clone)
    assert (said.code, said.out) == (
        0,
        f"score, gain: {tmp_path / 'all.png'}\n"
        "left out: curves, confusion, for records are not in this clone; fetch them:\n"
        "  git fetch origin '+refs/notes/*:refs/notes/*'\n",
    )
    said = call("plot", "curves", "-o", tmp_path / "curves.png", "-C", clone)
    assert (said.code, said.err) == (
        1,
        "error: the records are not in this clone, or say nothing of it\n"
        "  fix: git fetch origin '+refs/notes/*:refs/notes/*'\n",
    )


def test_without_matplotlib_the_extra_is_named(
    example: ExampleTrail, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    said = call("plot", "-o", example.repo.folder / "x.png", "-C", example.repo.folder)
    assert (said.code, said.err) == (
        1,
        "error: plots need matplotlib, which is not installed\n"
        "  fix: pip install 'improve-git[plot]'\n",
    )


def test_hostile_figures_are_drawn_all_the_same(example: ExampleTrail) -> None:
    record = measurement(0.9, curve=[{"epoch": 1e308, "loss": 1e300, "tune_accuracy": -1e308},
                                     {"epoch": "x", "loss": 2, "$x$\n" * 999: 3.5}])  # fmt: skip
    example.attempt("model", "wide", "merged", record)
    blob = example.repo.write_blob(json.dumps({"curve": [{"x": 10**400}], "by_seed": 3}).encode())
    message = example.repo.git("log", "-1", "--format=%B", "main")
    forged = re.sub("^Record: .*$", f"Record: {blob}", message, flags=re.MULTILINE)
    forged = re.sub("^Val-Accuracy: .*$", "Val-Accuracy: 1e308", forged, flags=re.MULTILINE)
    example.repo.git("commit", "-q", "--amend", "-m", forged)
    history = read_history(example.repo)
    found = pictures(example.repo, history, overview(example.pipeline))
    with warnings.catch_warnings(action="error"):
        assert plots.draw(found, "", "png").startswith(b"\x89PNG")
