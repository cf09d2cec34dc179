"""Real runs against replayed ones: the same candidates through the product's own loop.

    python benchmarks/gate/end_to_end.py [--work FOLDER] [--runs 2] [--iterations 10] [--real]

A team hands the loop the candidates that a replay is handed. Everything else is the product:
Git, journal, gate, judge, and the sandbox (the warm worker; with --real bubblewrap's). The
verdicts have to be the replay's, to the figures in their reasons. Both judge on all images of the
bank; the look is trained with seed 3, which the bank has.
"""

import argparse
import shutil
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from bank import CPUS, WORK
from evolution import RICH, Content, Evolution, Policy, Truth, run
from grid import VARIANTS, open_pipeline, sources
from improve_git.domain import COMPONENTS, FILES, Assignment, Context, Design, Outcome, Rewrite
from improve_git.git import Repository
from improve_git.iteration.trial import Bench
from improve_git.judging import gate
from improve_git.judging.gate import Rule
from improve_git.loop import Loop
from improve_git.observer import Silent
from improve_git.pipeline import Pipeline
from improve_git.sandboxes.base import Sandbox
from improve_git.sandboxes.process import ProcessSandbox
from improve_git.trail.history import read_history
from store import load
from warm import WarmSandbox

gate.SCREEN = 3
RULES = (Rule(), Rule("confirmed", 0, 3, 0.8, 0.3))
KINDS = {"merged": "merge", "rejected": "reject"}


class GridTeam:
    """Proposes what an evolution would."""

    name = "grid"

    def __init__(self, evolution: Evolution, files: dict[str, dict[str, str]]) -> None:
        self.evolution = evolution
        self.files = [list(files[component].values()) for component in COMPONENTS]
        self.tried: dict[Content, set[Content]] = {}
        self.asked: Content

    def first(self) -> dict[str, str]:
        """Return the files of the grid's first cell."""
        return {FILES[c]: of[0] for c, of in zip(COMPONENTS, self.files, strict=True)}

    def design(self, context: Context, epochs: int | None) -> Design:
        """See Team."""
        del context, epochs
        return Design(self.first(), "Start from the grid's first cell", "")

    def assign(self, context: Context) -> Assignment:
        """See Team."""
        at = [of.index(context.files[FILES[c]])
              for c, of in zip(COMPONENTS, self.files, strict=True)]  # fmt: skip
        tip = Content((at[0], at[1], at[2]))
        tried = self.tried.setdefault(tip, {tip})
        self.asked, _ = self.evolution.proposal(len(context.attempts), tip, tried)
        tried.add(self.asked)
        axis = next(n for n in range(3) if self.asked.cell[n] != tip.cell[n])
        name = list(VARIANTS[COMPONENTS[axis]])[self.asked.cell[axis]]
        return Assignment(COMPONENTS[axis], name, f"Try {name}")

    def rewrite(self, assignment: Assignment, context: Context) -> Rewrite:
        """See Team."""
        del context
        axis = COMPONENTS.index(assignment.component)
        return Rewrite(self.files[axis][self.asked.cell[axis]], f"Try {assignment.slug}", "")

    def repair(
        self, assignment: Assignment, failed_source: str, outcome: Outcome, context: Context
    ) -> Rewrite | None:
        """See Team."""
        del assignment, failed_source, outcome, context
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--real", action="store_true")
    options = parser.parse_args()
    truth = Truth(load(options.work))
    same = 0
    with closing(WarmSandbox(CPUS)) as warm:
        box: Sandbox = ProcessSandbox("none") if options.real else warm
        for number in range(options.runs):
            for rule in RULES:
                evolution = whole(truth, number)
                ours = replayed(evolution, rule, options.iterations)
                theirs = real(options.work, evolution, rule, box, options.iterations)
                same += ours == theirs
                merged = sum(kind == "merge" for kind, _ in ours)
                print(f"run {number}, {rule.name}: {len(ours)} candidates, {merged} merged; "
                      f"{'the same' if ours == theirs else f'{theirs} instead of {ours}'}",
                      flush=True)  # fmt: skip
    print(f"{same} of {options.runs * len(RULES)} real runs gave the replay's verdicts")


def whole(truth: Truth, number: int) -> Evolution:
    """Return an evolution as a pipeline sees it: all images of val, seeds by their own numbers."""
    evolution = Evolution(truth, RICH, number)
    evolution.val = np.arange(len(truth.labels))
    evolution.labels = truth.labels
    evolution.seed_order = np.broadcast_to(np.arange(truth.seeds), evolution.seed_order.shape)
    evolution.first = Content((0, 0, 0))
    evolution.ideas[:, 0] = 1  # no nulls: with the same seeds they are the same
    return evolution


def replayed(evolution: Evolution, rule: Rule, iterations: int) -> list[tuple[str, str]]:
    """Return kind and reason of each verdict of the replay."""
    [state] = run(evolution, Policy("", rule), [10**6], iterations).values()
    return [(kind, reason) for _, kind, reason in state.verdicts]


def real(
    work: Path, evolution: Evolution, rule: Rule, sandbox: Sandbox, iterations: int
) -> list[tuple[str, str]]:
    """Return kind and reason of each verdict of a real run on a copy of the bank's pipeline."""
    words = [f"accept={rule.name}", f"accept.seeds={rule.seeds}",
             f"accept.confidence={rule.confidence}", f"budget.iterations={iterations}",
             "budget.train_seconds=600", "sandbox.cpus=1", "weights=[]", "epochs=8"]  # fmt: skip
    files = sources(open_pipeline(work).snapshot("main"))
    with TemporaryDirectory(prefix="improve-git-gate-") as folder:
        copied = Path(folder) / "pipeline"
        shutil.copytree(work / "pipeline", copied, symlinks=True)
        pipeline = Pipeline.open(copied, words)
        team = GridTeam(evolution, {str(name): of for name, of in files.items()})
        _start(pipeline.repo, team.first())
        Loop(pipeline, team, Bench(pipeline, sandbox, Silent()), Silent()).run()
        attempts = read_history(pipeline.repo).attempts
        return [(KINDS.get(str(a.verdict), str(a.verdict)), a.reason) for a in attempts]


def _start(repo: Repository, files: dict[str, str]) -> None:
    """Put the first cell on main, as a user would."""
    tree = repo.write_tree("main", files)
    tip = repo.git("commit-tree", tree, "-p", "main", "-m", "Start from the grid's first cell")
    repo.git("update-ref", "refs/heads/main", tip)
    repo.git("read-tree", "--reset", "-u", "main")


if __name__ == "__main__":
    main()
