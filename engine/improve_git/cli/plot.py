"""improve-git plot: the course of a search in one figure."""

from pathlib import Path

import click

from improve_git.cli.options import in_pipeline, typed
from improve_git.errors import PipelineError
from improve_git.figures import gain_text, metric_text
from improve_git.pipeline import Pipeline
from improve_git.trail.history import FETCH_NOTES, History, read_history
from improve_git.views.course import PICTURES, Picture, against_incumbent, compared, pictures
from improve_git.views.overview import Overview, overview

_BEGINS = {"png": b"\x89PNG", "svg": b"<?xml"}
_OF_RECORDS = PICTURES[2:]


@click.command("plot")
@in_pipeline
@click.option(
    "-o",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A .png or .svg (default: a .png named after the pipeline, in the current folder).",
)
@click.argument("what", default="all")
def command(folder: Path, file: Path | None, what: str) -> None:
    """Draw the course of a search, as PNG or SVG.

    WHAT is score (over the iterations), gain (by component), curves (of learning: the baseline's
    and main's), confusion (of the same two), or an iteration's number: its curves and confusion
    beside those of what main held then. Without WHAT, one figure has all that is at hand. Scores
    and confusions are told on val, so the search made them optimistic.

    An older plot is overwritten, any other file is not.

    \b
    Example: improve-git plot score -o score.svg -C photos-pipeline
    """
    from improve_git.cli.output import check_target
    from improve_git.files import write_atomically
    from improve_git.views import plots

    number = int(what) if what.isdecimal() and len(what) < 7 else None
    if number is None and what not in ("all", *PICTURES):
        raise click.UsageError(f"WHAT is {', '.join(PICTURES)} or an iteration's number")
    pipeline = Pipeline.open(folder)
    file = file or Path(_file_name(pipeline.repo.folder.name, what, number))
    kind = file.suffix.lower().removeprefix(".")
    if kind not in _BEGINS:
        raise click.UsageError(f"{file.name!r} ends in neither .png nor .svg")
    check_target(file, _BEGINS[kind], plots.MARK)
    history, found = read_history(pipeline.repo), overview(pipeline)
    if number is None:
        drawn = pictures(pipeline.repo, history, found)
        title = _title(found)
    else:
        drawn = compared(against_incumbent(pipeline.repo, history, found, number))
        title = _title_of(history, number)
    chosen = drawn if what not in PICTURES else {k: v for k, v in drawn.items() if k == what}
    _check_any(chosen, found, what)
    write_atomically(file, plots.draw(chosen, title, kind))
    click.echo(f"{', '.join(chosen)}: {file}")
    missing = [name for name in _OF_RECORDS if name not in chosen] if what == "all" else []
    if missing:
        click.echo(f"left out: {', '.join(missing)}, for records are not in this clone; fetch them:"
                   f"\n  {FETCH_NOTES}")  # fmt: skip


def _file_name(pipeline: str, what: str, number: int | None) -> str:
    suffix = "" if what == "all" else f"-{what}" if number is None else f"-{number:04d}"
    return f"{pipeline}{suffix}.png"


def _title(found: Overview) -> str:
    name = found.pipeline.name
    if not found.main or not found.baseline or found.gain is None:
        return name
    metric, before, after = metric_text(found.metric), found.baseline.score, found.main.score
    if found.main.commit == found.baseline.commit:
        return f"{name}: {metric} {after:.4f}, the baseline"
    gain = gain_text(found.metric, found.gain)
    return f"{name}: {metric} {before:.4f} to {after:.4f} on val ({gain})"


def _title_of(history: History, number: int) -> str:
    attempt = history.of(number)
    if attempt is None:
        return "baseline"
    return f"{number:04d} {attempt.component}: {attempt.slug} ({attempt.verdict})"


def _check_any(chosen: dict[str, Picture], found: Overview, what: str) -> None:
    """Raise PipelineError where there is nothing to draw."""
    if chosen:
        return
    if found.main is None:
        raise PipelineError("nothing is measured yet", typed("run", found.pipeline))
    if what == "gain":
        raise PipelineError("nothing was merged yet", typed("run", found.pipeline))
    raise PipelineError("the records are not in this clone, or say nothing of it", FETCH_NOTES)
