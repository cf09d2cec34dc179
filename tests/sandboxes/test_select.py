import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from improve_git.errors import SandboxError
from improve_git.sandboxes.probe import probe
from improve_git.sandboxes.select import open_sandbox
from improve_git.settings.schema import SandboxSettings


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")


@pytest.fixture
def no_bubblewrap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.usefixtures("no_engine")
def test_docker_without_an_engine_is_an_error_with_its_fix() -> None:
    with pytest.raises(SandboxError, match="no Docker engine answers") as caught:
        open_sandbox(SandboxSettings(name="docker"), print)
    assert "sandbox=process" in caught.value.fix


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
@pytest.mark.usefixtures("no_engine")
def test_auto_without_an_engine_is_a_process_and_says_why_in_one_line() -> None:
    lines: list[str] = []
    sandbox = open_sandbox(SandboxSettings(), lines.append)
    assert sandbox.name == "process"
    assert len(lines) == 1
    assert lines[0].startswith("sandbox: process (bubblewrap, probed); not docker: no Docker")


@pytest.mark.usefixtures("no_engine", "no_bubblewrap")
def test_without_isolation_it_says_so() -> None:
    lines: list[str] = []
    assert open_sandbox(SandboxSettings(), lines.append).name == "process-unisolated"
    assert "UNISOLATED (bubblewrap (bwrap) is not installed)" in lines[0]


def test_the_probe_sees_what_a_sandbox_lets_through(tmp_path: Path) -> None:
    def plain(arguments: Sequence[str]) -> list[str]:
        return ["/usr/bin/env", "python3", *arguments]

    reason = probe(plain, tmp_path)
    for finding in (
        "sees the host's temporary files",
        "has the host's environment",
        "reaches the host's network",
        "sees the host's processes",
        f"can write to {tmp_path}",
    ):
        assert finding in reason


def test_the_probe_tells_why_a_sandbox_does_not_start(tmp_path: Path) -> None:
    def broken(_arguments: Sequence[str]) -> list[str]:
        return ["/bin/sh", "-c", "echo no permission to make a namespace >&2; exit 1"]

    assert probe(broken, tmp_path) == "no permission to make a namespace"


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
def test_the_probe_finds_what_a_bind_of_everything_leaves_open(tmp_path: Path) -> None:
    def careless(arguments: Sequence[str]) -> list[str]:
        return ["bwrap", "--bind", "/", "/", "--dev", "/dev", "/usr/bin/env", "python3", *arguments]

    reason = probe(careless, tmp_path)
    assert "sees the host's temporary files" in reason
    assert "reaches the host's network" in reason
