"""improve-git predict: label a folder of new images."""

import os
from pathlib import Path

import click

from improve_git.cli.options import in_pipeline, overrides

_UNREADABLE_SHOWN = 5
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("predict")
@in_pipeline
@click.option("--out", type=_FILE, required=True, metavar="CSV", help="The file to write.")
@click.option("--rev", default="main", show_default=True, help="The commit whose pipeline is used.")
@click.option(
    "--submission",
    "sample_file",
    type=_FILE,
    metavar="SAMPLE",
    help="Write what this sample submission asks for, in its order and columns.",
)
@click.argument("images", type=click.Path(path_type=Path), metavar="FOLDER")
@click.argument("words", nargs=-1, metavar="[KEY=VALUE]...")
def command(  # noqa: PLR0917 - click hands them over by name
    folder: Path,
    images: Path,
    out: Path,
    rev: str,
    sample_file: Path | None,
    words: tuple[str, ...],
) -> None:
    """Label the images of FOLDER: a CSV with the image, its label, and each class's probability.

    The pipeline of --rev is trained first where its trained weights are not at hand. A sample
    submission has an id first (a file's name, with or without its extension), then one column for
    the label or one for each class.

    \b
    Example: improve-git predict new-photos/ --out preds.csv -C photos-pipeline
    """
    from improve_git import prediction
    from improve_git.cli.display import Display, file_progress
    from improve_git.cli.ready import ready_weights
    from improve_git.errors import PipelineError
    from improve_git.files import write_atomically
    from improve_git.iteration.trial import Bench
    from improve_git.journal import only_prediction
    from improve_git.pipeline import Pipeline
    from improve_git.sandboxes.select import open_sandbox
    from improve_git.settings.consent import check_consent

    pipeline = Pipeline.open(folder, overrides(words))
    if not out.absolute().parent.is_dir():
        raise PipelineError(f"{out.parent} is not a folder", f"mkdir -p {out.parent}")
    if not os.access(out.absolute().parent, os.W_OK):
        raise PipelineError(f"{out.parent} is not writable", "name another file with --out")
    commit = pipeline.main() if rev == "main" else pipeline.repo.resolve(rev)
    if commit is None:
        raise PipelineError(f"there is no commit {rev!r}", "name one that log shows")
    snapshot = pipeline.snapshot(commit)
    classes = snapshot.data_set.classes
    sample = prediction.read_sample(sample_file, classes) if sample_file else None
    display = Display()
    data = snapshot.settings.data
    with file_progress(display.console) as bar:
        task = bar.add_task("reading images", total=None)
        found = prediction.find_images(
            images, data.cache_side, data.max_pixels,
            lambda done, total: bar.update(task, completed=done, total=total),
        )  # fmt: skip
    for path, reason in found.unreadable[:_UNREADABLE_SHOWN]:
        display.warn(f"left out {path!r}: {reason}")
    if len(found.unreadable) > _UNREADABLE_SHOWN:
        display.warn(f"{len(found.unreadable)} files in all are left out")
    if sample:
        found = prediction.asked_for(sample, found)
    check_consent(snapshot.settings, pipeline.overrides, pipeline.state)
    bench = Bench(pipeline, open_sandbox(snapshot.settings.sandbox, display.say), display)
    ready_weights(bench, snapshot, commit)
    with only_prediction(pipeline.state, display.say):
        bench.sandbox.clear_leftovers(f"{pipeline.label}-{prediction.FOLDER}")
        probabilities = prediction.predict(bench, snapshot, found)
    if sample:
        content = prediction.submission(sample, found, classes, probabilities)
    else:
        content = prediction.table(found, classes, probabilities)
    write_atomically(out, content)
    rows = len(sample.ids) if sample else len(found.readable)
    display.say(f"{rows:,} predictions by {commit[:10]}: {out}")
