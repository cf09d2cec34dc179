"""Handing trained weights on: a folder in Hugging Face's layout that needs no improve-git."""

import glob
import math
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from improve_git.errors import PipelineError, SandboxError
from improve_git.export import model_card
from improve_git.export.model_card import WEIGHTS, Check, Origin
from improve_git.export.tensors import read_shapes
from improve_git.figures import score_text
from improve_git.files import abandoned, new_folder, partial_prefix
from improve_git.iteration.trial import Bench, spec_of
from improve_git.pipeline import Pipeline, Snapshot
from improve_git.sandboxes.base import Format
from improve_git.trail.history import History
from improve_git.trail.openings import read_openings
from improve_git.trail.revision import Revision

EXPORT = "export"  # marks what an export starts, apart from a run
_SHAPE = re.compile(r"[1-9]\d{0,4}( x [1-9]\d{0,4}){2}")


def check_target(target: Path) -> None:
    """Refuse a place where nothing can be written, or something is already.

    Raises:
        PipelineError: it is there, or its folder is not, or cannot be written to.
    """
    if os.path.lexists(target):
        raise PipelineError(f"{target} is there already", "name another, or move it away first")
    parent = target.absolute().parent
    if not parent.is_dir():
        raise PipelineError(f"{parent} is not a folder", f"mkdir -p {parent}")
    if not os.access(parent, os.W_OK):
        raise PipelineError(f"{parent} is not writable", "name another place")


def check_words(pipeline: Pipeline, snapshot: Snapshot, commit: str) -> None:
    """Refuse words that make another pipeline of it than the one that was measured.

    Raises:
        PipelineError: a setting that affects the score is another one.
    """
    from improve_git.settings.compose import scored

    measured = Pipeline(pipeline.repo, pipeline.state).settings(commit)
    now = scored(snapshot.settings)
    changed = [name for name, value in scored(measured).items() if now.get(name) != value]
    changed += [name for name in now if name not in scored(measured)]
    if changed:
        raise PipelineError(
            f"with another {changed[0]} these would not be the weights that were measured",
            f"leave {changed[0]} out",
        )


def origin(bench: Bench, snapshot: Snapshot, revision: Revision, history: History) -> Origin:
    """Return where the trained weights of a measured snapshot are from."""
    return Origin(
        name=bench.pipeline.repo.folder.name,
        revision=revision,
        snapshot=snapshot,
        history=history,
        sandbox=bench.sandbox.name,
        image=bench.sandbox.image,
        anew=revision.trailers.get("Image") != bench.sandbox.image,
        sealed=_sealed(bench, revision),
    )


def export(bench: Bench, source: Origin, form: Format, target: Path) -> Check:
    """Write trained weights, which must be there, with all that they need.

    ``target`` becomes a folder, or a ZIP archive of one by its name; it is there as a whole or
    not at all.

    Raises:
        PipelineError: the weights do not do what they did in training, or not in that format.
        SandboxError: the sandbox failed.
    """
    snapshot = source.snapshot
    kept = bench.pipeline.weights_file(bench.key(snapshot))
    with _packed(target) as folder:
        weights = folder / WEIGHTS[form]
        if form == "safetensors":
            shutil.copyfile(kept, weights)  # at once: a run drops those of an earlier main
            _check_tensors(weights)
        check = _checked(bench, snapshot, form, weights)
        spec = spec_of(snapshot, snapshot.settings.budget.predict_seconds, ())
        texts = snapshot.files | {
            "README.md": model_card.card(form, source, check),
            "config.json": model_card.config(form, source, check, spec),
            "predict.py": model_card.example(form),
        }
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8", newline="")
    return check


def _checked(bench: Bench, snapshot: Snapshot, form: Format, weights: Path) -> Check:
    """Let the sandbox write the weights and check them; read what it tells as hostile input."""
    outcome = bench.export(snapshot, form, weights, EXPORT)
    if outcome.status != "ok":
        fixes = {
            "timeout": "give it more time: budget.predict_seconds=3600",
            "out-of-memory": "give it more memory: sandbox.memory=16g",
            "too-much-output": "let more come out: sandbox.output=8g",
        }
        other = "export it as safetensors" if form == "onnx" else "see: improve-git doctor"
        raise PipelineError(
            f"it cannot be exported as {form}: {outcome.status}: {outcome.reason}",
            fixes.get(outcome.status, other),
        )
    told = outcome.info
    shape = told.get("input_shape")
    figures = [told.get(name) for name in ("largest_difference", "tolerated_difference")]
    counts = [told.get(name) for name in ("compared_real", "compared_random")]
    fits = isinstance(shape, str) and _SHAPE.fullmatch(shape)
    compared = all(_is_figure(value) for value in figures + counts)
    if not fits or (form == "onnx" and not compared):
        raise SandboxError("the sandbox did not tell what it checked", "run it again")
    names = ("torch", "onnxruntime", "opset")
    versions = {name: str(told[name]) for name in names if name in told}
    sides = tuple(int(side) for side in str(shape).split(" x "))
    if form != "onnx":
        return Check(sides, versions)
    return Check(sides, versions, *figures, *map(int, counts))  # type: ignore[arg-type]


def _is_figure(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _check_tensors(weights: Path) -> None:
    if not read_shapes(weights):
        raise PipelineError(
            "the trained weights are no well-formed safetensors: the pipeline sent something else",
            "look at model.py and train.py before you use anything of it",
        )


def _sealed(bench: Bench, revision: Revision) -> tuple[str, ...]:
    """Return what the sealed test part told of a commit, the newest opening first."""
    return tuple(
        f"On {one.images:,} sealed test images: **{score_text(one.metric, one.score)}** (mean over "
        f"{len(one.seeds)} seeds), measured at opening {one.number} of these images "
        f"({one.date[:10]}), a {one.kind}."
        for one in read_openings(bench.pipeline.repo)
        if one.tip == revision.commit and math.isfinite(one.score)
    )


@contextmanager
def _packed(target: Path) -> Iterator[Path]:
    """Give a folder to fill, which becomes the target, or what a ZIP archive at it holds."""
    if target.suffix.lower() != ".zip":
        with new_folder(target, timeless=False) as folder:
            yield folder
        return
    for left in abandoned(target.absolute().parent, f".{glob.escape(target.name)}.partial-*"):
        shutil.rmtree(left, ignore_errors=True)
    prefix = partial_prefix(target.name)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=target.absolute().parent) as scratch:
        with new_folder(Path(scratch) / target.stem, timeless=False) as folder:
            yield folder
        archive = shutil.make_archive(str(Path(scratch) / "packed"), "zip", scratch, target.stem)
        check_target(target)  # again: a training may have come between
        Path(archive).rename(target)
