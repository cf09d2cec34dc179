import shutil
import sys
from pathlib import Path

import pytest
from command_line import Call
from example_trail import ExampleTrail

from improve_git import health
from improve_git.git import Repository
from improve_git.health import Check, obstacle
from improve_git.settings.schema import LlmSettings, SandboxSettings


def program(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return file


def missing(need: str) -> Check:
    return Check("a", "missing", "b", "", need)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("checks", "told"),
    [
        ([], ""),
        ([missing("")], ""),
        ([missing("process")], ""),
        ([missing("docker"), Check("a", "note", "b", "", "process")], ""),
        ([missing("docker"), missing("process")], "neither the process sandbox nor Docker can"),
        ([missing("docker"), missing("run"), missing("process")], "a: b"),
    ],
)
def test_one_sandbox_is_enough(checks: list[Check], told: str) -> None:
    assert obstacle(checks).startswith(told)
    assert bool(obstacle(checks)) == bool(told)


def test_git_is_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert health.check_git().state == "ok"
    program(tmp_path, "git", "echo git version 2.20.1")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert health.check_git() == Check(
        "Git", "missing", "git version 2.20.1 is too old", "apt install git", "run"
    )
    (tmp_path / "git").unlink()
    assert health.check_git().told == "Git is not installed"


def test_packages_are_imported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = program(tmp_path, "python", "echo 'RuntimeError: no operator nms' >&2; exit 1")
    monkeypatch.setattr(sys, "executable", str(broken))
    assert health.check_packages() == Check(
        "torch",
        "missing",
        "RuntimeError: no operator nms",
        f"{broken} -m pip install torch torchvision timm safetensors",
        "process",
    )
    program(tmp_path, "python", "echo 2.15.0")
    assert health.check_packages().told == "2.15.0, with torchvision, timm, safetensors"


def test_an_engine_that_does_not_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    engine, image = health.check_docker(SandboxSettings())
    assert image is None
    assert (engine.state, engine.need) == ("missing", "docker")
    assert engine.told.startswith("no Docker engine answers")
    assert engine.fix in ("systemctl start docker", "apt install docker.io")


@pytest.mark.docker
def test_an_engine_without_the_image() -> None:
    engine, image = health.check_docker(SandboxSettings(base_image="improve-git/none:1"))
    assert engine.state == "ok"
    assert image
    assert (image.state, image.fix) == ("note", "improve-git run sandbox=docker")


def test_gpus_are_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert health.check_gpu().state == "note"
    program(tmp_path, "nvidia-smi", "echo 'GPU 0: NVIDIA H100 (UUID: GPU-1)'")
    assert health.check_gpu() == Check("GPU", "ok", "GPU 0: NVIDIA H100")
    program(tmp_path, "nvidia-smi", "echo 'driver mismatch'; exit 18")
    assert health.check_gpu() == Check("GPU", "missing", "the driver finds none", "nvidia-smi")


def test_weights_are_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    found = health.check_weights()
    assert (found.state, found.need) == ("note", "")
    for name in ("a", "b", "c", "d"):
        model = tmp_path / f"models--timm--{name}"
        (model / "refs").mkdir(parents=True)
        (model / "refs" / "main").write_text("1")
        (model / "snapshots" / "1").mkdir(parents=True)
        (model / "snapshots" / "1" / "model.safetensors").touch()
    assert health.check_weights() == Check("weights", "ok", "a, b, c and 1 more")


def test_disk_and_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for free, image, state in [(1, False, "missing"), (9, False, "ok"), (9, True, "note")]:
        usage = shutil._ntuple_diskusage(2**40, 0, free * 2**30)  # type: ignore[attr-defined]
        monkeypatch.setattr(shutil, "disk_usage", lambda _, usage=usage: usage)
        found = health.check_disk(tmp_path / "not" / "there", image)
        assert found.state == state
        assert found.told.startswith(f"{free}.0 GiB free at {tmp_path}")
    assert health.check_memory(SandboxSettings(memory="1m")).state == "ok"
    found = health.check_memory(SandboxSettings(memory="900t"))
    assert found.state == "note"
    assert found.fix.startswith("improve-git run sandbox.memory=")


def states(folder: Path) -> dict[str, str]:
    return {check.name: check.state for check in health.check_pipeline(folder)}


def test_a_pipeline_whose_images_are_gone(example: ExampleTrail, tmp_path: Path) -> None:
    assert states(tmp_path) == {"pipeline": "missing"}
    assert states(example.repo.folder) == {
        "pipeline": "ok",
        "settings": "ok",
        "agents": "ok",
        "images": "missing",
        "packs": "note",
        "records": "ok",
    }
    example.commit_by_user({"improve.yaml": "metric: acuracy\n"})
    assert states(example.repo.folder) == {"pipeline": "ok", "settings": "missing"}
    settings = list(health.check_pipeline(example.repo.folder))[-1]
    assert settings.fix.endswith(f"git -C {example.repo.folder} commit improve.yaml")


def test_a_clone_without_notes(example: ExampleTrail, tmp_path: Path) -> None:
    clone = tmp_path / "a clone"
    example.repo.git("clone", "-q", str(example.repo.folder), str(clone))
    found = list(health.check_pipeline(clone))[-1]
    assert (found.state, found.told) == ("note", "6 of 6 are not in this clone")
    command = found.fix.replace("'", "").replace(str(clone), "X").split()
    assert command[:3] == ["git", "-C", "X"]
    Repository(clone).git(*command[3:])
    assert list(health.check_pipeline(clone))[-1] == Check("records", "ok", "6 at hand")


@pytest.mark.torch
def test_doctor_names_what_is_missing(
    example: ExampleTrail, call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    said = call("doctor", "-C", example.repo.folder)
    lines = said.out.splitlines()
    assert [line for line in lines if line.startswith("missing  images")]
    assert lines[-1] == "no run is possible: images: there are no images at '/photos/pets'"
    assert said.code == 1
    monkeypatch.chdir(tmp_path)
    said = call("doctor")
    assert "pipeline" not in said.out
    assert said.out.splitlines()[-1] == "a run is possible"
    assert said.code == 0


def test_agents_are_checked_without_asking_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert health.check_agents(LlmSettings()) == Check("agents", "ok", "the playbook, offline")
    assert health.check_agents(LlmSettings("inbox")).told == "llm=inbox"
    found = health.check_agents(LlmSettings("openai", model="gpt-x"))
    assert (found.state, found.need) == ("missing", "run")
    assert "OPENAI_API_KEY" in found.told
    assert found.fix
    monkeypatch.setenv("OPENAI_API_KEY", "sk-for-the-test")
    found = health.check_agents(LlmSettings("openai", model="gpt-x"))
    assert found == Check("agents", "ok", "llm=openai: gpt-x")
