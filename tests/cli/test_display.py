"""The live line of a training: epoch, loss, tuning score, time left."""

import io

import pytest
from rich.console import Console

from improve_git.cli.display import Display, file_progress


@pytest.fixture
def display() -> Display:
    return Display(Console(file=io.StringIO(), force_terminal=True, width=120))


def told(display: Display) -> str:
    assert display._progress
    return str(display._progress.tasks[0].fields["told"])


def test_the_live_line_tells_epoch_loss_score_and_time_left(display: Display) -> None:
    display.begin("measure the baseline", None, 60.0)
    display.event({"event": "phase", "name": "imports"})
    assert told(display) == "imports"
    display.event({"event": "epoch", "epoch": 1, "epochs": 4, "loss": 0.5, "tune_accuracy": 0.75})
    assert told(display).startswith("epoch 1/4  loss 0.500  tune 0.750  ")
    assert told(display).endswith(" s left")
    display.end()


def test_a_narrow_screen_tells_all_but_the_end_of_a_long_title() -> None:
    display = Display(Console(file=io.StringIO(), force_terminal=True, width=80))
    display.begin("0012 train: label-smoothing-and-cosine-up", None, 60.0)
    display.event({"event": "epoch", "epoch": 1, "epochs": 100, "loss": 0.5, "tune_accuracy": 0.75})
    assert display._progress
    (line,) = display.console.render_lines(display._progress.get_renderable())
    text = "".join(segment.text for segment in line)
    assert text.startswith("  0012 train: label-sm… epoch 1/100  loss 0.500  tune 0.750  ")
    assert " s left 0:00:0" in text
    display.end()


def test_lines_break_between_words_and_commands_not_at_all() -> None:
    out = io.StringIO()
    display = Display(Console(file=out, force_terminal=True, width=20, color_system=None))
    display.say("val has 525 images and luck")
    display.say("see: improve-git status -C photos")
    assert out.getvalue() == ("val has 525 images \nand luck\nsee: improve-git status -C photos\n")


def test_what_a_candidate_reports_does_no_harm(display: Display) -> None:
    display.begin("0001 model: odd", None, 60.0)
    for epoch, epochs in ((None, None), ("a", "b"), (5, 2), (-1, 3), (0, 0)):
        display.event({"event": "epoch", "epoch": epoch, "epochs": epochs, "loss": "low"})
        assert told(display).startswith("epoch ")
    display.end()


def test_a_live_line_tells_which_agent_is_asked(display: Display) -> None:
    display.doing("0003 analyst (gpt) chooses what to try")
    assert display._asking and "0003 analyst (gpt)" in str(display._asking.status)
    display.begin("0003 model: wider", 4, 60.0)  # two live lines at once cannot be
    assert display._asking is None
    display.end()


def test_in_a_pipe_there_is_no_live_line() -> None:
    out = io.StringIO()
    display = Display(Console(file=out))
    display.doing("0000 architect (gpt) writes the first pipeline")
    display.doing("")
    display.begin("measure the baseline", None, 60.0)
    display.event({"event": "epoch", "epoch": 1, "epochs": 4})
    display.end()
    display.begin("0001 model: wider", None, 60.0)
    display.verdict("merged", "Merge 0001")
    assert out.getvalue() == "measure the baseline ...\nMerge 0001\n"


def test_the_bar_for_files_works_before_their_number_is_known() -> None:
    out = io.StringIO()
    with file_progress(Console(file=out, force_terminal=True, width=100)) as bar:
        task = bar.add_task("reading images", total=None)
        bar.refresh()
        bar.update(task, completed=3, total=9)
        bar.refresh()
    assert "3/9" in out.getvalue()
