import csv
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Call
from PIL import Image

import pipelines
from improve_git.datasets.scan import read_data_set
from improve_git.domain import Design
from improve_git.git import Repository
from improve_git.iteration.incumbent import Incumbent
from improve_git.iteration.trial import Bench
from improve_git.observer import Silent
from improve_git.pipeline import Pipeline
from improve_git.sandboxes.base import Sandbox
from improve_git.settings.improve_yaml import improve_yaml
from improve_git.settings.schema import Settings
from improve_git.teams.playbook import Playbook
from improve_git.trail import writing
from real_sandboxes import BASE_IMAGE, open_docker, open_process

COLOURS = {"blue": (0, 0, 200), "green": (0, 200, 0), "red": (200, 0, 0)}


def paint(path: Path, colour: str, shade: int, size: int = 8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    channels = tuple(max(0, value - shade) for value in COLOURS[colour])
    Image.new("RGB", (size, size), channels).save(path)


def make_pipeline(folder: Path, sandbox: str) -> Path:
    """Write a pipeline that tells colours apart."""
    for colour in COLOURS:
        for number in range(24):
            paint(folder / "photos" / colour / f"{number}.png", colour, 3 * number)
    settings = Settings(epochs=25)
    settings.sandbox.name = sandbox
    settings.sandbox.base_image = BASE_IMAGE if sandbox == "docker" else None
    settings.accept.name = "improves"
    settings.data.images = str(folder / "photos")
    settings.data.cache_side = 16
    repo = Repository.create(folder / "colours")
    files = {
        "dataset.json": read_data_set(settings.data.images, settings.data).to_json(),
        "improve.yaml": improve_yaml(settings),
    }
    design = Design(pipelines.FILES, "Write a first pipeline", "")
    writing.found(repo, files, "72 images in 3 classes", design, "scripted")
    repo.git("read-tree", "-m", "-u", "HEAD")
    return repo.folder


def measured(folder: Path, opener: Callable[[], Sandbox], name: str) -> Path:
    pipeline = Pipeline.open(make_pipeline(folder, name))
    bench = Bench(pipeline, opener(), Silent())
    Incumbent(pipeline, Playbook(), bench, Silent()).measured()
    return pipeline.repo.folder


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline with a measured baseline, in the process sandbox."""
    return measured(tmp_path_factory.mktemp("export"), open_process, "process")


def new_images(folder: Path) -> list[Path]:
    for number, colour in enumerate(["red", "green", "blue", "green"]):
        paint(folder / "new" / f"{number}.png", colour, 10)
    turned = Image.new("RGB", (8, 8), COLOURS["red"])
    turned.getexif()[0x0112] = 6
    turned.save(folder / "new" / "4.jpg", exif=turned.getexif())
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(folder / "new" / "5.png")
    Image.new("L", (8, 8), 90).save(folder / "new" / "6.png")
    return sorted((folder / "new").iterdir())


def labelled(exported: Path, images: list[Path]) -> list[tuple[str, str, str]]:
    """Run the example of an export as a user would, without improve-git."""
    told = subprocess.run(
        [sys.executable, str(exported / "predict.py"), *map(str, images)],
        env={"PATH": "/usr/bin:/bin"}, cwd="/", text=True, check=True, capture_output=True,
    )  # fmt: skip
    rows = [line.split("\t") for line in told.stdout.splitlines()]
    return [(Path(path).name, label, share) for path, label, share in rows]


def asked(call: Call, pipeline: Path, folder: Path, out: Path) -> list[tuple[str, str, str]]:
    """Let improve-git label the same images."""
    said = call("predict", folder, "--out", out, "-C", pipeline)
    assert said.code == 0, said
    rows = list(csv.DictReader(out.open()))
    return [(row["image"], row["label"], row[f"p_{row['label']}"]) for row in rows]


def agree(ours: list[tuple[str, str, str]], theirs: list[tuple[str, str, str]]) -> None:
    assert [row[:2] for row in ours] == [row[:2] for row in theirs]
    for one, other in zip(ours, theirs, strict=True):
        assert float(one[2]) == pytest.approx(float(other[2]), abs=1e-5)


@pytest.mark.torch
def test_what_is_exported_labels_images_as_improve_git_does(
    colours: Path, tmp_path: Path, call: Call
) -> None:
    images = new_images(tmp_path)
    wanted = asked(call, colours, tmp_path / "new", tmp_path / "preds.csv")
    for form in ("safetensors", "torch", "onnx"):
        out = tmp_path / form
        said = call("export", "--format", form, out, "-C", colours)
        assert said.code == 0, said
        assert "training" not in said.out
        told = said.out.splitlines()
        assert told[-1].startswith("exported the baseline (")
        assert told[-1].endswith(f") as {form}: {out}")
        assert told[-2].startswith("ONNX's outputs differ from PyTorch's by ") == (form == "onnx")
        agree(labelled(out, images), wanted)

    # What is there is not overwritten, and another name holds the same as an archive.
    said = call("export", "--format", "onnx", tmp_path / "onnx", "-C", colours)
    assert (said.code, "is there already" in said.err) == (1, True)
    said = call("export", "--format", "safetensors", tmp_path / "packed.zip", "-C", colours)
    assert said.code == 0, said
    zipfile.ZipFile(tmp_path / "packed.zip").extractall(tmp_path / "unpacked")
    agree(labelled(tmp_path / "unpacked" / "packed", images), wanted)


@pytest.mark.torch
def test_weights_that_are_not_at_hand_are_trained_again_and_kept(
    colours: Path, tmp_path: Path, call: Call
) -> None:
    kept = list((colours / ".improve" / "weights").iterdir())
    for file in kept:
        file.rename(tmp_path / file.name)
    words = ["--format", "safetensors", "-C", colours]
    said = call("export", "--rev", "baseline", tmp_path / "again", *words)
    assert said.code == 0, said
    assert "are at hand for this sandbox: training, which took " in said.out
    assert list((colours / ".improve" / "weights").iterdir()) == kept
    same = (tmp_path / "again" / "model.safetensors").read_bytes()
    assert same == (tmp_path / kept[0].name).read_bytes()
    said = call("export", "--rev", "0", tmp_path / "third", *words)
    assert (said.code, "training" in said.out) == (0, False), said


@pytest.mark.torch
def test_errors_come_before_any_work(colours: Path, tmp_path: Path, call: Call) -> None:
    (tmp_path / "there").mkdir()
    out = tmp_path / "out"
    for words, message in [
        ([tmp_path / "there"], "there is there already"),
        ([tmp_path / "no" / "out"], "no is not a folder"),
        (["--rev", "7", out], "there is no iteration 7"),
        (["--rev", "nothing", out], "there is no revision 'nothing'"),
        (["--rev", "main^^", out], "was never measured"),
        ([out, "epochs=3"], "with another epochs these would not be the weights"),
        ([out, "sandbox=dockr"], "write for instance docker"),
    ]:
        said = call("export", "--format", "onnx", *words, "-C", colours)
        assert (said.code, message in said.err) == (1, True), said
        assert "fix: " in said.err
        assert "sandbox:" not in said.out
    assert call("export", "--format", "pickle", out, "-C", colours).code == 2
    assert call("export", out, "-C", colours).code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_a_pipeline_that_was_never_measured_has_nothing_to_export(
    tmp_path: Path, call: Call
) -> None:
    folder = make_pipeline(tmp_path, "process")
    said = call("export", "--format", "onnx", tmp_path / "out", "-C", folder)
    assert (said.code, said.err) == (1, "error: nothing is measured yet\n  fix: improve-git run\n")
    assert not (tmp_path / "out").exists()


@pytest.mark.docker
@pytest.mark.torch
def test_onnx_is_written_and_checked_in_a_container(tmp_path: Path, call: Call) -> None:
    folder = measured(tmp_path, open_docker, "docker")
    agreed = f"sandbox.base_image={BASE_IMAGE}"  # as a person would, the first time
    said = call("export", "--format", "onnx", tmp_path / "out", agreed, "-C", folder)
    assert said.code == 0, said
    images = new_images(tmp_path)
    wanted = asked(call, folder, tmp_path / "new", tmp_path / "preds.csv")
    agree(labelled(tmp_path / "out", images), wanted)
