"""improve-git compare: two revisions on the same val images."""

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from improve_git.cli.classes import Recalls, show_classes
from improve_git.cli.options import as_json, in_pipeline, overrides
from improve_git.cli.screen import clean, columns, console, print_json
from improve_git.errors import DataError, ImproveError, PipelineError
from improve_git.figures import OPTIMISTIC, better_text, gain_text, interval_text, score_text
from improve_git.pipeline import Pipeline
from improve_git.trail.history import FETCH_NOTES, read_history
from improve_git.trail.revision import find_revision
from improve_git.views.comparison import (
    Comparison,
    Paired,
    PairedGain,
    Side,
    compare_revisions,
)


@click.command("compare")
@in_pipeline
@as_json
@click.option(
    "--sheet",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Draw the images on which they differ: a contact sheet, PNG.",
)
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.argument("words", nargs=-1, metavar="[KEY=VALUE]...")
def command(  # noqa: PLR0917 - click hands them over by name
    folder: Path, a: str, b: str, words: tuple[str, ...], sheet: Path | None, json_: bool
) -> None:
    """Compare B with A on the same val images: the gain, how sure it is, and who is right where.

    A and B are iterations' numbers, baseline, main, or any revision of Git's that was measured.
    Nothing is trained: their recorded predictions are paired, seed by seed. Only the sheet needs
    the images; data.images=FOLDER says where they are, if not where improve.yaml has them. An older
    sheet is overwritten, any other file is not.

    \b
    Example: improve-git compare baseline main --sheet differ.png -C photos-pipeline
    """
    pipeline = Pipeline.open(folder, overrides(words))
    history = read_history(pipeline.repo)
    one, other = (find_revision(pipeline.repo, history, word) for word in (a, b))
    found = compare_revisions(pipeline.repo, history, one, other)
    if not json_:
        _show(console(), found)
    drawn: dict[str, Any] | None = None
    try:
        if sheet:
            drawn = _draw(pipeline, found, sheet, history.tip)
    except ImproveError:
        if json_:  # the scores compare all the same
            print_json(_plain(found) | {"sheet": None})
        raise
    if json_:
        print_json(_plain(found) | {"sheet": drawn})
    elif drawn:
        _show_sheet(console(), drawn)


def _show(screen: Console, found: Comparison) -> None:
    columns(screen, [_side(found, "A", found.a), _side(found, "B", found.b)])
    screen.print()
    paired = found.paired
    if paired:
        _gain(screen, found, paired)
        _agreement(screen, found, paired)
        classes = [Recalls(one.name, one.images, one.a, one.b) for one in paired.classes]
        show_classes(screen, classes, "A", "B")
    else:
        gain = gain_text(found.metric, found.b.score - found.a.score)
        columns(screen, [("gain", gain), ("", OPTIMISTIC)])
    _seeds(screen, found)
    _lacks(screen, found)


def _side(found: Comparison, letter: str, side: Side) -> tuple[str, ...]:
    return letter, clean(side.name, 60), score_text(found.metric, side.score), side.commit[:10]


def _gain(screen: Console, found: Comparison, paired: Paired) -> None:
    gain = paired.gain
    error = gain_text(found.metric, gain.error).removeprefix("+")
    rows = [
        ("gain", f"{better_text(found.metric, gain.value)}, standard error {error}"),
        ("95 %", interval_text(found.metric, gain.low, gain.high)),
        ("", _verdict(found, gain)),
        ("", _over(paired)),
    ]
    if gain.seed_noise is None:
        rows.append(("", "what other seeds would change is not known, so it is not in there"))
    columns(screen, [*rows, ("", OPTIMISTIC)])


def _verdict(found: Comparison, gain: PairedGain) -> str:
    if gain.low > 0:
        return f"B is better than A, confidence {math.floor(1e4 * gain.confidence) / 1e4:.4f}"
    if gain.high < 0:
        return f"A is better than B, confidence {math.floor(1e4 * (1 - gain.confidence)) / 1e4:.4f}"
    return f"no difference that these {found.images:,} images can tell from luck"


def _over(paired: Paired) -> str:
    if not paired.seeds:
        return "over all seeds of either, for they share none"
    if len(paired.seeds) == 1:
        return f"over seed {paired.seeds[0]}"
    return f"over the seeds {', '.join(map(str, paired.seeds))}, each with itself"


def _agreement(screen: Console, found: Comparison, paired: Paired) -> None:
    agreed = paired.agreement
    times = f", in {paired.pairs} pairs of trainings" if paired.pairs > 1 else ""
    screen.print(f"\nanswers on the {found.images:,} images of val{times}")
    rows = [
        ("", "B right", "B wrong"),
        ("A right", f"{agreed.both:,}", f"{agreed.only_a:,}"),
        ("A wrong", f"{agreed.only_b:,}", f"{agreed.neither:,}"),
    ]
    columns(screen, rows, right=(1, 2), indent=2)


def _seeds(screen: Console, found: Comparison) -> None:
    if len(found.seeds) < 2:
        return
    head = ("seed", "A", "B", "change")
    rows = []
    for one in found.seeds:
        scores = ["" if score is None else f"{score:.4f}" for score in (one.a, one.b)]
        change = ""
        if one.a is not None and one.b is not None:
            change = gain_text(found.metric, one.b - one.a)
        rows.append((str(one.seed), *scores, change))
    screen.print("\nby seed, on val")
    columns(screen, [head, *rows], right=(0, 1, 2, 3), indent=2)


def _lacks(screen: Console, found: Comparison) -> None:
    """Say why the images are not paired."""
    sides = {"A": found.a, "B": found.b}
    if missing := [letter for letter, side in sides.items() if not side.has_record]:
        records = "the record of " + " and ".join(missing)
        screen.print(f"\n{records} is not in this clone; to pair images, fetch it:")
        screen.print(f"  {FETCH_NOTES}", soft_wrap=True)
    for letter, side in sides.items():
        if side.has_record and not side.has_predictions:
            screen.print(f"\nthe record of {letter} does not hold predictions of these images")


def _draw(pipeline: Pipeline, found: Comparison, file: Path, tip: str) -> dict[str, Any]:
    """Draw the images that one of the two gets right more often; where there are none, no file."""
    from improve_git.cli.output import check_target
    from improve_git.datasets.difference_sheet import MARK, difference_sheet
    from improve_git.datasets.store import images_root
    from improve_git.files import write_atomically

    check_target(file, b"\x89PNG", MARK)
    if not found.paired:
        raise PipelineError("without both records it is not known which images differ", FETCH_NOTES)
    root = images_root(pipeline.settings(tip).data, pipeline.state)
    images = [(one.entry, one.a, one.b) for one in found.paired.differ]
    if not images:
        return {"file": None, "images": 0, "left_out": 0, "unreadable": 0}
    sheet = difference_sheet((found.a.name, found.b.name), images, found.class_names, root)
    if not sheet.images:
        raise DataError(
            f"none of the {len(images):,} images is at {str(root)!r} as it was judged",
            "say where they are on this machine: data.images=FOLDER",
        )
    write_atomically(file, sheet.png)
    counts = {key: getattr(sheet, key) for key in ("images", "left_out", "unreadable")}
    return {"file": file, **counts}


def _show_sheet(screen: Console, drawn: dict[str, Any]) -> None:
    if not drawn["file"]:
        screen.print("\nno sheet: there is no image that one of them gets right more often")
        return
    told = f"{drawn['images']:,} images drawn"
    if drawn["left_out"]:
        told += f", {drawn['left_out']:,} more differ"
    if drawn["unreadable"]:
        told += f", {drawn['unreadable']:,} are gone or changed"
    screen.print(f"\n{told}: {drawn['file']}", soft_wrap=True)


def _plain(found: Comparison) -> dict[str, Any]:
    """Return it with the classes' names for their numbers."""
    content, names = asdict(found), found.class_names
    del content["class_names"]
    if found.paired:
        content["paired"]["differ"] = [
            {
                "path": one.entry.path,
                "label": names[one.entry.label],
                "a": [names[number] for number in one.a],
                "b": [names[number] for number in one.b],
            }
            for one in found.paired.differ
        ]
    return content
