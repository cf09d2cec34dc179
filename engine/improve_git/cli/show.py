"""improve-git show: one iteration in full."""

from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from improve_git.cli.classes import Recalls, show_classes
from improve_git.cli.curves import show_curves
from improve_git.cli.diff import show_diff
from improve_git.cli.options import as_json, in_pipeline
from improve_git.cli.screen import (
    VERDICTS,
    clean,
    columns,
    console,
    print_json,
    visible,
)
from improve_git.figures import OPTIMISTIC, gain_text, score_text
from improve_git.pipeline import Pipeline
from improve_git.trail.history import FETCH_NOTES, read_history
from improve_git.views.account import Account, Cost, find

# Trailers that stand elsewhere on the screen.
_TOLD = {"Iteration", "Component", "Verdict", "Reason", "Train-Seconds", "LLM-Tokens",
         "LLM-Cost-USD", "Seed-Scores"}  # fmt: skip


@click.command("show")
@in_pipeline
@as_json
@click.option("--prompts", is_flag=True, help="Show what the agents were asked and replied.")
@click.argument("iteration", metavar="N")
def command(folder: Path, iteration: str, json_: bool, prompts: bool) -> None:
    """Show iteration N: assignment, diff, learning curve, change by class, reason, cost.

    N is an iteration's number, `baseline` (or 0), or a commit of main that log names.

    \b
    Example: improve-git show 7 -C photos-pipeline
    """
    pipeline = Pipeline.open(folder)
    repo = pipeline.repo
    if prompts:
        _show_prompts(console(), pipeline, iteration, json_)
        return
    found = find(repo, read_history(repo), iteration)
    if json_:
        print_json(asdict(found))
    else:
        _show(console(), found)


def _show(screen: Console, found: Account) -> None:
    number = "" if found.number is None else f"{found.number:04d} "
    title = Text(number + clean(found.title), style="bold")
    verdict = clean(found.verdict or "open", 20)
    screen.print(title, Text(verdict, style=VERDICTS.get(verdict, "")))
    if found.reason:
        screen.print(clean(found.reason))
        if found.score is not None:
            screen.print(OPTIMISTIC)
    elif found.score is not None:
        screen.print(f"{score_text(found.metric, found.score)} on val")
    _paragraph(screen, "hypothesis", found.hypothesis)
    _paragraph(screen, "instruction", found.instruction)
    _paragraph(screen, "expected", found.expected_effect)
    _paragraph(screen, clean(found.author), found.said)
    for repair in found.repairs:
        _paragraph(screen, "repair", repair)
    _paragraph(screen, "what went wrong", found.detail)
    if found.diff:
        screen.print()
        show_diff(screen, found.diff)
    show_curves(screen, found.curve, found.main_curve)
    classes = [Recalls(one.name, one.images, one.before, one.recall) for one in found.classes]
    show_classes(screen, classes, "main", "this")
    _seeds(screen, found)
    _cost(screen, found.cost)
    figures = [(key, clean(text)) for key, text in found.figures.items() if key not in _TOLD]
    if figures:
        screen.print("\nfigures")
        columns(screen, figures, indent=2)
    if found.verdict and found.record is None:
        screen.print("\nits record is not in this clone; fetch it:")
        screen.print(f"  {FETCH_NOTES}", soft_wrap=True)
    screen.print("\nthe same with Git")
    for line in _git(found):
        screen.print(f"  {line}", soft_wrap=True)


def _show_prompts(screen: Console, pipeline: Pipeline, iteration: str, json_: bool) -> None:
    from improve_git.llm.transcripts import Transcripts

    # Without a look at the trail: a first pipeline that does not train has no verdict there.
    if iteration != "baseline" and not (iteration.isdecimal() and len(iteration) < 12):
        raise click.UsageError("--prompts takes an iteration's number, or baseline")
    number = 0 if iteration == "baseline" else int(iteration)
    calls = Transcripts(pipeline.state / "transcripts").of(number)
    if json_:
        print_json([asdict(call) for call in calls])
    elif not calls:
        screen.print("no transcripts here: the playbook asks nobody, and a clone has none")
    for call in () if json_ else calls:
        reply = call.reply
        price = "price unknown" if reply.cost_usd is None else f"{reply.cost_usd:.4f} US dollars"
        took = f"{reply.prompt_tokens:,} + {reply.completion_tokens:,} tokens, {price}, "
        screen.print(Text(f"{call.key}  {clean(reply.model)}", style="bold"))
        screen.print(f"{took}{reply.seconds:.1f} s, prompt {call.prompt_sha256[:12]}")
        for message in call.messages:
            _paragraph(screen, message.role, message.text)
        _paragraph(screen, "reply", reply.text)
        screen.print()


def _paragraph(screen: Console, label: str, text: str) -> None:
    """Print foreign text under a label, wrapped at the screen's edge."""
    if not text:
        return
    screen.print(f"\n{label}")
    for line in text.splitlines():
        for part in Text(visible(line)).wrap(screen, screen.width - 2):
            part.rstrip()
            screen.print(Text("  " if part else "") + part)


def _seeds(screen: Console, found: Account) -> None:
    if found.score is None:
        return
    rows = [_scores(found.metric, str(one.seed), one.score, one.main_score, one.counted)
            for one in found.seeds]  # fmt: skip
    if len(rows) > 1:
        rows.append(_scores(found.metric, "mean", found.score, found.main_score))
    compared = any(row[2] for row in rows)
    head = ("seed", "score", *(("main", "change") if compared else ("", "")), "")
    screen.print("\nby seed, on val")
    columns(screen, [head, *rows], right=(0, 1, 2, 3), indent=2)


def _scores(
    metric: str, name: str, score: float | None, main: float | None, counted: bool = True
) -> tuple[str, ...]:
    figures = ["" if one is None else f"{one:.4f}" for one in (score, main)]
    change = ""
    if score is not None and main is not None:
        change = gain_text(metric, score - main)
    return name, *figures, change, "" if counted else "a first look, not in the mean"


def _cost(screen: Console, cost: Cost) -> None:
    seconds = cost.train_seconds
    told = []
    if seconds:
        trainings = f" in {len(seconds)} trainings" if len(seconds) > 1 else ""
        told.append(f"{sum(seconds):,.1f} seconds of training{trainings}")
    if cost.tokens is not None:
        price = "price unknown" if cost.usd is None else f"{cost.usd:.4f} US dollars"
        told += [f"{cost.tokens:,} tokens", price]
    if told:
        screen.print(f"\ncost\n  {', '.join(told)}")


def _git(found: Account) -> list[str]:
    """Return the Git commands that show the same."""
    if not found.base:
        lines = [f"git show {found.commit[:10]}"]
    elif found.verdict == "merged":
        lines = [f"git show --first-parent -m {found.commit[:10]}"]
    else:
        lines = [f"git diff {found.base[:10]} {found.tip[:10]}"]
    if found.number is not None:
        lines.append(f"git log {found.base[:10]}..{found.tip[:10]}")
    if found.verdict:
        lines.append(f"git notes --ref improve show {found.commit[:10]}")
    return lines
