"""What several commands share."""

from pathlib import Path

import pytest
from command_line import Call
from example_trail import ExampleTrail

from improve_git.cli.options import typed


def test_advice_is_as_one_would_type_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert typed("run", tmp_path) == "improve-git run"
    assert typed("run", tmp_path / "a b", ["seed=1"]) == "improve-git run -C 'a b' seed=1"
    assert typed("run", Path("/elsewhere"), ["x='a b'"]) == (
        "improve-git run -C /elsewhere 'x='\"'\"'a b'\"'\"''"
    )


def test_a_pipeline_without_its_option_is_understood(example: ExampleTrail, call: Call) -> None:
    folder = example.repo.folder
    said = call("run", folder)
    assert said.code == 2
    assert f"is a folder; did you mean -C {folder}?" in said.err
    assert "is not key=value" in call("run", "what").err
