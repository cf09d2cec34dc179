import subprocess
from pathlib import Path

import pytest
from command_line import Call

from improve_git.git import Repository
from scripted import SOURCES
from worlds import make_photos


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    for name, text in SOURCES.items():
        code = text.format(0.2).replace("return model", "return helper(model, report)")
        (folder / name).write_text(code)
    (folder / "run.py").write_text("print('mine')\n")
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "Begin"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


def test_adopt_shows_the_images_and_what_comes_next(
    project: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = make_photos(project / "photos")  # as in many a project
    monkeypatch.chdir(project)
    said = call("adopt", ".", photos, "--dry-run")
    assert (said.code, said.err) == (0, "") and "200 images, 2 classes" in said.out
    assert Repository(project).log("-1")[0].subject == "Begin"
    said = call("adopt", ".", photos)
    assert (said.code, said.err) == (0, "")
    assert said.out.endswith(
        "yours stay as they are: run.py\n\nSet up a pipeline for 200 images in 2 classes\n"
        f"pipeline: {project}\nnext: improve-git run\n"
    )
    assert "not measured yet" in call("status").out


def test_what_is_in_the_way_is_listed_before_images_are_read(project: Path, call: Call) -> None:
    (project / "model.py").unlink()
    (project / "models.py").write_text("def get_model(classes): ...\n")
    said = call("adopt", project, project / "none")
    assert (said.code, said.out) == (1, "")
    assert said.err == (
        f"error: {project} is as it was, 3 things are in the way:\n"
        "  model.py: edits are not committed: git commit model.py, or git stash\n"
        "  model.py is missing; nearest is models.py: rename it to model.py\n"
        "  models.py: line 1: get_model(classes) found: rename it to "
        "build_model(spec, pretrained=True)\n"
        "  fix: mend and commit this there, then the same command again\n"
    )
