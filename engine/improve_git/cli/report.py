"""improve-git report: the whole story on one page."""

from pathlib import Path

import click

from improve_git.cli.options import in_pipeline, overrides


@click.command("report")
@in_pipeline
@click.option(
    "-o",
    "file",
    type=click.Path(path_type=Path),
    default=Path("report.html"),
    show_default=True,
    metavar="FILE",
    help="The page to write.",
)
@click.argument("words", nargs=-1, metavar="[KEY=VALUE]...")
def command(folder: Path, file: Path, words: tuple[str, ...]) -> None:
    """Write the whole story as one HTML file, for a browser without server or network.

    It holds where the search stands, plots, the val images that main gets wrong, and every
    iteration: assignment, reason, costs, change by class, and the files side by side. Images of
    val are in it, as far as they are on this machine: think of that before you hand it on.

    An older report is overwritten, any other file is not.

    \b
    Example: improve-git report -o report.html -C photos-pipeline
    """
    from improve_git.cli.output import check_target
    from improve_git.files import write_atomically
    from improve_git.pipeline import Pipeline
    from improve_git.views import report

    pipeline = Pipeline.open(folder, overrides(words))
    check_target(file, b"<!doctype html>", report.MARK)
    page = report.render(pipeline)
    write_atomically(file, page)
    click.echo(f"{file}: {len(page.encode()) / 2**20:.1f} MiB, open it in a browser")
