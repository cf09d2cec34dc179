"""improve-git export: the trained weights with all that they need, for use elsewhere."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from improve_git.cli.options import in_pipeline, overrides

if TYPE_CHECKING:
    from improve_git.sandboxes.base import Format


@click.command("export")
@in_pipeline
@click.option(
    "--rev", default="main", show_default=True, metavar="REV",
    help="An iteration's number, baseline, or a revision of Git's that was measured.",
)  # fmt: skip
@click.option(
    "--format", "form", required=True, type=click.Choice(["safetensors", "torch", "onnx"]),
    metavar="FORMAT", help="safetensors, torch (a pickled state_dict) or onnx.",
)  # fmt: skip
@click.argument("target", type=click.Path(path_type=Path), metavar="FILE")
@click.argument("words", nargs=-1, metavar="[KEY=VALUE]...")
def command(folder: Path, rev: str, form: "Format", target: Path, words: tuple[str, ...]) -> None:
    """Hand on the trained weights: FILE becomes a folder in Hugging Face's format.

    It holds the weights, data.py, model.py and train.py, a model card, config.json with class names
    and preprocessing, and predict.py, which labels images without this program. A FILE that ends in
    .zip is that folder as an archive. What is at FILE already is never overwritten.

    The pipeline of --rev is trained first where its trained weights are not at hand. ONNX's outputs
    are compared with PyTorch's: where they differ, nothing is written.

    \b
    Example: improve-git export --format onnx photos-onnx -C photos-pipeline
    """
    from improve_git.cli.display import Display
    from improve_git.cli.ready import ready_weights
    from improve_git.export import export
    from improve_git.iteration.trial import Bench
    from improve_git.journal import only_prediction
    from improve_git.pipeline import Pipeline
    from improve_git.sandboxes.select import open_sandbox
    from improve_git.settings.consent import check_consent
    from improve_git.trail.history import read_history
    from improve_git.trail.revision import find_revision

    pipeline = Pipeline.open(folder, overrides(words))
    export.check_target(target)
    history = read_history(pipeline.repo)
    revision = find_revision(pipeline.repo, history, rev)
    snapshot = pipeline.snapshot(revision.commit)
    export.check_words(pipeline, snapshot, revision.commit)
    check_consent(snapshot.settings, pipeline.overrides, pipeline.state)
    display = Display()
    bench = Bench(pipeline, open_sandbox(snapshot.settings.sandbox, display.say), display)
    origin = export.origin(bench, snapshot, revision, history)
    whole = "Stopped-By" not in revision.trailers
    ready_weights(bench, snapshot, revision.commit, origin.verdict.train_seconds, whole)
    with only_prediction(pipeline.state, display.say):
        bench.sandbox.clear_leftovers(f"{pipeline.label}-{export.EXPORT}")
        check = export.export(bench, origin, form, target)
    if check.sentence:
        display.say(check.sentence)
    display.say(f"exported {revision.name} ({revision.commit[:10]}) as {form}: {target}")
