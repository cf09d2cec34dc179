"""improve-git adopt: a project that is there becomes a pipeline."""

from pathlib import Path

import click

from improve_git.cli.options import overrides, typed


@click.command("adopt")
@click.option("--dry-run", is_flag=True, help="Only look at project and images; write nothing.")
@click.argument("project", type=click.Path(path_type=Path), metavar="DIR")
@click.argument("images")
@click.argument("words", nargs=-1, metavar="[KEY=VALUE]...")
def command(project: Path, images: str, words: tuple[str, ...], dry_run: bool) -> None:
    """Make a pipeline of the project in DIR, on IMAGES; its files and history stay.

    DIR is a Git repository, or a plain folder that becomes one, with data.py, model.py and
    train.py. Whatever is in the way is listed first, each with the nearest right form, and nothing
    is written then. IMAGES is what init takes: a folder, a manifest, or the word digits.

    \b
    Example: improve-git adopt my-project/ photos/ data.label_preserving=[hflip]
    """
    from rich.console import Console

    from improve_git import adoption
    from improve_git.cli.init import look
    from improve_git.git import require_git

    require_git()
    settings = overrides(words)
    found = adoption.check(project)
    console = Console(highlight=False, soft_wrap=True)
    plan = look(console, images, project, settings)
    if dry_run:
        return
    repo = adoption.adopt(found, plan)
    if kept := [name for name in found.kept if name != adoption.IGNORE]:
        console.print(f"yours stay as they are: {', '.join(kept)}", markup=False)
    subject = repo.log("-1")[0].subject
    console.print(f"\n{subject}\npipeline: {repo.folder}\nnext: {typed('run', repo.folder)}",
                  markup=False)  # fmt: skip
