"""The loop on real Git with a scripted sandbox: verdicts, the trail, moved mains, resuming."""

import itertools
import shutil
import subprocess
from collections.abc import Callable
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from improve_git import git, prediction
from improve_git.errors import PipelineError, SandboxError
from improve_git.iteration import trial
from improve_git.iteration.trial import Bench
from improve_git.messages import trailers
from improve_git.observer import Silent
from improve_git.pipeline import Pipeline
from improve_git.trail.history import read_history, read_record
from improve_git.trail.landing import LandingWaits
from scripted import ScriptedSandbox, ScriptedTeam, source
from worlds import (
    BETTER,
    CRASH,
    SAME,
    WORSE,
    World,
    make_world,
    meanwhile,
)

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "SANDBOX_PAUSES", (0, 0))


@pytest.fixture
def world(photos: Path, tmp_path: Path) -> Callable[..., World]:
    return partial(make_world, photos, tmp_path / "pipeline")


def test_the_trail_of_a_run(world: Callable[..., World]) -> None:
    w = world([("model", "wider", BETTER), ("train", "slower", WORSE), ("data", "same", SAME),
               ("train", "crash", CRASH)])  # fmt: skip
    assert w.run() == "nothing is left to try: the team knows no further move from this main"
    assert w.graph() == [
        "improve-git: Set up a pipeline for 200 images in 2 classes",
        "Project Architect (scripted): Write the first pipeline",
        "improve-git: Measure the baseline, accuracy 0.6000",
        "Performance Analyst (scripted): Assign model.py: wider",
        "Model Engineer (scripted): Do wider",
        "improve-git: Merge 0001 model: wider, accuracy 0.8000 (+20.00 points)",
        "Performance Analyst (scripted): Assign train.py: slower",
        "Training Engineer (scripted): Do slower",
        "improve-git: Reject 0002 train: slower, accuracy 0.7000 (-10.00 points)",
        "Performance Analyst (scripted): Assign data.py: same",
        "Data Engineer (scripted): Do same",
        "improve-git: Reject 0003 data: same, accuracy 0.8000 (+0.00 points)",
        "Performance Analyst (scripted): Assign train.py: crash",
        "Training Engineer (scripted): Do crash",
        "improve-git: Fail 0004 train: crash, crashed",
    ]
    repo = w.pipeline.repo
    first_parent = [c.subject for c in repo.log("--first-parent", "main")]
    assert first_parent[0].startswith("Merge 0001") and len(first_parent) == 4
    said = trailers(repo.log("-1", "main")[0].message)
    assert {k: v for k, v in said.items() if k not in ("Dataset", "Record")} == {
        "Iteration": "1",
        "Component": "model",
        "Branch": "improve/0001-model-wider",
        "Verdict": "merged",
        "Reason": "accuracy 0.8000 over 0.6000 (+20.00 points)",
        "Val-Accuracy": "0.8",
        "Main-Accuracy": "0.6",
        "Seeds": "0",
        "Luck": "0.05",
        "Train-Seconds": "1.5",
        "Sandbox": "scripted",
        "Image": "scripted-1",
    }
    record = read_record(repo, said["Record"])
    assert record and record["judgement"]["confusion"] == [[35, 5], [11, 29]]
    assert repo.notes()[repo.resolve("main") or ""] == said["Record"]
    assert repo.git("show", "--first-parent", "-m", "--format=", "--name-only", "main") == (
        "model.py"
    )
    assert "Model Engineer" in repo.git("blame", "main", "--", "model.py").splitlines()[0]
    assert repo.git("status", "--porcelain") == ""
    assert (repo.folder / "model.py").read_text() == BETTER


def test_every_verdict_has_its_record_as_a_note(world: Callable[..., World]) -> None:
    w = world([("model", "wider", BETTER), ("train", "crash", CRASH)])
    w.run()
    history = read_history(w.pipeline.repo)
    scored = [s.commit for s in history.main] + [a.commit for a in history.attempts]
    assert set(w.pipeline.repo.notes()) == set(scored)


def test_agents_are_told_scores_and_the_profile_but_nothing_else_of_val(
    world: Callable[..., World],
) -> None:
    w = world([("model", "wider", BETTER), ("train", "slower", WORSE)])
    w.run()
    context = w.team.contexts[-1]
    assert [(a.slug, a.verdict, a.score, a.main_score) for a in context.attempts] == [
        ("wider", "merged", 0.8, 0.6),
        ("slower", "rejected", 0.7, 0.8),
    ]
    assert context.files["model.py"] == BETTER


def test_repairs_are_further_commits_and_bounded(world: Callable[..., World]) -> None:
    mended = source("train", 0.5)
    w = world([("train", "crash", CRASH)], [CRASH + "#\n", mended])
    w.run()
    assert w.graph()[-3:] == [
        "Training Engineer (scripted): Repair crash after crashed",
        "Training Engineer (scripted): Repair crash after crashed",
        "improve-git: Merge 0001 train: crash, accuracy 0.9000 (+30.00 points)",
    ]
    w = world_again(w, [CRASH + "# 1\n", CRASH + "# 2\n", CRASH + "# 3\n"])
    w.team.moves = [("train", "x", source("train", 0.1)), ("train", "again", CRASH)]
    w.run("budget.repairs=1")
    assert w.verdicts()[1] == (2, "failed", "crashed: as scripted")
    assert sum("Repair again" in line for line in w.graph()) == 1


def world_again(w: World, repairs: list[str]) -> World:
    w.team.repairs = repairs
    return w


def test_a_candidate_that_touches_nothing_or_breaks_the_contract_is_not_trained(
    world: Callable[..., World],
) -> None:
    w = world([("model", "nothing", source("model", 0.2)), ("model", "broken", "def x(:\n")])
    w.run()
    (_, one, reason), (_, other, why) = w.verdicts()
    assert (one, reason) == ("failed", "invalid: changes nothing, not model.py alone")
    assert other == "failed" and why.startswith("invalid: ")
    assert len(w.sandbox.trained) == 1  # the baseline


def test_a_baseline_that_fails_is_repaired_or_stops_the_run(world: Callable[..., World]) -> None:
    w = world([], [source("train", 0.3)])
    w.commit("train.py", CRASH)
    # The user's commit stands on an unmeasured main, so it counts as the baseline.
    assert w.run().startswith("nothing is left")
    assert w.graph()[-2:] == [
        "Training Engineer (scripted): Repair repair after crashed",
        "improve-git: Measure the baseline, accuracy 0.7000",
    ]


def test_a_baseline_beyond_repair_names_the_reason(world: Callable[..., World]) -> None:
    w = world([])
    w.commit("train.py", CRASH)
    with pytest.raises(PipelineError, match="cannot be trained: crashed: as scripted"):
        w.run()


def test_nothing_is_trained_twice(world: Callable[..., World]) -> None:
    w = world([("model", "wider", BETTER), ("model", "back", source("model", 0.2))])
    w.run()
    assert len(w.sandbox.trained) == 2  # the way back is answered from memory
    assert w.verdicts()[1][1] == "rejected"


def test_a_budget_counts_all_runs(world: Callable[..., World]) -> None:
    w = world([("model", f"m{n}", source("model", 0.2 + n / 100)) for n in range(1, 9)])
    assert w.run("budget.iterations=2") == "2 of 2 iterations are done"
    assert w.run("budget.iterations=2") == "2 of 2 iterations are done"
    assert w.run("budget.iterations=3") == "3 of 3 iterations are done"
    assert [n for n, *_ in w.verdicts()] == [1, 2, 3]
    assert "hours of training are spent" in w.run("budget.hours=0.001")


# Main moves while a candidate is being trained (invariant 2)


def test_a_change_elsewhere_merges_without_ado(world: Callable[..., World]) -> None:
    w = world([("model", "wider", BETTER)])
    meanwhile(w, 2, lambda: w.commit("README.md", "mine\n"))
    w.run()
    assert w.verdicts() == [(1, "merged", "accuracy 0.8000 over 0.6000 (+20.00 points)")]
    assert w.pipeline.repo.read("main", "README.md") == "mine\n"
    assert len(w.sandbox.trained) == 2


def test_a_change_of_another_component_is_measured_and_taken_in(
    world: Callable[..., World],
) -> None:
    w = world([("model", "wider", BETTER)])
    users = source("train", 0.3)
    meanwhile(w, 2, lambda: w.commit("train.py", users))
    w.run()
    assert w.graph()[-4:] == [
        "Test User: Edit train.py by hand",
        "improve-git: Measure main as it is now, accuracy 0.7000 (+10.00 points)",
        "improve-git: Merge main into the candidate",
        "improve-git: Merge 0001 model: wider, accuracy 0.9000 (+20.00 points)",
    ]
    assert w.pipeline.repo.read("main", "train.py") == users
    assert w.pipeline.repo.read("main", "model.py") == BETTER


def test_a_change_of_the_candidates_own_component_supersedes_it(
    world: Callable[..., World],
) -> None:
    w = world([("model", "wider", BETTER)])
    users = source("model", 0.1)
    meanwhile(w, 2, lambda: w.commit("model.py", users))
    w.run()
    assert w.verdicts() == [(1, "rejected", "superseded: model.py was changed on main meanwhile")]
    assert w.pipeline.repo.read("main", "model.py") == users


def test_a_scored_setting_that_changes_is_measured_again(world: Callable[..., World]) -> None:
    w = world([("model", "wider", BETTER)])
    text = w.pipeline.repo.read("main", "improve.yaml")
    changed = text.replace("\nseed: 0", "\nseed: 7")
    assert changed != text
    meanwhile(w, 2, lambda: w.commit("improve.yaml", changed))
    w.run()
    merge = trailers(w.pipeline.repo.log("-1", "main")[0].message)
    assert (merge["Verdict"], merge["Seeds"]) == ("merged", "7")
    assert len(w.sandbox.trained) == 4  # both, on both seeds


def test_another_number_of_threads_has_main_measured_again(world: Callable[..., World]) -> None:
    w = world([("model", "wider", BETTER), ("data", "same", SAME)])
    w.run("budget.iterations=1")
    w.run("budget.iterations=2", "sandbox.cpus=1")
    subjects = [line for line in w.graph() if "Measure main" in line or "0002" in line]
    assert "Measure main as it is now" in subjects[0]
    assert len(w.sandbox.trained) == 4  # the baseline, 0001, its main again, 0002


def test_a_worse_commit_of_the_user_is_measured_never_reverted(
    world: Callable[..., World],
) -> None:
    w = world([])
    w.run()
    users = w.commit("train.py", WORSE)
    w.run()
    assert w.graph()[-1] == (
        "improve-git: Measure main as it is now, accuracy 0.5000 (-10.00 points)"
    )
    assert w.pipeline.repo.is_ancestor(users, "main")


def test_uncommitted_edits_make_the_merge_wait_and_the_next_run_lands_it(
    world: Callable[..., World],
) -> None:
    w = world([("model", "wider", BETTER)])
    edited = w.pipeline.repo.folder / "model.py"
    meanwhile(w, 2, lambda: edited.write_text("mine\n"))
    with pytest.raises(LandingWaits, match=r"model\.py has uncommitted edits"):
        w.run()
    assert edited.read_text() == "mine\n"
    assert w.verdicts() == [(1, "None", "")]
    w.pipeline.repo.git("checkout", "-q", "--", "model.py")
    w.run()
    assert w.verdicts()[0][1] == "merged"
    assert len(w.sandbox.trained) == 2  # the collected result was kept


# Resuming


class Killed(BaseException):
    """Stands for kill -9: nothing of ours catches it."""


KILLED_MOVES = [("model", "wider", BETTER), ("train", "crash", CRASH)]
WRITES = {"update-ref", "commit-tree", "read-tree", "notes", "hash-object", "mktree"}
STEPS = 32  # how often an undisturbed run writes


@pytest.fixture(scope="module")
def calm(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Path]:
    """An undisturbed run, and a copy of its pipeline from before it."""
    folder = tmp_path_factory.mktemp("calm")
    world = make_world(photos, folder / "pipeline", KILLED_MOVES)
    shutil.copytree(world.pipeline.repo.folder, folder / "before", symlinks=True)
    world.run()
    return world, folder / "before"


@pytest.mark.parametrize("step", range(STEPS + 1))
def test_a_run_that_is_killed_anywhere_carries_on(
    calm: tuple[World, Path], monkeypatch: pytest.MonkeyPatch, step: int, tmp_path: Path
) -> None:
    undisturbed, before = calm
    shutil.copytree(before, tmp_path / "pipeline", symlinks=True)
    pipeline = Pipeline.open(tmp_path / "pipeline")
    sandbox = ScriptedSandbox(pipeline.snapshot("main").data_set)
    w = World(pipeline, sandbox, ScriptedTeam(KILLED_MOVES))
    writes = itertools.count()
    real = git.Repository.git

    def dying(self: git.Repository, *command: str, **more: object) -> str:
        if command[0] in WRITES and next(writes) == step:
            raise Killed
        return real(self, *command, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(git.Repository, "git", dying)
        with nullcontext() if step == STEPS else pytest.raises(Killed):
            w.run()
    w.run()
    assert w.graph() == undisturbed.graph()
    assert w.verdicts() == undisturbed.verdicts()
    assert len(w.sandbox.trained) <= 4  # three, and the training under way when it was killed
    assert w.pipeline.repo.git("status", "--porcelain") == ""
    history = read_history(w.pipeline.repo)
    scored = {s.commit for s in history.main} | {a.commit for a in history.attempts}
    assert scored <= set(w.pipeline.repo.notes())


def test_a_failing_sandbox_is_retried_and_never_counted(world: Callable[..., World]) -> None:
    w = world([("model", "wider", BETTER)])
    w.sandbox.fail_sandbox = 2
    w.run()
    assert w.verdicts()[0][1] == "merged"
    w = world_broken(w)
    with pytest.raises(SandboxError, match="the sandbox failed 3 times: the engine is away"):
        w.run()
    assert [v for _, v, _ in w.verdicts()] == ["merged", "None"]
    w.sandbox.fail_sandbox = 0
    w.run()
    assert [v for _, v, _ in w.verdicts()] == ["merged", "rejected"]


def test_a_run_clears_what_a_run_left_and_no_prediction_of_the_users(
    world: Callable[..., World], tmp_path: Path
) -> None:
    w = world([])
    w.run()
    w.run()
    [prefix] = {*w.sandbox.cleared}
    assert len(w.sandbox.labels_seen) == 2  # the baseline's training and prediction
    assert all(label.startswith(prefix) for label in w.sandbox.labels_seen)
    snapshot = w.pipeline.snapshot("main")
    (tmp_path / "new").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "new" / "new.png")
    found = prediction.find_images(tmp_path / "new", 8, 100, lambda *_: None)
    with suppress(ValueError):  # the scripted sandbox knows the images of val alone
        prediction.predict(Bench(w.pipeline, w.sandbox, Silent()), snapshot, found)
    assert w.sandbox.labels_seen[2].startswith(w.pipeline.label)
    assert not w.sandbox.labels_seen[2].startswith(prefix)


def world_broken(w: World) -> World:
    w.sandbox.fail_sandbox = 99
    w.team.moves.append(("train", "slower", WORSE))
    return w


def test_another_image_has_main_measured_again(world: Callable[..., World]) -> None:
    w = world([("model", "wider", BETTER)])
    w.run()
    w.sandbox.image = "scripted-2"
    w.run()
    said = trailers(w.pipeline.repo.log("-1", "main")[0].message)
    assert (said["Verdict"], said["Image"]) == ("measured", "scripted-2")


def test_a_bare_clone_can_be_improved(world: Callable[..., World], tmp_path: Path) -> None:
    w = world([("model", "wider", BETTER)])
    w.pipeline.repo.git("clone", "-q", "--bare", str(w.pipeline.repo.folder), str(tmp_path / "b"))
    bare = World(Pipeline.open(tmp_path / "b"), w.sandbox, w.team)
    bare.run()
    assert bare.verdicts()[0][1] == "merged"
    assert (tmp_path / "b" / "improve" / "journal").exists()


def test_a_branch_named_improve_is_reported_at_once(world: Callable[..., World]) -> None:
    w = world([])
    w.pipeline.repo.git("branch", "improve")
    with pytest.raises(PipelineError, match="a branch named improve is in the way"):
        w.run()


# What users do to a pipeline while it runs, or between runs


def user(w: World, *command: str) -> None:
    subprocess.run(["git", *command], cwd=w.pipeline.repo.folder, check=True, capture_output=True)


def test_what_lands_is_the_commit_that_was_measured(world: Callable[..., World]) -> None:
    w = world([("model", "wider", BETTER)])
    repo = w.pipeline.repo

    def slip_in() -> None:
        ref = "refs/heads/improve/0001-model-wider"
        tip = repo.resolve(ref) or ""
        tree = repo.write_tree(tip, {"model.py": source("model", 0.1)})
        repo.update_ref(ref, repo.commit(tree, [tip], "Mine\n", git.ENGINE), tip, "test")

    meanwhile(w, 2, slip_in)
    w.run()
    assert w.verdicts() == [(1, "merged", "accuracy 0.8000 over 0.6000 (+20.00 points)")]
    assert repo.read("main", "model.py") == BETTER


def test_a_merge_that_the_user_takes_back_stays_taken_back(world: Callable[..., World]) -> None:
    w = world([("model", "wider", BETTER)])
    w.run()
    user(w, "reset", "-q", "--hard", "HEAD^1")
    w.run()
    assert w.verdicts() == [(1, "rejected", "taken back: its merge is no longer on main")]
    assert w.pipeline.repo.read("main", "model.py") == source("model", 0.2)


def test_a_main_that_is_amended_or_rewound_is_followed(world: Callable[..., World]) -> None:
    w = world([("model", "wider", BETTER), ("train", "longer", source("train", 0.3))])
    w.run("budget.iterations=1")
    w.commit("README.md", "mine\n")
    user(w, "commit", "-q", "--amend", "-m", "Mine")
    meanwhile(w, 1, lambda: user(w, "commit", "-q", "--amend", "-m", "Mine again"))
    w.run()
    assert w.verdicts()[1] == (2, "merged", "accuracy 0.9000 over 0.8000 (+10.00 points)")
    assert w.pipeline.repo.read("main", "README.md") == "mine\n"


def test_a_rewound_own_component_supersedes(world: Callable[..., World]) -> None:
    w = world([("model", "wider", BETTER), ("model", "widest", source("model", 0.5))])
    w.run("budget.iterations=1")
    meanwhile(w, 1, lambda: user(w, "reset", "-q", "--hard", "HEAD^1"))
    w.run()
    assert w.verdicts()[1][1:] == (
        "rejected", "superseded: model.py was changed on main meanwhile")  # fmt: skip
    assert w.pipeline.repo.read("main", "model.py") == source("model", 0.2)


def test_a_failure_is_tried_again_under_other_limits(world: Callable[..., World]) -> None:
    w = world([])
    w.commit("train.py", source("train", 0.3, "\n# out-of-memory\n"))
    for _ in range(2):
        with pytest.raises(PipelineError, match="out-of-memory"):
            w.run()
    assert len(w.sandbox.trained) == 1
    with pytest.raises(PipelineError, match="out-of-memory"):
        w.run("sandbox.memory=64g")
    assert len(w.sandbox.trained) == 2


def test_a_failed_branch_that_is_merged_by_hand_is_measured(world: Callable[..., World]) -> None:
    w = world([("train", "crash", CRASH)])
    w.run()
    user(w, "merge", "-q", "--ff-only", "improve/0001-train-crash")
    with pytest.raises(PipelineError, match="cannot be trained: crashed"):
        w.run()


def test_scores_survive_a_merge_of_main_into_the_users_line(world: Callable[..., World]) -> None:
    w = world([("model", "wider", BETTER)])
    user(w, "checkout", "-q", "-b", "mine")
    w.commit("README.md", "mine\n")
    w.run()
    user(w, "merge", "-q", "-m", "Take main in", "main")
    user(w, "checkout", "-q", "main")
    user(w, "merge", "-q", "--ff-only", "mine")
    w.run()
    assert [s.verdict for s in read_history(w.pipeline.repo).main] == ["baseline", "merged"]


def test_a_collected_result_gets_its_verdict_although_the_budget_is_spent(
    world: Callable[..., World],
) -> None:
    w = world([("model", "wider", BETTER)])
    edited = w.pipeline.repo.folder / "model.py"
    meanwhile(w, 2, lambda: edited.write_text("mine\n"))
    with pytest.raises(LandingWaits):
        w.run()
    user(w, "checkout", "-q", "--", "model.py")
    assert "hours of training are spent" in w.run("budget.hours=0.0001")
    assert w.verdicts()[0][1] == "merged"


def test_a_training_is_not_repeated_when_predicting_was_cut_short(
    world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    w = world([])

    def cut(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(w.sandbox, "predict", cut)
        w.run()
    w.run()
    assert len(w.sandbox.trained) == 1


def test_a_shallow_clone_is_refused(world: Callable[..., World], tmp_path: Path) -> None:
    w = world([])
    w.run()
    origin = f"file://{w.pipeline.repo.folder}"
    user(w, "clone", "-q", "--depth", "1", origin, str(tmp_path / "shallow"))
    with pytest.raises(PipelineError, match="this clone is shallow"):
        Pipeline.open(tmp_path / "shallow").main()


def test_only_the_weights_of_main_are_kept(world: Callable[..., World]) -> None:
    w = world([("model", "wider", BETTER), ("train", "slower", WORSE)])
    w.run()
    (kept,) = (w.pipeline.state / "weights").iterdir()
    assert BETTER in kept.read_text()


def test_weights_that_a_killed_run_left_are_dropped_by_the_next(
    world: Callable[..., World],
) -> None:
    w = world([("model", "wider", BETTER)])
    w.run()
    folder = w.pipeline.state / "weights"
    kept = [path.name for path in folder.iterdir()]
    (folder / "old.safetensors").touch()
    (folder / ".new.safetensors.partial").touch()
    w.run()
    assert [path.name for path in folder.iterdir()] == kept


def test_a_merge_that_is_taken_back_after_a_kill_stays_taken_back(
    world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    w = world([("model", "wider", BETTER)])
    real = git.Repository.git

    def dying(self: git.Repository, *command: str, **more: object) -> str:
        said = real(self, *command, **more)  # type: ignore[arg-type]
        if command[0] == "update-ref" and "improve-git: land" in command and merges(self):
            raise Killed
        return said

    def merges(repo: git.Repository) -> bool:
        return bool(real(repo, "log", "--merges", "--format=%h", "main"))

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(git.Repository, "git", dying)
        w.run()
    w.run()
    user(w, "reset", "-q", "--hard", "HEAD^1")
    w.run()
    assert w.verdicts() == [(1, "rejected", "taken back: its merge is no longer on main")]


def test_a_training_that_the_clock_stopped_says_so(world: Callable[..., World]) -> None:
    w = world([("model", "slow", source("model", 0.1, "\n# slow\n"))])
    w.run()
    assert w.verdicts()[0][2] == (
        "accuracy 0.5000 under 0.6000 (-10.00 points); its training was stopped by the clock"
    )
