"""What iteration 500 costs beside iteration 50: tokens of the prompts, and the engine's own time.

    python benchmarks/history.py [--iterations 50 500]

Writes a trail of so many attempts into a temporary repository, with real commits, branches and
records, then reads it back and composes the prompts that the analyst and an engineer would get.
"""

import argparse
import tempfile
import time
from pathlib import Path

from improve_git import creation
from improve_git.domain import COMPONENTS, FILES, Assignment, Attempt, Component, Rewrite
from improve_git.iteration.briefing import context_of
from improve_git.llm.reckoning import tokens
from improve_git.messages import compose
from improve_git.pipeline import Pipeline
from improve_git.settings.schema import LlmSettings
from improve_git.teams.agents import asking
from improve_git.teams.playbook import Playbook
from improve_git.trail import writing
from improve_git.trail.history import read_history
from improve_git.trail.landing import land

CURVE = [{"epoch": n, "loss": 1 / n, "train_accuracy": 0.7 + n / 40, "tune_accuracy": 0.7,
          "lr": 0.001} for n in range(1, 9)]  # fmt: skip
MECHANISMS = ("augmentation", "loss", "schedule", "head", "regularisation")
HISTORY_TOKENS = LlmSettings().history_tokens


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--iterations", type=int, nargs="+", default=[50, 500])
    options = parser.parse_args()
    rows = [cost_at(iterations) for iterations in options.iterations]
    for row in rows:
        print(
            f"iteration {row['number']:.0f}: assign {row['assign']:,.0f} tokens, rewrite "
            f"{row['rewrite']:,.0f} tokens, read and composed in {row['seconds']:.2f} s"
        )
    first, last = rows[0], rows[-1]
    for name in ("assign", "rewrite", "seconds"):
        print(f"{name}: iteration {last['number']:.0f} takes {last[name] / first[name]:.2f} times "
              f"what {first['number']:.0f} takes")  # fmt: skip


def cost_at(iterations: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        pipeline, measured = make_trail(Path(folder), iterations)
        start = time.perf_counter()
        history = read_history(pipeline.repo)
        context = context_of(
            pipeline, pipeline.snapshot(pipeline.main()), history,
            number=iterations + 1, measured=measured, usual_seconds=20.0,
        )  # fmt: skip
        assign = asking.system("analyst", context) + asking.assign(context, HISTORY_TOKENS, False)
        task = Assignment("train", "next", "It helps.", "Do it.")
        rewrite = asking.system("train", context) + asking.rewrite(task, context, HISTORY_TOKENS)
        seconds = time.perf_counter() - start
    assert len(history.decided) == iterations
    return {"number": iterations, "assign": tokens(assign), "rewrite": tokens(rewrite),
            "seconds": seconds}  # fmt: skip


def make_trail(folder: Path, iterations: int) -> tuple[Pipeline, dict[str, object]]:
    """Every tenth attempt is merged, every seventh fails, the others are rejected."""
    found = creation.plan("digits", folder / "p", [])
    repo = creation.create(found, lambda _: Playbook())
    pipeline = Pipeline.open(repo.folder)
    measured = {
        "status": "ok", "reason": "", "detail": "", "metric": "accuracy", "score": 0.9,
        "seeds": [0], "curve": CURVE, "train_seconds": 20.0, "peak_memory_bytes": 2**30,
        "stopped_by": "", "info": {"parameters": 100_000}, "tune_confusion": [],
    }  # fmt: skip
    for number in range(1, iterations + 1):
        component: Component = COMPONENTS[number % 3]
        main = pipeline.main()
        asked = Assignment(
            component, f"step-{number}", f"Step {number} is a change that may help here.",
            "Do what has to be done, in several sentences of which each says a little more. " * 3,
            "+0.8 points", MECHANISMS[number % len(MECHANISMS)],
        )  # fmt: skip
        tip = writing.assign(repo, number, asked, main, "model")
        attempt = Attempt(number, component, asked.slug, None)
        source = repo.read(main, FILES[component]) + f"\nSTEP_{number} = {number}\n"
        change = Rewrite(source, f"Take step {number}", "It may help.")
        tip = writing.rewrite(repo, attempt, tip, change, "model")
        verdict = "merged" if not number % 10 else "failed" if not number % 7 else "rejected"
        record = writing.write_record(repo, measured)
        named = (number, component, writing.ref_of(attempt).removeprefix("refs/heads/"))
        score = measured | {"score": None if verdict == "failed" else 0.89}
        labels = writing.verdict_trailers(
            verdict,  # type: ignore[arg-type]
            "crashed: RuntimeError: of some kind", score, record, main_score=0.9, attempt=named,
        )  # fmt: skip
        message = compose(f"{verdict} {number}", "", labels)
        if verdict == "merged":
            land(repo, pipeline.journal, writing.prepare_merge(repo, tip, component, main, message),
                 main)  # fmt: skip
        else:
            writing.close(repo, writing.ref_of(attempt), tip, message)
    return pipeline, measured


if __name__ == "__main__":
    main()
