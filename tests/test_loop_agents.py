"""The loop with a team that can fail, costs money and is steered: what a language model brings."""

import os
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from improve_git.domain import Assignment, Context, Rewrite, Training
from improve_git.errors import BudgetSpent, LlmError, PipelineError, RunPaused, TeamError
from improve_git.git import Person
from improve_git.iteration.briefing import training_of
from improve_git.messages import trailers
from improve_git.pipeline import Pipeline
from improve_git.trail.history import read_history, read_record
from scripted import ScriptedTeam, source
from worlds import BETTER, CRASH, WORSE, World, make_world

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def world(photos: Path, tmp_path: Path) -> Callable[..., World]:
    return partial(make_world, photos, tmp_path / "pipeline")


class Failing(ScriptedTeam):
    """Raises what it is told to, in an iteration's assignment or rewrite."""

    def __init__(self, moves: list[tuple[str, str, str]], **errors: dict[int, Exception]) -> None:
        super().__init__(moves)
        self.errors = errors

    def assign(self, context: Context) -> Assignment | None:
        if error := self.errors.get("assign", {}).get(context.number):
            raise error
        return super().assign(context)

    def rewrite(self, assignment: Assignment, context: Context) -> Rewrite:
        if error := self.errors.get("rewrite", {}).get(context.number):
            raise error
        return super().rewrite(assignment, context)


MOVES = [
    ("model", "wider", BETTER),
    ("train", "slower", WORSE),
    ("data", "more", source("data", 0.3)),
]


def test_a_file_that_is_not_written_fails_the_attempt_alone(world: Callable[..., World]) -> None:
    team = Failing(MOVES, rewrite={2: TeamError("no usable reply after 3: prose only")})
    w = world([], team=team)
    assert w.run("budget.iterations=3") == "3 of 3 iterations are done"
    assert [row[:2] for row in w.verdicts()] == [(1, "merged"), (2, "failed"), (3, "merged")]
    assert w.verdicts()[1][2] == "no-rewrite: no usable reply after 3: prose only"
    assert w.graph()[-5:-3] == [
        "Performance Analyst (scripted): Assign train.py: slower",
        "improve-git: Fail 0002 train: slower, no-rewrite",
    ]


def test_a_missing_assignment_fails_an_attempt_too(world: Callable[..., World]) -> None:
    team = Failing(MOVES, assign={1: TeamError("no usable reply after 3: empty")})
    w = world([], team=team)
    w.run("budget.iterations=1", "agents.components=[train]")
    assert w.verdicts() == [
        (1, "failed", "no-rewrite: no assignment: no usable reply after 3: empty")
    ]
    assert read_history(w.pipeline.repo).attempts[0].component == "train"


def test_failures_in_a_row_pause_the_run_with_a_diagnosis(world: Callable[..., World]) -> None:
    moves = [("train", f"crash-{n}", CRASH + f"# {n}\n") for n in range(6)]
    w = world(moves)
    with pytest.raises(RunPaused) as caught:
        w.run("budget.failures=3", "budget.repairs=0")
    assert caught.value.message == (
        "paused: 3 iterations in a row failed: 3 x crashed: as scripted"
    )
    assert "improve-git show 3" in caught.value.fix
    with pytest.raises(RunPaused):  # the next run may fail as often again
        w.run("budget.failures=3", "budget.repairs=0")
    assert w.run("budget.failures=3", "budget.repairs=0").startswith("nothing is left to try")
    assert len(w.verdicts()) == 6


def test_a_model_that_cannot_be_used_burns_no_iteration(world: Callable[..., World]) -> None:
    team = Failing(MOVES, assign={1: LlmError("the key is refused", "set OPENAI_API_KEY")})
    w = world([], team=team)
    with pytest.raises(LlmError):
        w.run()
    assert w.verdicts() == []
    team.errors = {"rewrite": {1: LlmError("the key is refused", "set OPENAI_API_KEY")}}
    with pytest.raises(LlmError):
        w.run()
    assert w.verdicts() == [(1, "None", "")]
    team.errors = {}
    w.run("budget.iterations=1")
    assert [row[:2] for row in w.verdicts()] == [(1, "merged")]


def test_a_spent_budget_ends_the_run_and_keeps_the_open_attempt(
    world: Callable[..., World],
) -> None:
    team = Failing(MOVES, rewrite={1: BudgetSpent("1.00 of 1.00 dollars are spent")})
    w = world([], team=team)
    assert w.run() == "1.00 of 1.00 dollars are spent"
    assert w.verdicts() == [(1, "None", "")]


def test_what_calls_took_stands_in_the_trail(world: Callable[..., World]) -> None:
    w = world(MOVES)

    def asked(iteration: int, role: str, tokens: int, usd: float | None) -> None:
        w.pipeline.journal.append("asked", iteration=iteration, role=role, model="m",
                                  tokens=tokens, usd=usd, prompt="p", transcript="t")  # fmt: skip

    asked(1, "analyst", 100, 0.5)
    asked(1, "model", 300, 0.25)
    asked(2, "analyst", 50, None)
    w.run("budget.iterations=3")
    attempts = read_history(w.pipeline.repo).attempts
    told = [trailers(w.pipeline.repo.log("-1", a.commit)[0].message) for a in attempts]
    assert [(t.get("LLM-Tokens"), t.get("LLM-Cost-USD")) for t in told] == [
        ("400", "0.7500"), ("50", None), (None, None),
    ]  # fmt: skip
    record = read_record(w.pipeline.repo, attempts[0].record)
    assert record is not None
    assert [call["role"] for call in record["llm"]["calls"]] == ["analyst", "model"]


def test_authors_are_the_models_that_wrote(world: Callable[..., World]) -> None:
    class Models(ScriptedTeam):
        def assign(self, context: Context) -> Assignment | None:
            made = super().assign(context)
            return made and Assignment(**{**vars(made), "by": "big", "mechanism": "loss"})

        def rewrite(self, assignment: Assignment, context: Context) -> Rewrite:
            return Rewrite(**{**vars(super().rewrite(assignment, context)), "by": "small"})

    w = world([], team=Models(MOVES[:1]))
    w.run("budget.iterations=1")
    assert w.graph()[-3:-1] == [
        "Performance Analyst (big): Assign model.py: wider",
        "Model Engineer (small): Do wider",
    ]
    attempt = read_history(w.pipeline.repo).attempts[0]
    assert (attempt.mechanism, attempt.subject, attempt.expected_effect) == (
        "loss", "Do wider", "+1 point",
    )  # fmt: skip


def test_a_team_is_told_how_it_is_steered_and_what_was_tried(world: Callable[..., World]) -> None:
    w = world(MOVES)
    w.commit("ABOUT.md", "The label is the animal.")
    w.run("budget.iterations=2")
    notes = w.pipeline.repo.folder / "NOTES.md"
    notes.write_text("Leave the model alone.")  # not committed
    w.run("budget.iterations=3", "agents.components=[data,train]")
    context = w.team.contexts[-1]  # type: ignore[attr-defined]
    assert (context.about, context.notes) == ("The label is the animal.", "Leave the model alone.")
    assert context.components == ("data", "train")
    assert context.tried == {2: WORSE}
    assert context.trainings_left == 1
    assert context.score == 0.8
    assert context.training is not None and context.training.seconds == 1.5
    assert set(context.recent) == {1, 2}
    assert context.rewritten[2] == (source("train", 0.2), WORSE)


def test_a_users_own_commit_on_the_branch_stands(world: Callable[..., World]) -> None:
    own = source("model", 0.3, "\n# by hand\n")

    class Slow(ScriptedTeam):
        def rewrite(self, assignment: Assignment, context: Context) -> Rewrite:
            repo = w.pipeline.repo  # while the model thinks, the user writes the file
            tip = repo.resolve("improve/0001-model-wider")
            assert tip
            tree = repo.write_tree(tip, {"model.py": own})
            by_hand = repo.commit(tree, [tip], "Write it myself\n", Person("User", "u@x.invalid"))
            repo.update_ref("refs/heads/improve/0001-model-wider", by_hand, tip, "by hand")
            return super().rewrite(assignment, context)

    w = world([], team=Slow(MOVES))
    w.run("budget.iterations=1")
    assert w.verdicts()[0][1] == "merged"
    assert w.pipeline.repo.read("main", "model.py") == own


def test_an_assignment_that_is_not_allowed_any_more_is_closed_unwritten(
    world: Callable[..., World],
) -> None:
    team = Failing(MOVES, rewrite={1: BudgetSpent("spent")})
    w = world([], team=team)
    w.run()
    team.errors = {}
    w.run("budget.iterations=1", "agents.components=[data,train]")
    assert w.verdicts() == [(1, "rejected", "taken back: model.py may not change any more")]


def test_an_engineer_is_not_asked_for_what_main_has_overtaken(
    world: Callable[..., World],
) -> None:
    team = Failing(MOVES, rewrite={1: BudgetSpent("spent")})
    w = world([], team=team)
    w.run()
    w.commit("model.py", source("model", 0.25))
    w.run("budget.iterations=1")  # rewrite would raise
    assert w.verdicts()[0][2] == "superseded: model.py was changed on main meanwhile"


def test_what_the_architect_took_stands_with_the_baseline(world: Callable[..., World]) -> None:
    w = world(MOVES)
    w.pipeline.journal.append("asked", iteration=0, role="architect", model="m", tokens=70,
                              usd=0.5, prompt="p", transcript="t")  # fmt: skip
    w.run("budget.iterations=0")
    assert read_history(w.pipeline.repo).main[0].trailers["LLM-Tokens"] == "70"


def test_a_link_or_a_pipe_in_place_of_notes_is_not_read(
    world: Callable[..., World], tmp_path: Path
) -> None:
    w = world(MOVES)
    secret = tmp_path / "secret"
    secret.write_text("my key")
    notes = w.pipeline.repo.folder / "NOTES.md"
    notes.symlink_to(secret)
    assert w.pipeline.text("NOTES.md") == ""
    notes.unlink()
    os.mkfifo(notes)
    assert w.pipeline.text("NOTES.md") == ""  # and does not wait for a writer
    notes.unlink()
    notes.write_text("x" * 1_000_000)
    assert len(w.pipeline.text("NOTES.md")) == 100_000
    w.commit("NOTES.md", "Larger images.")
    notes.unlink()
    assert w.pipeline.text("NOTES.md") == ""  # deleted, so it steers no more


def test_state_under_version_control_is_refused(world: Callable[..., World]) -> None:
    w = world(MOVES)
    folder = w.pipeline.repo.folder
    (folder / ".improve").mkdir(exist_ok=True)
    (folder / ".improve" / "trusted").write_text("https://evil.invalid/v1\n")
    subprocess.run(["git", "add", "-f", ".improve/trusted"], cwd=folder, check=True)
    with pytest.raises(PipelineError, match="under version control"):
        Pipeline.open(folder)


@pytest.mark.parametrize("forged", ["abc", [1], -1, 1e400, None, True, {"a": 1}])
def test_forged_figures_of_a_record_count_as_absent(forged: object) -> None:
    record = {
        "status": "ok", "curve": forged, "train_seconds": forged, "peak_memory_bytes": forged,
        "info": {"cuda_peak_bytes": forged, "parameters": forged}, "tune_confusion": [forged] * 2,
    }  # fmt: skip
    assert training_of(record) == Training(curve=[], seconds=0.0)
    assert training_of(record | {"info": forged}) == Training(curve=[], seconds=0.0)
