"""What stands beside exported weights: Hugging Face's model card, config.json, an example."""

import ast
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from improve_git.domain import Attempt
from improve_git.figures import METRICS, metric_text, score_text
from improve_git.messages import one_line
from improve_git.pipeline import Snapshot
from improve_git.sandboxes.base import Format
from improve_git.templates import render
from improve_git.trail.history import History, Scored
from improve_git.trail.revision import Revision

WEIGHTS: dict[Format, str] = {
    "safetensors": "model.safetensors",
    "torch": "pytorch_model.bin",  # the name that Hugging Face's hub knows
    "onnx": "model.onnx",
}
_TITLES: dict[Format, str] = {
    "safetensors": "PyTorch weights as safetensors",
    "torch": "PyTorch weights as a pickled state_dict",
    "onnx": "an ONNX model",
}
_HUB_METRICS = {"accuracy": "accuracy", "balanced_accuracy": "balanced_accuracy",
                "macro_f1": "f1", "roc_auc": "roc_auc"}  # fmt: skip
_CLASSES_SHOWN = 100
_MERGES_SHOWN = 30


@dataclass(frozen=True)
class Check:
    """What the sandbox told of exported weights. A pipeline could have forged it."""

    shape: tuple[int, ...]  # of one image as the model takes it: channels, height, width
    versions: dict[str, str]  # of torch; for ONNX of onnxruntime and the operators too
    difference: float | None = None  # the largest between ONNX's outputs and PyTorch's
    tolerated: float | None = None
    images: int = 0  # that were compared
    random: int = 0

    @property
    def sentence(self) -> str:
        """What was compared and what came of it; "" where there was nothing to compare."""
        if self.difference is None or self.tolerated is None:
            return ""
        return (
            f"ONNX's outputs differ from PyTorch's by {self.difference:.2g} at most on "
            f"{self.images} images and {self.random} random inputs ({self.tolerated:.2g} is "
            "tolerated)"
        )


@dataclass(frozen=True)
class Origin:
    """Where exported weights are from."""

    name: str  # of the pipeline
    revision: Revision
    snapshot: Snapshot
    history: History
    sandbox: str  # that these weights were trained in
    image: str
    anew: bool  # trained in another environment than the score was measured in
    sealed: tuple[str, ...]  # what the sealed test part told of it

    @property
    def verdict(self) -> Scored | Attempt:
        """The verdict as the history tells it."""
        rows: list[Scored | Attempt] = [*self.history.main, *self.history.attempts]
        return next(row for row in rows if row.commit == self.revision.commit)


def config(form: Format, origin: Origin, check: Check, spec: dict[str, Any]) -> str:
    """Return config.json: what programs need to know."""
    classes = origin.snapshot.data_set.classes
    verdict = origin.verdict
    content = {
        "weights": WEIGHTS[form],
        "num_labels": len(classes),
        "id2label": {str(index): name for index, name in enumerate(classes)},
        "label2id": {name: index for index, name in enumerate(classes)},
        "input": {
            "shape": ["N", *check.shape],
            "dtype": "float32",
            "colours": "RGB",
            "range": [0, 1],
        },
        "output": {"shape": ["N", len(classes)], "dtype": "float32", "meaning": "logits"},
        "preprocessing": {
            "decoding": "upright, 8-bit RGB, transparent pixels on white",
            "longer_side": origin.snapshot.settings.data.cache_side,
            "transform": "eval_transform(spec) of data.py",
            "normalisation": "none: the model's first layer does it",
        },
        "spec": spec | {"input_shape": list(check.shape)},
        "check": None if check.difference is None else {
            "largest_difference": check.difference,
            "tolerated": check.tolerated,
            "images": check.images,
            "random_inputs": check.random,
        },
        "origin": {
            "pipeline": origin.name,
            "revision": origin.revision.name,
            "commit": origin.revision.commit,
            "metric": verdict.metric,
            "val_score": _figure(verdict),
            "val_seeds": origin.revision.trailers.get("Seeds", ""),
            "seed": origin.snapshot.settings.seed,
            "data_set": origin.snapshot.data_set.fingerprint,
            "sandbox": origin.sandbox,
            "image": origin.image,
            "versions": check.versions,
        },
    }  # fmt: skip
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def example(form: Format) -> str:
    """Return predict.py: labels images without improve-git."""
    return render("export/predict.py.j2", format=form)


def card(form: Format, origin: Origin, check: Check) -> str:
    """Return README.md. Text of agents and class names is escaped in it."""
    data_set = origin.snapshot.data_set
    return render(
        "export/README.md.j2",
        format=form,
        front_matter=_front_matter(form, origin).strip(),
        name=markdown(origin.name),
        classes=[markdown(name) for name in data_set.classes],
        shown_classes=_CLASSES_SHOWN,
        revision=_revision(origin.revision),
        weights=_TITLES[form],
        weights_file=WEIGHTS[form],
        example=example(form),
        shape=check.shape,
        check=check.sentence,
        longer_side=origin.snapshot.settings.data.cache_side,
        transform=reached(origin.snapshot.files["data.py"], "eval_transform"),
        figures=_figures(origin),
        story=_story(origin, check),
    )


def markdown(text: str) -> str:
    """Return foreign text on one line, as Markdown and HTML show it and do nothing with it."""
    plain = re.sub(r"[\\`*_{}\[\]<>#|~&!@$]", r"\\\g<0>", one_line(text, 200))
    # What makes a list, a heading or a link only at certain places.
    plain = re.sub(r"^(\d{0,9})([-+=.)])", r"\1\\\2", plain)
    return re.sub(r"(?<=www)\.|:(?=//)|(?<=mailto):", r"\\\g<0>", plain, flags=re.IGNORECASE)


def code(text: str) -> str:
    """Return foreign text on one line as Markdown's inline code."""
    return f"`{one_line(text, 200).replace('`', chr(39))}`"


def _front_matter(form: Format, origin: Origin) -> str:
    """Return the card's metadata as YAML, in the names that Hugging Face's hub knows."""
    from huggingface_hub import EvalResult, ModelCardData

    verdict = origin.verdict
    metric = _HUB_METRICS.get(verdict.metric, verdict.metric)
    score = _figure(verdict)
    results = [] if score is None else [
        EvalResult(
            task_type="image-classification",
            dataset_type="image-folder",
            dataset_name="val part: a search estimate, optimistic",
            dataset_split="validation",
            dataset_revision=origin.snapshot.data_set.fingerprint,
            metric_type=metric,
            metric_name=f"{metric_text(verdict.metric)} on val (optimistic: candidates were "
            "chosen by it)",
            metric_value=score,
        )
    ]  # fmt: skip
    about = ModelCardData(
        library_name="onnx" if form == "onnx" else "pytorch",
        pipeline_tag="image-classification",
        tags=["image-classification", "improve-git", form],
        metrics=[metric],
        model_name=one_line(origin.name, 90),
        eval_results=results or None,
    )
    return str(about.to_yaml())


def _figures(origin: Origin) -> list[str]:
    verdict, first = origin.verdict, origin.history.main[0]
    score, snapshot = _figure(verdict), origin.snapshot
    images = len(snapshot.data_set.part("val"))
    lines = []
    if score is not None:
        direction = "higher" if METRICS[verdict.metric] else "lower"
        lines.append(
            f"On {images:,} val images: **{score_text(verdict.metric, score)}** "
            f"({_over(verdict, origin)}; {direction} is better). This is a search estimate and "
            "optimistic: candidates were chosen by it."
        )
    if first.commit != verdict.commit and first.metric == verdict.metric:
        lines.append(f"The first pipeline had {score_text(first.metric, first.score)} there.")
    lines += origin.sealed or ["The sealed test images were not opened for this revision."]
    lines.append(f"The weights are of one training, with seed {snapshot.settings.seed}.")
    if origin.anew:
        lines.append(
            f"They were trained anew in {code(origin.image)}; the figures above were measured in "
            f"{code(origin.revision.trailers.get('Image', 'unknown'))}, so theirs may differ."
        )
    return lines


def _story(origin: Origin, check: Check) -> list[str]:
    verdict = origin.verdict
    lines = [
        f"Commit `{origin.revision.commit}` ({verdict.verdict}"
        + (f": {markdown(verdict.reason)})" if isinstance(verdict, Attempt) else ")"),
        f"Data set, by its fingerprint: `{origin.snapshot.data_set.fingerprint}`",
        f"Trained in: {code(origin.image)}, sandbox {code(origin.sandbox)}; exported with "
        + ", ".join(f"{name} {code(version)}" for name, version in check.versions.items()),
    ]
    merges = [row for row in _until(origin.history.main, verdict.commit) if row.number is not None]
    lines += [markdown(row.subject) for row in merges[:_MERGES_SHOWN]]
    if len(merges) > _MERGES_SHOWN:
        lines.append(f"and {len(merges) - _MERGES_SHOWN} more merges: `git log --first-parent`")
    return lines


def _until(scores: Sequence[Scored], commit: str) -> list[Scored]:
    """Return main's scores up to a commit; none where it is not main's."""
    commits = [row.commit for row in scores]
    return list(scores[: commits.index(commit) + 1]) if commit in commits else []


def _figure(verdict: Scored | Attempt) -> float | None:
    score = verdict.score
    return score if score is not None and abs(score) < float("inf") else None


def _over(verdict: Scored | Attempt, origin: Origin) -> str:
    seeds = markdown(origin.revision.trailers.get("Seeds", "unknown"))
    return f"mean over the seeds {seeds}" if verdict.seed_scores else f"seed {seeds}"


def _revision(revision: Revision) -> str:
    return revision.name if revision.number is None else f"iteration {revision.number}"


def reached(source: str, name: str) -> str:
    """Return what a function is made of: it, and all at the file's top that it reaches by name."""
    tree = ast.parse(source)
    parts = {
        defined: node
        for node in tree.body
        for defined in _defined(node)
    }  # fmt: skip
    wanted, todo = set(), [name]
    while todo:
        node = parts.get(todo.pop())
        if node is not None and node not in wanted:
            wanted.add(node)
            todo += [one.id for one in ast.walk(node) if isinstance(one, ast.Name)]
    kept = [node for node in tree.body if node in wanted]
    imports = [node for node in kept if isinstance(node, ast.Import | ast.ImportFrom)]
    rest = [node for node in kept if node not in imports]
    return "\n\n\n".join(
        part
        for part in ["\n".join(_segment(source, node) for node in imports),
                     *(_segment(source, node) for node in rest)]
        if part
    )  # fmt: skip


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [(alias.asname or alias.name).partition(".")[0] for alias in node.names]
    return [one.id for one in ast.walk(node)
            if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)]  # fmt: skip


def _segment(source: str, node: ast.stmt) -> str:
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(one.lineno for one in decorators)])
    return "\n".join(source.splitlines()[first - 1 : node.end_lineno])
