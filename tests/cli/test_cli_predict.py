import csv
import math
from pathlib import Path

import pytest
from command_line import Call
from PIL import Image

import pipelines
from improve_git.datasets.scan import read_data_set
from improve_git.domain import Design
from improve_git.git import Repository
from improve_git.journal import only_run
from improve_git.settings.improve_yaml import improve_yaml
from improve_git.settings.schema import Settings
from improve_git.trail import writing

COLOURS = {"blue": (0, 0, 200), "green": (0, 200, 0), "red": (200, 0, 0)}


def paint(path: Path, colour: str, shade: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    channels = tuple(max(0, value - shade) for value in COLOURS[colour])
    Image.new("RGB", (8, 8), channels).save(path)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline that tells colours apart, with nothing measured yet."""
    folder = tmp_path_factory.mktemp("predict")
    for colour in COLOURS:
        for number in range(24):
            paint(folder / "photos" / colour / f"{number}.png", colour, 3 * number)
    settings = Settings(epochs=25)
    settings.sandbox.name = "process"
    settings.data.images = str(folder / "photos")
    settings.data.cache_side = 16
    repo = Repository.create(folder / "pipeline")
    files = {
        "dataset.json": read_data_set(settings.data.images, settings.data).to_json(),
        "improve.yaml": improve_yaml(settings),
    }
    design = Design(pipelines.FILES, "Write a first pipeline", "")
    writing.found(repo, files, "72 images in 3 classes", design, "scripted")
    repo.git("read-tree", "-m", "-u", "HEAD")
    return repo.folder


def new_images(folder: Path) -> Path:
    for number, colour in enumerate(["red", "green", "blue", "green"]):
        paint(folder / "new" / f"{number}.png", colour, 10)
    (folder / "new" / "notes.txt").write_text("no image")
    return folder / "new"


@pytest.mark.torch
def test_a_folder_is_labelled(pipeline: Path, tmp_path: Path, call: Call) -> None:
    folder, out = new_images(tmp_path), tmp_path / "preds.csv"
    said = call("predict", folder, "--out", out, "-C", pipeline)
    assert said.code == 0, said
    assert "at hand for this sandbox: training" in said.out
    assert "nothing is measured yet; to measure and improve this pipeline first: " in said.out
    assert "warning: left out 'notes.txt': not an image of a known format" in said.out
    assert said.out.splitlines()[-1].startswith("4 predictions by ")
    rows = list(csv.DictReader(out.open()))
    assert [(row["image"], row["label"]) for row in rows] == [
        ("0.png", "red"),
        ("1.png", "green"),
        ("2.png", "blue"),
        ("3.png", "green"),
    ]
    for row in rows:
        figures = [float(row[f"p_{colour}"]) for colour in COLOURS]
        assert math.fsum(figures) == pytest.approx(1, abs=1e-5)
        assert max(figures) == float(row[f"p_{row['label']}"])

    # What is trained once is not trained again; the sample decides rows and order.
    sample, wanted = tmp_path / "sample.csv", tmp_path / "submission.csv"
    sample.write_text("id,label\n2,red\n0.png,red\n")
    more = ["--submission", sample, "--rev", "main~0"]
    with only_run(pipeline / ".improve"):
        said = call("predict", folder, "--out", wanted, "-C", pipeline, *more)
    assert said.code == 0, said
    assert "training" not in said.out
    assert wanted.read_text() == "id,label\n2,blue\n0.png,red\n"
    assert not list((pipeline / ".improve").glob("predict-*"))


def test_errors_come_before_any_work(pipeline: Path, tmp_path: Path, call: Call) -> None:
    folder, out = new_images(tmp_path), tmp_path / "preds.csv"
    sample = tmp_path / "sample.csv"
    sample.write_text("id,label\nnone,red\n")
    for words, message in [
        ([folder, "--out", tmp_path / "no" / "preds.csv"], "no is not a folder"),
        ([folder, "--out", out, "--rev", "nothing"], "there is no commit 'nothing'"),
        ([folder, "--out", out, "--rev", "main^"], "has no data.py"),
        ([folder, "--out", out, "--submission", sample], "for the id 'none'"),
        ([tmp_path / "none", "--out", out], "is not a folder"),
        ([folder, "--out", out, "sandbox=dockr"], "write for instance docker"),
    ]:
        said = call("predict", *words, "-C", pipeline)
        assert said.code == 1, said
        assert message in said.err
        assert "sandbox" not in said.out
    assert call("predict", folder).code == 2
    assert not out.exists()
