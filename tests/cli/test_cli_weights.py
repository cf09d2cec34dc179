"""improve-git weights, as a user calls it; tests/test_weights.py has what pull does with a hub."""

import json
import re
import struct
from pathlib import Path

import click
import pytest
from command_line import Call

from improve_git.cli.main import app
from improve_git.cli.weights import command

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def add(hub: Path, name: str, header: dict[str, object], config: object) -> Path:
    folder = hub / f"models--timm--{name}"
    for part in ("blobs", "refs", "snapshots/abc"):
        (folder / part).mkdir(parents=True)
    (folder / "refs" / "main").write_text("abc")
    text = json.dumps(header).encode()
    (folder / "blobs" / "1").write_bytes(struct.pack("<Q", len(text)) + text + bytes(3 << 20))
    (folder / "blobs" / "2").write_text(json.dumps(config))
    (folder / "snapshots" / "abc" / "model.safetensors").symlink_to("../../blobs/1")
    (folder / "snapshots" / "abc" / "config.json").symlink_to("../../blobs/2")
    return folder


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def test_an_empty_cache_says_how_to_fill_it(call: Call, hub: Path) -> None:
    said = call("weights", "list")
    assert said.code == 0
    assert said.out == (
        f"no pretrained weights in {hub}\n  fix: improve-git weights pull resnet18.a1_in1k\n"
    )
    assert json.loads(call("weights", "list", "--json").out) == []


def test_the_models_at_hand_are_listed_with_what_their_files_tell(call: Call, hub: Path) -> None:
    tensor = {"dtype": "F32", "shape": [1000, 4650], "data_offsets": [0, 1]}
    config = {"pretrained_cfg": {"input_size": [3, 224, 224]}}
    lite = add(hub, "lite.in1k", {"weight": tensor}, config)
    bare = add(hub, "bare.in1k", {}, {})
    assert call("weights", "list").out == (
        "model      parameters   input  on disk\n"
        "bare.in1k                      3.0 MiB\n"
        "lite.in1k       4.7 M  224 px  3.0 MiB\n"
    )
    assert json.loads(call("weights", "list", "--json").out) == [
        {"name": name, "parameters": parameters, "input_size": side,
         "bytes": sum(blob.stat().st_size for blob in (folder / "blobs").iterdir()) + 3,
         "folder": str(folder)}
        for name, parameters, side, folder in [
            ("bare.in1k", None, None, bare),
            ("lite.in1k", 4_650_000, 224, lite),
        ]
    ]  # fmt: skip


def test_what_is_at_hand_is_not_fetched_again(
    call: Call, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    add(hub, "bare.in1k", {}, {"input_size": [3, 64, 64]})
    for name in ("bare.in1k", "timm/bare.in1k"):
        said = call("weights", "pull", name)
        assert (said.out, said.err, said.code) == ("at hand: bare.in1k, 64 px, 3.0 MiB\n", "", 0)


def test_a_name_that_cannot_be_one_is_told_with_the_nearest(call: Call, hub: Path) -> None:
    said = call("weights", "pull", "../resnet18.a1_in1k")
    assert said.code == 1
    assert said.err == (
        "error: '../resnet18.a1_in1k' is no name of a timm model\n"
        "  fix: did you mean resnet18.a1_in1k or resnet50.a1_in1k or "
        "resnet34.a1_in1k? all names: https://huggingface.co/timm\n"
    )
    assert not hub.exists()


def help_of(name: str) -> str:
    group = click.Context(app, info_name="improve-git", terminal_width=80, **app.context_settings)
    parent = click.Context(command, info_name="weights", parent=group, terminal_width=80)
    sub = command.commands[name]
    context = click.Context(sub, info_name=name, parent=parent, terminal_width=80)
    return "\n".join(line.rstrip() for line in sub.get_help(context).splitlines())


def block(name: str) -> str:
    return f"<!-- help: weights {name} -->\n```text\n{help_of(name)}\n```\n"


@pytest.mark.parametrize("name", ["list", "pull"])
def test_the_help_of_both_is_on_the_page(name: str) -> None:
    assert block(name) in PAGE.read_text(), f"run: python {Path(__file__).name}"


def rewrite() -> None:
    text = PAGE.read_text()
    for name in command.commands:
        old = rf"<!-- help: weights {name} -->\n(```text\n.*?\n```\n)?"
        text = re.sub(old, lambda _, name=name: block(name), text, flags=re.DOTALL)
    PAGE.write_text(text)


if __name__ == "__main__":
    rewrite()
