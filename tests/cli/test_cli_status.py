import json
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Call
from example_trail import SOURCE, ExampleTrail, measurement, pin_clock

from improve_git.git import ENGINE, Repository
from improve_git.journal import only_run
from improve_git.judging.luck import luck_line
from improve_git.live import Feed
from improve_git.trail.history import branch_of
from improve_git.trail.landing import LandingWaits, land

HEAVY = ["torch", "litellm", "hydra", "numpy", "sklearn", "docker", "pandas", "PIL"]


def test_one_screen(example: ExampleTrail, call: Call) -> None:
    tip = example.pipeline.main()[:7]
    folder = example.repo.folder
    assert (
        call("status", "-C", folder).out
        == f"""\
pets: /photos/pets, 40 images in 2 classes, judged by accuracy on the 10 of val

main        accuracy 0.9000  {tip}, merge of 0004
baseline    accuracy 0.5000
gain        +40.00 points  on val, optimistic: a search kept the best
course      ▁▄▄▄█  main, baseline to 0004
newest      +.x+  + merged . rejected x failed
iterations  4 of 40: 2 merged, 1 rejected, 1 failed
failures    1 crashed
looks       5 trainings judged on val
hours       0.04 of training and predicting

brought to main
  data     2 tried  1 merged  +10.00 points
  model    1 tried  1 merged  +20.00 points
  train    1 tried  0 merged
  by hand                     +10.00 points

open  0005 train: warm-up, a warm-up steadies the first steps
next: improve-git run -C {folder}
"""
    )


def test_json(example: ExampleTrail, call: Call) -> None:
    found = json.loads(call("status", "-C", example.repo.folder, "--json").out)
    commits = found.pop("tip"), found["main"].pop("commit"), found["baseline"].pop("commit")
    assert commits[0] == commits[1] == example.pipeline.main()
    assert found["main"].pop("date") > found["baseline"].pop("date") > "2023-11-14T22:13"
    assert found.pop("gain") == pytest.approx(0.4)
    assert found.pop("by_hand") == pytest.approx(0.1)
    assert found.pop("open").items() >= {"number": 5, "component": "train"}.items()
    assert [found["components"][name].pop("gain") for name in ("data", "model")] == [
        pytest.approx(0.1),
        pytest.approx(0.2),
    ]
    assert found == {
        "pipeline": str(example.repo.folder),
        "data": {
            "source": "/photos/pets",
            "images": 40,
            "classes": ["cat", "dog"],
            "val_images": 10,
        },
        "metric": "accuracy",
        "higher_is_better": True,
        "main": {
            "verdict": "merged",
            "score": 0.9,
            "number": 4,
        },
        "baseline": {
            "verdict": "baseline",
            "score": 0.5,
            "number": None,
        },
        "luck": None,
        "looks": 5,
        "openings": 0,
        "certificate": None,
        "evaluation": None,
        "unmeasured": [],
        "counts": {"merged": 2, "rejected": 1, "failed": 1},
        "failures": {"crashed": 1},
        "steps": [
            {"number": 1, "verdict": "merged", "score": 0.7, "main": 0.7},
            {"number": 2, "verdict": "rejected", "score": 0.6, "main": 0.7},
            {"number": 3, "verdict": "failed", "score": None, "main": 0.7},
            {"number": 4, "verdict": "merged", "score": 0.9, "main": 0.9},
        ],
        "components": {
            "data": {"tried": 2, "merged": 1},
            "model": {"tried": 1, "merged": 1},
            "train": {"tried": 1, "merged": 0, "gain": 0.0},
        },
        "budget": {
            "iterations": 4,
            "iterations_budget": 40,
            "hours": 0.0375,
            "hours_budget": None,
            "tokens": 0,
            "tokens_budget": None,
            "usd": 0.0,
            "usd_budget": None,
        },
        "run": None,
        "live": None,
        "waits": [],
    }


def test_what_the_agents_took(example: ExampleTrail, call: Call) -> None:
    def asked(usd: float | None) -> None:
        example.pipeline.journal.append("asked", iteration=1, tokens=1500, usd=usd)

    asked(0.25)
    said = call("status", "-C", example.repo.folder).out
    assert "agents      1,500 tokens, 0.25 US dollars\n" in said
    asked(None)
    said = call("status", "-C", example.repo.folder).out
    assert "agents      3,000 tokens, price unknown\n" in said


def test_what_breaks_a_pipeline_does_not_widen_the_line_of_luck(
    example: ExampleTrail, call: Call
) -> None:
    folder = example.repo.folder
    for slug, score, luck in (("a", 0.8, 0.01), ("b", 0.85, 0.012), ("c", 0.1, 0.3)):
        example.attempt("train", slug, "rejected", measurement(score, luck=luck))
    found = json.loads(call("status", "-C", folder, "--json").out)
    assert found["luck"] == pytest.approx(luck_line([0.012] * 3))


def test_before_the_baseline(tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    pin_clock(monkeypatch)
    example = ExampleTrail.found(tmp_path / "pets")
    example.repo.git("reset", "-q", "--hard", "HEAD~1")
    said = call("status", "-C", example.repo.folder)
    assert "main        not measured yet: the next run measures the baseline\n" in said.out
    assert said.code == 0


def test_a_loss_falls(tmp_path: Path, call: Call) -> None:
    example = ExampleTrail.found(tmp_path / "pets", "log_loss", 0.75)
    example.attempt("model", "wider", "merged", measurement(0.5, metric="log_loss"))
    assert "gain        -0.2500" in call("status", "-C", example.repo.folder).out
    assert json.loads(call("status", "-C", example.repo.folder, "--json").out)["gain"] == -0.25


@pytest.mark.parametrize("score", ["nan", "-inf", "1e300"])
def test_a_baseline_without_a_figure_is_put_up_with(tmp_path: Path, call: Call, score: str) -> None:
    example = ExampleTrail.found(tmp_path / "pets")
    tip = example.repo.log("-1")[0]
    message = tip.message.replace("Val-Accuracy: 0.5", f"Val-Accuracy: {score}")
    forged = example.repo.commit(tip.tree, tip.parents, message, ENGINE)
    example.repo.update_ref("refs/heads/main", forged, tip.sha, "test")
    for slug in ("wider", "deeper"):
        example.attempt("model", slug, "merged", measurement(0.6))
    said = call("status", "-C", example.repo.folder)
    assert (said.code, said.err) == (0, "")
    assert "\ncourse      " in said.out


def test_a_new_metric_begins_anew(example: ExampleTrail, call: Call) -> None:
    text = (example.repo.folder / "improve.yaml").read_text()
    example.commit_by_user({"improve.yaml": text.replace("accuracy", "macro_f1")})
    example.record = {"score": None}
    example.score_main("measured", measurement(0.6, metric="macro_f1"))
    lines = call("status", "-C", example.repo.folder).out.splitlines()
    tip = example.pipeline.main()[:7]
    assert lines[2] == f"main        macro-F1 0.6000  {tip}, as changed by hand"
    assert not [line for line in lines if line.startswith(("gain", "baseline"))]


def test_a_merge_waits_for_edits(example: ExampleTrail, call: Call) -> None:
    folder = example.repo.folder
    number = example.claim("model", "deeper", "depth helps")
    example.write(number, "model", "deeper", 99)
    (folder / "model.py").write_text("my own edit\n")
    main = example.pipeline.main()
    tip = example.repo.resolve(branch_of(number, "model", "deeper"))
    assert tip
    with pytest.raises(LandingWaits):
        land(example.repo, example.pipeline.journal, tip, main)
    waits = json.loads(call("status", "-C", folder, "--json").out)["waits"]
    assert waits == [
        {
            "what": f"a merge waits: model.py has uncommitted edits in {folder}",
            "fix": "commit or stash them, then: improve-git run",
        },
        {
            "what": "model.py has uncommitted edits: runs use what is committed",
            "fix": f"git -C {folder} commit model.py",
        },
    ]
    example.repo.git("checkout", "--", "model.py")
    waits = json.loads(call("status", "-C", folder, "--json").out)["waits"]
    assert waits == [{"what": "a merge is ready to land", "fix": "improve-git run"}]
    example.commit_by_user({"README.md": "main has moved\n"})
    assert json.loads(call("status", "-C", folder, "--json").out)["waits"] == []


def test_edited_settings_are_named(example: ExampleTrail, call: Call) -> None:
    folder = example.repo.folder
    with (folder / "improve.yaml").open("a") as file:
        file.write("epochs: 3\n")
    (folder / "README.md").write_text("not scored\n")
    assert call("status", "-C", folder).out.endswith(
        "waits for you: improve.yaml has uncommitted edits: runs use what is committed\n"
        f"  fix: git -C {folder} commit improve.yaml\n"
    )


def test_a_commit_of_the_users_is_not_measured_yet(example: ExampleTrail, call: Call) -> None:
    measured = example.pipeline.main()[:7]
    example.commit_by_user({"train.py": SOURCE.format(name="train", value="'again'")})
    said = call("status", "-C", example.repo.folder).out
    assert f"main        accuracy 0.9000  {measured}, merge of 0004\n" in said
    assert "            train.py changed since: the next run measures it\n" in said


def test_a_run_under_way(example: ExampleTrail, call: Call) -> None:
    folder, state = example.repo.folder, example.pipeline.state
    with only_run(state):
        feed = Feed(state)
        said = call("status", "-C", folder).out.splitlines()
        assert said[-3].startswith("run   under way: process ")
        assert said[-1] == "now   between two steps"
        feed.begin("0005 train: warm-up", 10, 60.0)
        feed.event({"event": "epoch", "epoch": 4, "loss": 0.5, "tune_accuracy": 0.75})
        said = call("status", "-C", folder).out.splitlines()
        assert said[-2] == "training  0005 train: warm-up"
        assert said[-1].startswith("progress  epoch 4 of 10, loss 0.500, tune 0.750, ")
        assert json.loads(call("status", "-C", folder, "--json").out)["run"]
    (state / "lock.holder").write_text("process 1 that was killed")
    assert json.loads(call("status", "-C", folder, "--json").out)["run"] is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "17",
        "{",
        "budget: default",
        "budget: [1]",
        "metric: {name: 3}",
        "budget: {iterations: many, hours: few}",
        "data: 2024-99-99",
        "!!python/object/apply:os.system [exit]",
        "[" * 5000,
        "a: &a [*a]",
    ],
)
def test_settings_of_any_kind_are_put_up_with(
    example: ExampleTrail, call: Call, text: str
) -> None:  # fmt: skip
    example.commit_by_user({"improve.yaml": text + "\n"})
    said = call("status", "-C", example.repo.folder)
    assert said.code == 0
    assert "iterations  4 of 40:" in said.out


def test_a_committed_typo_waits_for_the_user(example: ExampleTrail, call: Call) -> None:
    folder = example.repo.folder
    right = (folder / "improve.yaml").read_text()
    tip = example.commit_by_user({"improve.yaml": right + "epoch: 3\n"})
    wrong = f"improve.yaml at main ({tip[:7]}): epoch: no such setting; did you mean epochs?"
    commit = f"git -C {folder} commit improve.yaml"
    fix = f"write its name, or take it out; edit improve.yaml, then: {commit}"
    said = call("status", "-C", folder).out
    assert " ".join(said.split()).endswith(f"waits for you: {wrong} fix: {fix}")
    for command in ("run", "run --cfg", "run seed=1"):
        assert call(*command.split(), "-C", folder).err == f"error: {wrong}\n  fix: {fix}\n"
    (folder / "improve.yaml").write_text(right)
    assert call("run", "-C", folder).err == f"error: {wrong}\n  fix: {commit}\n"
    (folder / "improve.yaml").write_text(right + "epochs: 3\nepochs: 3\n")
    assert "; edit improve.yaml, then: " in call("run", "-C", folder).err


def test_budgets_are_read(example: ExampleTrail, call: Call) -> None:
    example.commit_by_user({"improve.yaml": "budget: {iterations: 7, hours: 1.5}\n"})
    said = call("status", "-C", example.repo.folder).out
    assert "iterations  4 of 7:" in said
    assert "hours       0.04 of 1.5 of training" in said


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"profile": 1, "classes": 2}', "[" * 100_000])
def test_a_damaged_data_set_is_put_up_with(example: ExampleTrail, call: Call, text: str) -> None:
    example.commit_by_user({"dataset.json": text + "\n"})
    assert call("status", "-C", example.repo.folder).out.startswith(
        "pets: /photos/pets, judged by accuracy\n"
    )


def test_nothing_steers_the_terminal(tmp_path: Path, call: Call) -> None:
    example = ExampleTrail.found(tmp_path / "pets")
    example.commit_by_user({"improve.yaml": 'data: {images: "[red]\\e[31m\\u202e x"}\n'})
    example.claim("model", "wider", "[bold]it\x1b[2J helps\x07 \u202eabc")
    for words in (["status"], ["log"], ["show", "1"], ["show", "0"]):
        said = call(*words, "-C", example.repo.folder)
        assert said.code == 0
        assert said.out.replace("\n", "").isprintable()
    assert "[bold]it [2J helps abc" in call("log", "-C", example.repo.folder).out
    assert call("status", "-C", example.repo.folder).out.startswith("pets: [red] [31m x, 40 ")


@pytest.mark.parametrize("words", [["status"], ["log"], ["show", "1"], ["watch"]])
def test_reading_is_light(example: ExampleTrail, words: list[str]) -> None:
    program = (
        "import sys\nfrom improve_git.cli.main import main\n"
        "try:\n    main(sys.argv[1:])\nfinally:\n"
        f"    print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *words, "-C", str(example.repo.folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("words", [["status"], ["log"], ["log", "--json"]])
def test_what_is_there_at_once_loads_little(example: ExampleTrail, words: list[str]) -> None:
    own = ("improve_git.settings.schema", "improve_git.judging.gate")
    slow = ("rich", "filelock", "asyncio", "statistics", *own)
    code = (
        "import sys\nfrom improve_git.cli.main import main\n"
        "try:\n    main(sys.argv[1:])\nfinally:\n"
        f"    print([name for name in {slow!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words, "-C", str(example.repo.folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_status_needs_a_pipeline(tmp_path: Path, call: Call) -> None:
    said = call("status", "-C", tmp_path)
    assert (said.out, said.code) == ("", 1)
    assert said.err.startswith(f"error: {tmp_path} is not a pipeline: no Git repository\n  fix: ")


def test_a_clone_reads_the_same(example: ExampleTrail, call: Call, tmp_path: Path) -> None:
    clone = tmp_path / "clone" / "pets"
    example.repo.git("clone", "-q", "--no-local", str(example.repo.folder), str(clone))
    mine = call("log", "-C", example.repo.folder).out.splitlines()
    # What is open is its owner's alone.
    assert call("log", "-C", clone).out.splitlines() == [*mine[:-3], *mine[-2:]]
    lines = call("status", "-C", clone).out.splitlines()
    assert lines[2:5] == call("status", "-C", example.repo.folder).out.splitlines()[2:5]
    shown = call("show", "3", "-C", clone).out
    fetch = "git fetch origin '+refs/notes/*:refs/notes/*'"
    assert f"\nits record is not in this clone; fetch it:\n  {fetch}\n" in shown
    assert "learning curve" not in call("show", "2", "-C", clone).out
    Repository(clone).git("fetch", "-q", "origin", "+refs/notes/*:refs/notes/*")
    assert "learning curve" in call("show", "2", "-C", clone).out
