"""Exports of a real pipeline, with a scripted sandbox in the place of torch."""

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from safetensors.numpy import save

from improve_git.domain import Outcome
from improve_git.errors import ImproveError, PipelineError, SandboxError
from improve_git.export import export
from improve_git.git import ENGINE
from improve_git.iteration.trial import Bench
from improve_git.messages import compose
from improve_git.observer import Silent
from improve_git.pipeline import Pipeline
from improve_git.sandboxes.base import UNISOLATED, Format
from improve_git.trail.history import read_history
from improve_git.trail.openings import OPENINGS
from improve_git.trail.revision import find_revision
from worlds import BETTER, WORSE, World, make_photos, make_world

MOVES = [("model", "wider", BETTER), ("train", "slower", WORSE)]
TENSORS = {"weight": np.arange(6, dtype=np.float32).reshape(2, 3)}
COMPARED = {
    "input_shape": "3 x 8 x 8",
    "torch": "2.15",
    "onnxruntime": "1.32",
    "opset": 20,
    "largest_difference": 2e-6,
    "tolerated_difference": 1e-3,
    "compared_real": 8,
    "compared_random": 4,
}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A pipeline with a baseline, a merge and a rejection."""
    folder = tmp_path_factory.mktemp("export")
    world = make_world(make_photos(folder / "photos"), folder / "pets", MOVES)
    world.run("budget.iterations=2")
    return world


class Exporting:
    """Exports of one pipeline."""

    def __init__(self, world: World, folder: Path) -> None:
        self.folder = folder
        self.pipeline = world.pipeline
        self.sandbox = world.sandbox
        self.bench = Bench(world.pipeline, world.sandbox, Silent())
        self.history = read_history(world.pipeline.repo)

    def origin(self, rev: str = "main") -> export.Origin:
        revision = find_revision(self.pipeline.repo, self.history, rev)
        snapshot = self.pipeline.snapshot(revision.commit)
        return export.origin(self.bench, snapshot, revision, self.history)

    def keep(self, origin: export.Origin, weights: bytes) -> Path:
        file = self.pipeline.weights_file(self.bench.key(origin.snapshot))
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(weights)
        return file

    def __call__(self, form: Format = "safetensors", name: str = "out", rev: str = "main") -> Path:
        origin = self.origin(rev)
        self.keep(origin, save(TENSORS))
        export.export(self.bench, origin, form, self.folder / name)
        return self.folder / name


@pytest.fixture
def exporting(measured: World, tmp_path: Path) -> Exporting:
    measured.sandbox.exported = Outcome("ok", info=COMPARED)
    measured.sandbox.name = "scripted"
    (tmp_path / "place").mkdir()
    return Exporting(measured, tmp_path / "place")


def front_matter(folder: Path) -> dict[str, Any]:
    _, text, _ = (folder / "README.md").read_text().split("---\n", 2)
    found = yaml.safe_load(text)
    assert isinstance(found, dict)
    return found


FILES = {"README.md", "config.json", "data.py", "model.py", "train.py", "predict.py"}


@pytest.mark.parametrize(
    ("form", "weights"),
    [
        ("safetensors", "model.safetensors"),
        ("torch", "pytorch_model.bin"),
        ("onnx", "model.onnx"),
    ],
)
def test_a_folder_with_all_that_the_weights_need(
    exporting: Exporting, form: Format, weights: str
) -> None:
    out = exporting(form)
    origin = exporting.origin()
    assert {path.name for path in out.iterdir()} == FILES | {weights}
    assert (out / weights).read_bytes() == save(TENSORS)
    for name, text in origin.snapshot.files.items():
        assert (out / name).read_text() == text
    config = json.loads((out / "config.json").read_text())
    assert config["id2label"] == {"0": "cats", "1": "dogs"}
    assert config["label2id"] == {"cats": 0, "dogs": 1}
    assert config["input"]["shape"] == ["N", 3, 8, 8]
    assert config["spec"]["input_shape"] == [3, 8, 8]
    assert config["origin"]["commit"] == exporting.history.tip
    assert config["origin"]["val_score"] == exporting.history.main[-1].score
    assert config["origin"]["data_set"] == origin.snapshot.data_set.fingerprint
    assert (config["check"] is None) == (form != "onnx")
    card = (out / "README.md").read_text()
    assert (out / "predict.py").read_text() in card
    assert ("differ from PyTorch's by 2e-06 at most" in card) == (form == "onnx")
    assert "optimistic: candidates were chosen by it" in card
    assert "Merge 0001 model: wider" in card
    about = front_matter(out)
    assert about["pipeline_tag"] == "image-classification"
    assert "license" not in about
    result = about["model-index"][0]["results"][0]
    assert result["metrics"][0]["value"] == exporting.history.main[-1].score
    assert "optimistic" in result["metrics"][0]["name"]
    assert (out.stat().st_mode & 0o777, (out / weights).stat().st_mode & 0o777) == (0o755, 0o644)
    assert list(exporting.folder.iterdir()) == [out]


def test_an_archive_is_the_folder_packed(exporting: Exporting) -> None:
    (exporting.folder / ".pets.zip.partial-999999999-x" / "pets").mkdir(parents=True)  # by a kill
    archive = zipfile.ZipFile(exporting("onnx", "pets.zip"))
    assert archive.testzip() is None
    assert {name for name in archive.namelist() if not name.endswith("/")} == {
        f"pets/{name}" for name in FILES | {"model.onnx"}
    }
    assert [path.name for path in exporting.folder.iterdir()] == ["pets.zip"]


def test_an_archive_takes_no_place_that_was_taken_meanwhile(
    exporting: Exporting, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, pack = exporting.folder / "pets.zip", shutil.make_archive

    def meanwhile(*words: str) -> str:
        target.write_text("mine")
        return pack(*words)

    monkeypatch.setattr(shutil, "make_archive", meanwhile)
    with pytest.raises(PipelineError, match="is there already"):
        exporting("safetensors", "pets.zip")
    assert target.read_text() == "mine"


def test_a_rejected_attempt_and_the_baseline_tell_where_they_are_from(
    exporting: Exporting,
) -> None:
    rejected = (exporting(rev="2", name="two") / "README.md").read_text()
    assert "It is iteration 2 of a pipeline" in rejected
    assert "(rejected: " in rejected
    assert "Merge 0001" not in rejected
    baseline = (exporting(rev="baseline", name="first") / "README.md").read_text()
    assert "It is the baseline of a pipeline" in baseline
    assert "The first pipeline had" not in baseline


def test_weights_that_were_trained_elsewhere_than_the_score_say_so(exporting: Exporting) -> None:
    assert "trained anew" not in (exporting(name="same") / "README.md").read_text()
    exporting.sandbox.image = "scripted-2"
    try:
        card = (exporting(name="other") / "README.md").read_text()
    finally:
        exporting.sandbox.image = "scripted-1"
    assert "They were trained anew in `scripted-2`" in card
    assert "measured in `scripted-1`" in card


def test_what_the_sealed_images_told_of_that_very_commit_stands_in_the_card(
    exporting: Exporting,
) -> None:
    unopened = "The sealed test images were not opened for this revision."
    assert unopened in (exporting(name="before") / "README.md").read_text()
    repo, tip = exporting.pipeline.repo, exporting.history.tip
    told = {"Opening": 1, "Kind": "evaluation", "Tip": tip, "Test-Accuracy": "0.75",
            "Images": 20, "Seeds": "0,1,2"}  # fmt: skip
    message = compose("Evaluate", "", told)
    repo.git("update-ref", OPENINGS, repo.commit(f"{tip}^{{tree}}", [tip], message, ENGINE))
    try:
        card = (exporting(name="after") / "README.md").read_text()
        baseline = (exporting(name="first", rev="baseline") / "README.md").read_text()
    finally:
        repo.git("update-ref", "-d", OPENINGS)
    assert "On 20 sealed test images: **accuracy 0.7500** (mean over 3 seeds)" in card
    assert unopened not in card
    assert unopened in baseline


def refused(exporting: Exporting, act: Callable[[], object]) -> ImproveError:
    """Return the error; nothing is left behind."""
    with pytest.raises(ImproveError) as caught:
        act()
    assert list(exporting.folder.iterdir()) == []
    return caught.value


@pytest.mark.parametrize("name", ["out", "out.zip"])
def test_a_model_that_onnx_cannot_express_leaves_nothing(exporting: Exporting, name: str) -> None:
    reason = "ONNX's outputs differ from PyTorch's by up to 0.5; 0.001 is tolerated"
    exporting.sandbox.exported = Outcome("invalid", reason)
    error = refused(exporting, lambda: exporting("onnx", name))
    assert isinstance(error, PipelineError)
    assert error.message == f"it cannot be exported as onnx: invalid: {reason}"
    assert error.fix == "export it as safetensors"


@pytest.mark.parametrize(
    "changes",
    [
        {"input_shape": None},
        {"input_shape": 3},
        {"input_shape": "3 x 8"},
        {"input_shape": "3 x 8 x 8\n"},
        {"input_shape": "0 x 8 x 8"},
        {"largest_difference": "small"},
        {"largest_difference": True},
        {"largest_difference": -1.0},
        {"compared_real": None},
    ],
)
def test_what_the_sandbox_tells_is_checked(exporting: Exporting, changes: dict[str, Any]) -> None:
    exporting.sandbox.exported = Outcome("ok", info=COMPARED | changes)
    assert isinstance(refused(exporting, lambda: exporting("onnx")), SandboxError)


@pytest.mark.parametrize("weights", [b"", b"\x80\x04a pickle", save(TENSORS) + b"more"])
def test_weights_that_are_no_safetensors_are_not_handed_on(
    exporting: Exporting, weights: bytes
) -> None:
    origin = exporting.origin()
    exporting.keep(origin, weights)
    out = exporting.folder / "out"
    error = refused(exporting, lambda: export.export(exporting.bench, origin, "safetensors", out))
    assert "no well-formed safetensors" in error.message


def test_foreign_files_are_not_exported_where_nothing_isolates(exporting: Exporting) -> None:
    exporting.sandbox.name = UNISOLATED
    error = refused(exporting, lambda: exporting("onnx"))
    assert "nothing isolates candidates here" in error.message


def test_hostile_class_names_are_words_in_the_card(exporting: Exporting) -> None:
    names = ("<img src=x onerror=alert(1)>\n---\nlicense: evil", "[a](http://b.invalid) `x`")
    origin = exporting.origin()
    data_set = replace(origin.snapshot.data_set, classes=names)
    hostile = replace(origin, snapshot=replace(origin.snapshot, data_set=data_set))
    exporting.keep(hostile, save(TENSORS))
    out = exporting.folder / "out"
    export.export(exporting.bench, hostile, "safetensors", out)
    card = (out / "README.md").read_text()
    assert "0. \\<img src=x onerror=alert(1)\\> --- license: evil" in card
    assert "1. \\[a\\](http\\://b.invalid) \\`x\\`" in card
    assert "license" not in front_matter(out)
    assert json.loads((out / "config.json").read_text())["label2id"] == {
        names[0]: 0,
        names[1]: 1,
    }


def test_a_place_that_is_taken_or_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("file", "folder", "link"):
        with pytest.raises(PipelineError, match="is there already"):
            export.check_target(tmp_path / name)
    with pytest.raises(PipelineError, match="none is not a folder"):
        export.check_target(tmp_path / "none" / "out")
    export.check_target(tmp_path / "out")
    if os.geteuid():  # root writes everywhere
        (tmp_path / "folder").chmod(0o500)
        with pytest.raises(PipelineError, match="is not writable"):
            export.check_target(tmp_path / "folder" / "out")


@pytest.mark.parametrize(
    ("word", "name"), [("epochs=3", "epochs"), ("sandbox.cpus=1", "sandbox.cpus")]
)
def test_words_that_make_other_weights_of_it_are_refused(
    measured: World, word: str, name: str
) -> None:
    repo = measured.pipeline.repo
    pipeline = Pipeline.open(repo.folder, [word, "sandbox.memory=4g"])
    snapshot = pipeline.snapshot("main")
    with pytest.raises(PipelineError, match=f"with another {name} these would not be"):
        export.check_words(pipeline, snapshot, "main")
    pipeline = Pipeline.open(repo.folder, ["sandbox.memory=4g"])
    export.check_words(pipeline, pipeline.snapshot("main"), "main")
