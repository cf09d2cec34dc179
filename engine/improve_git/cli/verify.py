"""improve-git verify: does the history hold together, and does a score come out again?"""

import re
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.text import Text

from improve_git.cli.options import as_json, in_pipeline, is_override, overrides
from improve_git.cli.screen import clean, console, print_json

if TYPE_CHECKING:
    from improve_git.pipeline import Pipeline
    from improve_git.verification.findings import Report
    from improve_git.verification.retraining import Again

UNCHECKED = 4  # the exit code where nothing wrong was found, and not all could be checked
_FULL = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@click.command("verify")
@in_pipeline
@click.option("--history", is_flag=True, help="Check all of main and the attempts' branches.")
@click.option(
    "--against",
    metavar="SHA",
    default="",
    help="The same, and main must go on from this commit: its full name, as noted elsewhere.",
)
@as_json
@click.argument("words", nargs=-1, metavar="[REV] [KEY=VALUE]...")
def command(folder: Path, history: bool, against: str, json_: bool, words: tuple[str, ...]) -> None:
    """Check that a pipeline's history holds together; with REV, train that commit again.

    Checked is who gave each verdict, and where; that one file changed, and that what was measured
    is what landed; that trailers, records and notes say the same; that the recorded predictions
    come to the recorded scores, and the gate to the same verdicts; that no iteration is missing;
    and that dataset.json tells the truth about the images.

    REV is an iteration's number, baseline, main, or any revision that was measured. It is trained
    with its recorded seeds, and its score has to lie within what the spread between seeds allows.

    Works on a clone: docs/evidence.md. The exit code is 1 where something is wrong, and 4 where
    nothing is, but records or images are not at hand.

    \b
    Example: improve-git verify --history -C photos-pipeline data.images=photos/
    """
    from improve_git.pipeline import Pipeline

    if against and not _FULL.fullmatch(against):
        raise click.UsageError("--against takes a commit's full name, of 40 digits: a shorter one "
                               "is easily forged")  # fmt: skip
    revs = [word for word in words if not is_override(word)]
    if not (revs or history or against) or len(revs) > 1:
        raise click.UsageError("say what to verify: --history, or one revision")
    pipeline = Pipeline.open(folder, overrides(word for word in words if is_override(word)))
    report = _verify_history(pipeline, against, json_)
    screen = console()
    if not json_:
        _show(screen, report)
    again = _train_again(pipeline, revs[0], json_) if revs else None
    if json_:
        print_json(_plain(report) | ({"again": _plain_again(again)} if again else {}))
    elif again:
        _show_again(screen, again)
    code = _code(report)
    if again and not again.is_within:
        code = 1
    if code:
        sys.exit(code)


def _train_again(pipeline: "Pipeline", rev: str, json_: bool) -> "Again":
    from improve_git.cli.display import Display
    from improve_git.iteration.trial import Bench
    from improve_git.journal import only_run
    from improve_git.live import Feed
    from improve_git.observer import Several
    from improve_git.sandboxes.select import open_sandbox
    from improve_git.settings.consent import check_consent
    from improve_git.trail.history import read_history
    from improve_git.trail.revision import find_revision
    from improve_git.verification.retraining import check_trainable, train_again

    history = read_history(pipeline.repo)
    its = find_revision(pipeline.repo, history, rev)
    snapshot = check_trainable(pipeline, its)
    check_consent(snapshot.settings, pipeline.overrides, pipeline.state)
    display = Display(Console(stderr=json_, highlight=False, soft_wrap=True))
    with only_run(pipeline.state), pipeline.aside() as aside:
        observer = Several(display, Feed(pipeline.state))
        bench = Bench(aside, open_sandbox(snapshot.settings.sandbox, observer.say), observer)
        return train_again(bench, snapshot, its, history)


def _verify_history(pipeline: "Pipeline", against: str, json_: bool) -> "Report":
    from improve_git.cli.display import file_progress
    from improve_git.verification.history import verify_history

    with file_progress(Console(stderr=json_)) as bar:
        task = bar.add_task("reading images", total=None)
        return verify_history(
            pipeline, against, lambda done, total: bar.update(task, completed=done, total=total)
        )


def _show(screen: Console, report: "Report") -> None:
    screen.print(
        f"main at {report.tip[:7]}: {report.verdicts} verdicts, {report.merges} "
        f"merge{'s' * (report.merges != 1)}, "
        f"{report.records} records, {report.predictions:,} predictions scored again, "
        f"{report.images:,} images read"
    )
    show_findings(screen, report)
    for remark in report.remarks:
        screen.print(f"note: {clean(remark)}")
    for one in report.unchecked:
        screen.print(Text.assemble(("not checked: ", "yellow"), clean(one.what)))
        screen.print(f"  fix: {one.fix}", soft_wrap=True)
    screen.print(_sentence(report))


def show_findings(screen: Console, report: "Report") -> None:
    """Print the findings, one a line, under what should hold."""
    for check in dict.fromkeys(one.check for one in report.findings):
        its = [one for one in report.findings if one.check == check]
        screen.print(Text(f"{check}: does not hold: {its[0].why}", style="bold red"))
        width = max(len(clean(one.where, 40)) for one in its)
        for one in its:  # never cut: what is wrong is what one came for
            row = f"  {one.commit[:7]:7}  {clean(one.where, 40):{width}}  {clean(one.what)}"
            screen.print(row, soft_wrap=True)


def _sentence(report: "Report") -> str:
    told = f"{report.verdicts} verdict{'s' * (report.verdicts != 1)}"
    if report.findings:
        return f"{len(report.findings)} finding{'s' * (len(report.findings) > 1)} in {told}"
    rest = ", and not all could be checked" if report.unchecked else ""
    return f"nothing wrong was found in {told}{rest}"


def _code(report: "Report") -> int:
    if report.findings:
        return 1
    return UNCHECKED if report.unchecked else 0


def _plain(report: "Report") -> dict[str, Any]:
    findings: Sequence[Any] = [asdict(one) | {"why": one.why} for one in report.findings]
    return vars(report) | {
        "findings": findings,
        "unchecked": [asdict(one) for one in report.unchecked],
        "holds": not report.findings,
        "complete": not report.unchecked,
    }


def _show_again(screen: Console, again: "Again") -> None:
    for seed, recorded, now in zip(again.seeds, again.recorded, again.scores, strict=True):
        screen.print(f"seed {seed}: recorded {recorded:.4f}, trained again {now:.4f}")
    for line in again.elsewhere:
        screen.print(Text.assemble(("elsewhere: ", "yellow"), clean(line)))
    screen.print(_told(again), style="" if again.is_within else "bold red")


def _told(again: "Again") -> str:
    """Return in a sentence whether the score came out."""
    from improve_git.figures import gain_text

    whose = f"{again.name} ({again.commit[:7]})"
    if again.is_exact:
        return f"{whose} came out exactly: the same class for each of {again.same:,} predictions"
    difference = gain_text(again.metric, again.difference)
    most = gain_text(again.metric, again.allowed).removeprefix("+")
    by = (f"the spread between seeds, {again.freedom} degrees of freedom" if again.freedom
          else "the images alone, for no spread between seeds is known")  # fmt: skip
    verb = "lies within" if again.is_within else "LIES OUTSIDE"
    return (f"the recorded score of {whose} {verb} what is allowed: {difference} now, up to {most} "
            f"by {by}")  # fmt: skip


def _plain_again(again: "Again") -> dict[str, Any]:
    derived = ("difference", "is_exact", "is_within")
    return asdict(again) | {name.removeprefix("is_"): getattr(again, name) for name in derived}
