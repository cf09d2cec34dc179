"""improve-git init: a new pipeline repository for a data set."""

from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from improve_git.cli.options import is_override, overrides, typed

if TYPE_CHECKING:
    from rich.console import Console

    from improve_git.creation import Plan
    from improve_git.teams.base import Team


@click.command("init")
@click.option("--dry-run", is_flag=True, help="Only look at the images; write nothing.")
@click.option(
    "--about",
    type=click.File(encoding="utf-8", errors="replace"),
    metavar="FILE",
    help="A description of the images and of what their labels mean, for the agents.",
)
@click.argument("images")
@click.argument("words", nargs=-1, metavar="[PIPELINE] [KEY=VALUE]...")
def command(images: str, words: tuple[str, ...], dry_run: bool, about: TextIO | None) -> None:
    """Make a pipeline repository for IMAGES.

    IMAGES is a folder with one subfolder a class, a folder with train/ and optional val/ and test/
    of that kind, a CSV or Parquet manifest (columns image, label, optional split and group), or the
    word digits. PIPELINE defaults to a folder named after the images, in the current one.

    \b
    Example: improve-git init photos/ photos-pipeline data.label_preserving=[hflip]
    """
    from rich.console import Console

    from improve_git import creation
    from improve_git.cli.display import Display
    from improve_git.git import require_git
    from improve_git.teams.select import open_team

    require_git()
    target, settings = _split(words)
    target = target or creation.default_target(images)
    if not dry_run:
        creation.check_target(target)
    console = Console(highlight=False, soft_wrap=True)
    found = look(console, images, target, settings, about.read().strip() + "\n" if about else "")
    if dry_run:
        return
    settled = replace(found.settings, llm=replace(found.settings.llm))
    if settled.llm.name == "inbox" and not settled.llm.folder:
        # The pipeline's own folder is not there yet, and this one survives an interrupt.
        settled.llm.folder = f"{found.target.absolute()}-inbox"

    def team_at(state: Path) -> "Team":
        return open_team(settled, settings, state, Display(console), partial(sheet, found))

    repo = creation.create(found, team_at)
    if settled.llm.folder and not found.settings.llm.folder:
        with suppress(OSError):  # something else lies in it
            Path(settled.llm.folder).rmdir()
    subject = repo.log("-1")[0].subject
    console.print(f"\n{subject}\npipeline: {repo.folder}\nnext: {typed('run', repo.folder)}",
                  markup=False)  # fmt: skip


def look(
    console: "Console", images: str, target: Path, settings: list[str], about: str = ""
) -> "Plan":
    """Read the images, show how they were understood, and return what would be made."""
    from improve_git import creation
    from improve_git.cli.display import file_progress
    from improve_git.cli.profile import show_profile

    with file_progress(console) as bar:
        task = bar.add_task("reading images", total=None)
        found = creation.plan(
            images, target, settings,
            lambda done, total: bar.update(task, completed=done, total=total), about,
        )  # fmt: skip
    show_profile(console, found)
    return found


def sheet(found: "Plan") -> bytes | None:
    """Return a contact sheet of the training images."""
    import tempfile

    from improve_git.datasets.contact_sheet import contact_sheet
    from improve_git.datasets.store import images_root

    with tempfile.TemporaryDirectory() as folder:  # where digits are written out
        return contact_sheet(found.data_set, images_root(found.settings.data, Path(folder)))


def _split(words: tuple[str, ...]) -> tuple[Path | None, list[str]]:
    """Tell the pipeline's folder from key=value words."""
    paths = [word for word in words if not is_override(word)]
    if len(paths) > 1:
        raise click.UsageError(f"one PIPELINE, not several: {' '.join(paths)}")
    return (Path(paths[0]) if paths else None), overrides(w for w in words if is_override(w))
