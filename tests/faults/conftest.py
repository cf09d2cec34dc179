"""What the tests of faults share: a pipeline to spoil, and the command line as people call it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from mishaps import Call, Said

from improve_git.cli.main import main
from improve_git.iteration import trial
from worlds import World, make_world, world_at


@pytest.fixture(autouse=True)
def ticking(clock: None) -> None:
    """Let the clock tick in every test of faults."""


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "SANDBOX_PAUSES", (0, 0))


@pytest.fixture(scope="session")
def measured(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a pipeline with its baseline measured; not to be changed."""
    w = make_world(photos, tmp_path_factory.mktemp("measured") / "pipeline", [])
    w.run()
    return w.pipeline.repo.folder


@pytest.fixture
def world(measured: Path, tmp_path: Path) -> Callable[..., World]:
    """Return a copy of that pipeline with these moves to try."""

    def make(*moves: tuple[str, str, str], folder: Path = tmp_path / "pipeline") -> World:
        shutil.copytree(measured, folder, symlinks=True)
        return world_at(folder, list(moves))

    return make


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """Run the command line on a world: its team, its sandbox, everything else as it is."""

    def run(*words: object, w: World | None = None) -> Said:
        if w:
            monkeypatch.setattr("improve_git.cli.run.team_of", lambda *_: w.team)
            monkeypatch.setattr("improve_git.sandboxes.select.open_sandbox", lambda *_: w.sandbox)
        capsys.readouterr()
        with pytest.raises(SystemExit) as ending:
            main([str(word) for word in words])
        said = capsys.readouterr()
        return Said(ending.value.code, said.out, said.err)

    return run
