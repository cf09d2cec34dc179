import json
from pathlib import Path

import pytest
from command_line import Call
from example_trail import SOURCE, ExampleTrail, measurement
from rich.console import Console

from improve_git.cli import show
from improve_git.domain import Attempt, Rewrite
from improve_git.git import Repository
from improve_git.iteration.measurement import combine
from improve_git.messages import compose
from improve_git.trail import writing
from improve_git.trail.history import FETCH_NOTES, branch_of, read_history
from improve_git.views.account import Account, find


def account(example: ExampleTrail, word: str) -> Account:
    return find(example.repo, read_history(example.repo), word)


def test_a_merge_in_full(example: ExampleTrail, call: Call) -> None:
    found = account(example, "1")
    folder = example.repo.folder
    blobs = [example.repo.blobs(rev)["model.py"][:7] for rev in (found.base, found.commit)]
    blank = " "  # which Git writes before an unchanged empty line
    record, data_set = found.figures["Record"], found.figures["Dataset"]
    assert (
        call("show", "1", "-C", folder).out
        == f'''\
0001 model: wider merged
accuracy 0.7000 over 0.5000 (+20.00 points)
on val, optimistic: a search kept the best

hypothesis
  wider helps

instruction
  Try wider.

expected
  half a point

Model Engineer (scripted)
  Use wider

  It may help.

diff --git a/model.py b/model.py
index {blobs[0]}..{blobs[1]} 100644
--- a/model.py
+++ b/model.py
@@ -1,3 +1,3 @@
 """The model component."""
{blank}
-STRENGTH = 1
+STRENGTH = 2

learning curve, 3 epochs, main's 3
  epoch  tune_accuracy  main    loss    main
      0              0     0       1       1
      1           0.25  0.25     0.5     0.5
      2            0.5   0.5  0.3333  0.3333

  tune_accuracy  ▁▅█  0 to 0.5
  main           ▁▅█  0 to 0.5

recall by class, on val
  class  images    main    this         change
  cat         5  1.0000  1.0000   +0.00 points
  dog         5  0.0000  0.4000  +40.00 points

by seed, on val
  seed   score    main         change
     0  0.7000  0.5000  +20.00 points

cost
  12.5 seconds of training

figures
  Branch         improve/0001-model-wider
  Val-Accuracy   0.7
  Main-Accuracy  0.5
  Seeds          0
  Sandbox        process
  Image          python-3.11/torch-2.15.0
  Dataset        {data_set[:62]}…
  Record         {record}

the same with Git
  git show --first-parent -m {found.commit[:10]}
  git log {found.base[:10]}..{found.tip[:10]}
  git notes --ref improve show {found.commit[:10]}
'''
    )


def test_a_long_line_of_a_diff_stays_one(
    example: ExampleTrail, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(show, "console", lambda: Console(force_terminal=True, color_system=None))
    example.commit_by_user({"train.py": f"{SOURCE.format(name='train', value=1)}# {'x ' * 60}\n"})
    example.score_main("measured", measurement(0.8))
    tip = example.pipeline.main()[:7]
    assert f"+# {'x ' * 60}\n" in call("show", tip, "-C", example.repo.folder).out


def test_the_git_commands_show_the_same(example: ExampleTrail, call: Call) -> None:
    for number in ("1", "2", "3"):
        said = call("show", number, "-C", example.repo.folder).out
        lines = said.partition("the same with Git\n")[2].splitlines()
        shown = [example.repo.git(*line.split()[1:]) for line in lines]
        found = account(example, number)
        assert found.diff.partition("\n+++")[2].rstrip() in shown[0]
        assert json.loads(shown[2]) == found.record


def test_json(example: ExampleTrail, call: Call) -> None:
    found = json.loads(call("show", "0002", "-C", example.repo.folder, "--json").out)
    assert found["record"].pop("key") == "k" * 64
    assert {key: found[key] for key in ("number", "title", "verdict", "reason", "classes")} == {
        "number": 2,
        "title": "train: longer",
        "verdict": "rejected",
        "reason": "accuracy 0.6000 under 0.7000 (-10.00 points)",
        "classes": [
            {"name": "cat", "images": 5, "recall": 1.0, "before": 1.0},
            {"name": "dog", "images": 5, "recall": 0.2, "before": 0.4},
        ],
    }


def test_a_failure_tells_what_went_wrong(example: ExampleTrail, call: Call) -> None:
    detail = "Traceback\n  File model.py\nRuntimeError: shapes"
    failed = measurement(None, status="crashed", detail=detail, curve=[])
    example.attempt("model", "deeper", "failed", failed, "crashed: RuntimeError: shapes")
    said = call("show", "6", "-C", example.repo.folder).out
    assert said.startswith("0006 model: deeper failed\ncrashed: RuntimeError: shapes\n")
    assert "what went wrong\n  Traceback\n    File model.py\n  RuntimeError: shapes\n" in said
    assert "learning curve" not in said


@pytest.mark.parametrize("word", ["0", "baseline"])
def test_the_baseline(example: ExampleTrail, call: Call, word: str) -> None:
    said = call("show", word, "-C", example.repo.folder).out
    assert said.startswith("Measure the baseline, accuracy 0.5000 baseline\naccuracy 0.5000 on val")
    assert "diff --git" not in said


def test_a_commit_of_the_users(example: ExampleTrail, call: Call) -> None:
    measured = next(s for s in read_history(example.repo).main if s.verdict == "measured")
    said = call("show", measured.commit[:7], "-C", example.repo.folder).out
    assert said.startswith("Measure main as it is now, accuracy 0.8000 (+10.00 points) measured\n")
    assert "-STRENGTH = 1\n+STRENGTH = 'by hand'\n" in said


def test_an_open_attempt_with_a_repair(example: ExampleTrail, call: Call) -> None:
    ref = example.write(5, "train", "warm-up", 5)
    repair = Rewrite("STRENGTH = 6\n", "Repair warm-up after crashed", "It failed.")
    attempt = Attempt(5, "train", "warm-up", None)
    writing.rewrite(example.repo, attempt, str(example.repo.resolve(ref)), repair, "scripted")
    said = call("show", "5", "-C", example.repo.folder).out
    assert said.startswith("0005 train: warm-up open\n\nhypothesis\n  a warm-up steadies")
    assert "\nrepair\n  Repair warm-up after crashed\n" in said
    assert "+STRENGTH = 6\n" in said
    assert "git notes" not in said


def test_a_main_that_moved_is_not_part_of_the_change(example: ExampleTrail) -> None:
    ref = branch_of(5, "train", "warm-up")
    example.write(5, "train", "warm-up", 5)
    main = example.commit_by_user({"README.md": "changed\n", "data.py": "STRENGTH = 7\n"})
    opened = read_history(example.repo).of(5)
    assert opened
    writing.take_in_main(example.repo, ref, example.repo.resolve(ref) or "", opened, main)
    assert [line for line in account(example, "5").diff.splitlines() if "+++" in line] == [
        "+++ b/train.py"
    ]


@pytest.mark.parametrize("word", ["9", "-1", "x", "9" * 5000, "0x1", "²"])
def test_an_unknown_number_names_those_there_are(
    example: ExampleTrail, call: Call, word: str
) -> None:  # fmt: skip
    said = call("show", "-C", example.repo.folder, "--", word)
    assert said.code == 1
    assert said.err.endswith("  fix: name one of: iterations 1 to 5, the baseline (0)\n")


HOSTILE = [
    {"curve": 3, "judgement": [1], "detail": {"a": 1}, "main_commit": 7},
    {"curve": [1, {"epoch": "x", "loss": None}, {"\x1b[31m": 1e308, "big": 10**400}]},
    {"judgement": {"per_class": [None, {"recall": "x"}, {"recall": 0.5, "support": 2}]}},
    {"judgement": {"per_class": {"a": 1}}, "main_commit": "--output=/tmp/x"},
    {"main_commit": "no such", "curve": [{"loss": float("nan")}], "detail": "\x1b[2J\u202e"},
]


@pytest.mark.parametrize("changes", HOSTILE)
def test_a_record_of_any_kind_is_put_up_with(
    example: ExampleTrail, call: Call, changes: dict[str, object]
) -> None:
    record = measurement(0.4) | {"main_score": 0.9} | changes
    blob = writing.write_record(example.repo, record)
    ref = branch_of(5, "train", "warm-up")
    labels = writing.verdict_trailers("rejected", "worse", record | {"score": 0.4}, blob,
                                    main_score=0.9, attempt=(5, "train", ref[11:]))  # fmt: skip
    tip = example.repo.resolve(ref) or ""
    writing.close(example.repo, ref, tip, compose("Reject", "", labels))
    for more in ([], ["--json"]):
        said = call("show", "5", "-C", example.repo.folder, *more)
        assert said.code == 0, said.err
        assert said.out.replace("\n", "").isprintable()


def test_what_tells_most_of_a_curve_comes_first(example: ExampleTrail, call: Call) -> None:
    extra = {"a": 1.0, "ema": 1.0, "epochs": 3, "lr": 0.1, "train_accuracy": 0.5, "z": 0.2}
    curve = [
        extra | {"epoch": n, "loss": 2.0, "lr": n, "z": n, "tune_accuracy": 0.5, "tune_loss": 3.0}
        for n in range(3)
    ]
    example.attempt("model", "deeper", "merged", measurement(0.9, curve=curve))
    lines = call("show", "6", "-C", example.repo.folder).out.splitlines()
    head = lines[lines.index("learning curve, 3 epochs, main's 3") + 1]
    assert head.split() == [
        *("epoch", "tune_accuracy", "main", "tune_loss", "main", "loss", "main")
    ]
    example.score_main("measured", measurement(0.9, dataset="another", curve=curve))
    lines = call("show", example.pipeline.main()[:7], "-C", example.repo.folder).out.splitlines()
    head = lines[lines.index("learning curve, 3 epochs") + 1]  # of other images none is beside it
    assert head.split() == ["epoch", "tune_accuracy", "tune_loss", "loss", "train_accuracy", "lr"]


def test_many_epochs_and_classes_fit_on_a_screen(example: ExampleTrail, call: Call) -> None:
    curve = [{"epoch": n, "loss": 1.0} for n in range(300)]
    classes = [{"recall": n / 50, "support": 2} for n in range(50)]
    record = measurement(0.9, curve=curve) | {"judgement": {"per_class": classes}}
    example.attempt("model", "deeper", "merged", record)
    lines = call("show", "6", "-C", example.repo.folder).out.splitlines()
    start = lines.index("learning curve, 300 epochs, main's 3")
    assert [line.split()[0] for line in lines[start + 1 : start + 14]] == [
        *("epoch", "0", "27", "54", "82", "109", "136", "163", "190", "217", "245", "272", "299")
    ]
    assert "recall by class, on val (38 that changed less left out)" in lines


def test_a_curve_of_many_epochs_becomes_a_line_of_blocks(example: ExampleTrail, call: Call) -> None:
    curve = [{"epoch": n, "tune_accuracy": n / 299} for n in range(300)]
    example.attempt("train", "longer", "rejected", measurement(0.8, curve=curve))
    said = call("show", "6", "-C", example.repo.folder).out
    rise = "▁▁▁▂▂▂▂▂▂▃▃▃▃▃▄▄▄▄▄▄▅▅▅▅▅▅▆▆▆▆▆▇▇▇▇▇▇███"
    assert f"\n  tune_accuracy  {rise}  0 to 1\n  main           ▁▃▅" in said


def test_the_scores_of_several_seeds_and_of_a_first_look(example: ExampleTrail, call: Call) -> None:
    def seeds(*scores: float, looks: list[list[float]] | None = None) -> dict[str, object]:
        runs = [measurement(s, seeds=[seed]) for seed, s in enumerate(scores)]
        mean = sum(scores) / len(scores)
        more = {"looks": looks} if looks else {}
        return combine(runs) | {"score": mean} | more

    example.score_main("measured", seeds(0.5, 0.7))
    example.attempt("train", "longer", "merged", seeds(0.6, 0.9, looks=[[1000, 0.7], [0, 0.6]]))
    said = call("show", "6", "-C", example.repo.folder).out
    assert (
        said.partition("by seed, ")[2].partition("\n\nfigures")[0]
        == """\
on val
  seed   score    main         change
  1000  0.7000                         a first look, not in the mean
     0  0.6000  0.5000  +10.00 points
     1  0.9000  0.7000  +20.00 points
  mean  0.7500  0.6000  +15.00 points

cost
  25.0 seconds of training in 2 trainings"""
    )
    # The recalls are means over the seeds too.
    assert "  cat         5  1.0000  1.0000   +0.00 points\n" in said
    assert "  dog         5  0.2000  0.5000  +30.00 points\n" in said


def test_tokens_and_dollars(example: ExampleTrail, call: Call) -> None:
    llm = {"tokens": 12345, "cost_usd": None, "calls": []}
    example.attempt("train", "longer", "rejected", measurement(0.8, llm=llm))
    example.attempt("train", "slow", "rejected", measurement(0.8, llm=llm | {"cost_usd": 0.25}))
    costs = [
        call("show", number, "-C", example.repo.folder).out.partition("\ncost\n")[2].splitlines()[0]
        for number in ("6", "7")
    ]
    assert costs == [
        "  12.5 seconds of training, 12,345 tokens, price unknown",
        "  12.5 seconds of training, 12,345 tokens, 0.2500 US dollars",
    ]


def test_a_clone_without_records_tells_what_commits_tell(
    example: ExampleTrail, call: Call, tmp_path: Path
) -> None:
    Repository(tmp_path).git("clone", "-q", "--no-local", str(example.repo.folder), "clone")
    said = call("show", "1", "-C", tmp_path / "clone").out
    assert f"\nits record is not in this clone; fetch it:\n  {FETCH_NOTES}\n" in said
    assert "  seed   score    main         change\n     0  0.7000  0.5000  +20.00 points\n" in said
    assert "learning curve" not in said
    assert "by class" not in said
