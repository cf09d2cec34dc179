"""improve-git show: one iteration in full."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

from improve_git.account import Account, ClassChange, find
from improve_git.cli.options import as_json, in_pipeline
from improve_git.cli.screen import (
    VERDICTS,
    clean,
    columns,
    console,
    print_json,
    visible,
)
from improve_git.figures import gain_text, score_text
from improve_git.history import FETCH_NOTES, read_history
from improve_git.pipeline import Pipeline

MOST_CLASSES = 12
MOST_EPOCHS = 12
MOST_FIGURES = 5  # a training may report as many as it likes; a screen holds so many columns
# Trailers that stand elsewhere on the screen, or say nothing to a reader.
_TOLD = {"Iteration", "Component", "Verdict", "Reason", "Hypothesis", "Expected-Effect"}


@click.command("show")
@in_pipeline
@as_json
@click.option("--prompts", is_flag=True, help="Show what the agents were asked and replied.")
@click.argument("iteration", metavar="N")
def command(folder: Path, iteration: str, json_: bool, prompts: bool) -> None:
    """Show iteration N: assignment, verdict, figures, diff, learning curve, change by class.

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
    elif found.score is not None:
        screen.print(f"{score_text(found.metric, found.score)} on val")
    _paragraph(screen, "hypothesis", found.hypothesis)
    _paragraph(screen, "instruction", found.instruction)
    _paragraph(screen, "expected", found.expected_effect)
    _paragraph(screen, clean(found.author), found.said)
    for repair in found.repairs:
        _paragraph(screen, "repair", repair)
    _paragraph(screen, "what went wrong", found.detail)
    _diff(screen, found.diff)
    _curve(screen, found.curve)
    _classes(screen, found)
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


def _diff(screen: Console, diff: str) -> None:
    if not diff:
        return
    screen.print()
    text = visible(diff)
    if screen.is_terminal:
        syntax = Syntax("", "diff", theme="ansi_dark", background_color="default")
        # Wrapped by the terminal alone, a line stays one and keeps its sign when it is copied.
        screen.print(syntax.highlight(text), soft_wrap=True)
    else:
        screen.print(text, soft_wrap=True)


def _curve(screen: Console, curve: Sequence[dict[str, float]]) -> None:
    if not curve:
        return
    names = _most_telling(curve)[:MOST_FIGURES]
    rows = [("epoch", *(clean(name, 16) for name in names))]
    for place, row in _spread(curve):
        epoch = f"{row.get('epoch', place):g}"
        rows.append((epoch, *(f"{row[name]:.4g}" if name in row else "" for name in names)))
    screen.print(f"\nlearning curve, {len(curve)} epochs")
    columns(screen, rows, right=range(len(rows[0])), indent=2)


def _most_telling(curve: Sequence[dict[str, float]]) -> list[str]:
    """Return what was reported: of tune first, then losses, then of train, then what changes."""
    names = [name for name in dict.fromkeys(key for row in curve for key in row) if name != "epoch"]

    def place(name: str) -> int:
        kinds = [name.startswith("tune"), "loss" in name, name.startswith("train")]
        return kinds.index(True) if True in kinds else len(kinds)

    others = place("")
    told = [n for n in names if place(n) < others or len({row.get(n) for row in curve}) > 1]
    return sorted(told, key=place)


def _spread(curve: Sequence[dict[str, float]]) -> list[tuple[int, dict[str, float]]]:
    """Return the first and last epoch and some evenly between."""
    rows = list(enumerate(curve))
    if len(rows) <= MOST_EPOCHS:
        return rows
    step = (len(rows) - 1) / (MOST_EPOCHS - 1)
    return [rows[round(index * step)] for index in range(MOST_EPOCHS)]


def _classes(screen: Console, found: Account) -> None:
    if not found.classes:
        return
    compared = any(one.before is not None for one in found.classes)
    told = sorted(found.classes, key=_change, reverse=True)[:MOST_CLASSES]
    kept = [one for one in found.classes if one in told]
    left = len(found.classes) - len(kept)
    rows = [("class", "images", "recall", *(("main", "change") if compared else ()))]
    for one in kept:
        row = [clean(one.name, 40), f"{one.images:,}", f"{one.recall:.4f}"]
        if compared:
            change = "" if one.before is None else gain_text("accuracy", one.recall - one.before)
            row += ["" if one.before is None else f"{one.before:.4f}", change]
        rows.append(tuple(row))
    screen.print("\nby class, on val" + (f" ({left} that changed less left out)" if left else ""))
    columns(screen, rows, right=(1, 2, 3, 4), indent=2)


def _change(one: ClassChange) -> float:
    return abs(one.recall - one.before) if one.before is not None else 0.0


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
