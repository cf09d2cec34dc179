"""What the tests of the commands share: a pipeline with a story, and a call of the command line."""

import shutil
from pathlib import Path

import pytest
from command_line import Call, Said
from example_trail import ExampleTrail, measurement, pin_clock, tell

from improve_git.cli.main import main
from improve_git.pipeline import Pipeline
from improve_git.sandboxes import select
from improve_git.sandboxes.base import Sandbox
from sealing import BETTER, sealed_world
from worlds import World


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """Return the command line as a function; it prints as to a pipe 80 columns wide."""
    monkeypatch.setenv("COLUMNS", "80")
    capsys.readouterr()

    def run(*words: object) -> Said:
        with pytest.raises(SystemExit) as ending:
            main([str(word) for word in words])
        said = capsys.readouterr()
        code = ending.value.code
        assert isinstance(code, int)
        return Said(said.out, said.err, code)

    return run


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a pipeline with one of everything that can happen to it; not to be changed."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        pin_clock(monkeypatch)
        return tell(tmp_path_factory.mktemp("story") / "pets").repo.folder


@pytest.fixture
def example(story: Path, tmp_path: Path) -> ExampleTrail:
    """Return a copy of that pipeline, called pets."""
    folder = tmp_path / "pets"
    shutil.copytree(story, folder)
    return ExampleTrail(Pipeline.open(folder), measurement(0.9))


@pytest.fixture
def world(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return a pipeline with 60 sealed images; the command line trains in its scripted sandbox."""
    w = sealed_world(photos, tmp_path / "pipeline", BETTER)

    def open_sandbox(*_: object) -> Sandbox:
        return w.sandbox

    monkeypatch.setattr(select, "open_sandbox", open_sandbox)
    return w
