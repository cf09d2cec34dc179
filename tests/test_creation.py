"""Where a pipeline may be made, and that nothing half-made is left."""

import os
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from improve_git import creation
from improve_git.errors import DataError, PipelineError, TeamError
from improve_git.git import Repository
from improve_git.pipeline import Pipeline
from scripted import ScriptedTeam


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for label, name in enumerate(("cats", "dogs")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(20):
            image = Image.new("RGB", (8, 8), (number, 100 * label, 0))
            image.save(tmp_path / "photos" / name / f"{number}.png")
    return tmp_path / "photos"


def make(photos: Path, target: Path) -> Repository:
    return creation.create(creation.plan(str(photos), target, []), lambda _: ScriptedTeam([]))


def test_a_pipeline_is_a_repository_with_a_clean_checkout(photos: Path, tmp_path: Path) -> None:
    repo = make(photos, tmp_path / "new folder" / "pipeline")
    assert repo.git("status", "--porcelain") == ""
    assert sorted(repo.blobs("main")) == [
        ".gitignore", "README.md", "data.py", "dataset.json", "improve.yaml", "model.py", "run.py",
        "train.py",
    ]  # fmt: skip
    assert Pipeline.open(repo.folder).snapshot("main").data_set.classes == ("cats", "dogs")


def test_an_empty_folder_is_taken(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert make(photos, tmp_path / "empty").resolve("main")


def test_what_is_in_the_way_is_named_and_left_alone(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    Repository.create(tmp_path / "other")
    for target, problem in (
        ("file", "is not a folder"),
        ("full", "is not empty"),
        ("other/inside", "lies in another Git repository"),
        ("other/.git/inside", "lies in another Git repository"),
    ):
        with pytest.raises(PipelineError, match=problem):
            make(photos, tmp_path / target)
    assert (tmp_path / "full" / "mine").read_text() == "mine"


def test_a_folder_that_the_repository_around_ignores_is_taken(photos: Path, tmp_path: Path) -> None:
    Repository.create(tmp_path / "other")
    (tmp_path / "other" / ".gitignore").write_text("/demo/\n")
    assert make(photos, tmp_path / "other" / "demo").resolve("main")


def test_a_pipeline_among_the_images_is_refused(photos: Path) -> None:
    for target in (photos, photos / "pipeline"):
        with pytest.raises(PipelineError, match="would lie among the images"):
            creation.plan(str(photos), target, [])


def test_no_images_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no images are named"):
        creation.plan("", tmp_path / "pipeline", [])


def test_a_failing_design_leaves_nothing(photos: Path, tmp_path: Path) -> None:
    class Broken(ScriptedTeam):
        def design(self, *_: object):  # type: ignore[no-untyped-def, override]
            raise TeamError("no idea")

    before = sorted(tmp_path.iterdir())
    found = creation.plan(str(photos), tmp_path / "pipeline", [])
    with pytest.raises(TeamError):
        creation.create(found, lambda _: Broken([]))
    assert sorted(tmp_path.iterdir()) == before


def test_what_a_killed_init_left_is_cleared_unless_agents_were_paid_there(
    photos: Path, tmp_path: Path
) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    names = {
        "killed": f".pipeline.partial-{gone.pid}-a",
        "paid": f".pipeline.partial-{gone.pid}-b",
        "running": f".pipeline.partial-{os.getpid()}-c",
        "another's": f".pipeline-2.partial-{gone.pid}-d",
    }
    for name in names.values():
        (tmp_path / name / ".git").mkdir(parents=True)
    (tmp_path / names["paid"] / ".improve" / "transcripts").mkdir(parents=True)
    make(photos, tmp_path / "pipeline")
    left = [who for who, name in names.items() if (tmp_path / name).exists()]
    assert left == ["paid", "running", "another's"]
