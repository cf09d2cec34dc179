import shutil
import tarfile
from pathlib import Path

import pytest

from improve_git.sandboxes.docker import recipe as recipes
from improve_git.sandboxes.docker.recipe import export_recipe, recipe, without_credentials

ROOT = Path(__file__).parents[2]


@pytest.fixture
def inputs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    copy = tmp_path / "sandbox"
    shutil.copytree(ROOT / "sandbox", copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(recipes, "shipped", lambda _name: copy)
    return copy


def test_the_tag_follows_the_content_of_all_inputs(
    inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("IMPROVE_GIT_BASE_IMAGE", raising=False)
    tags = [recipe(None).tag, recipe("other:1").tag]
    for name in ("Dockerfile", "requirements.txt", "harness/train.py"):
        with (inputs / name).open("a") as file:
            file.write("# changed\n")
        tags.append(recipe(None).tag)
    assert len(set(tags)) == len(tags)
    assert recipe(None) == recipe(None)


def test_what_only_exporting_takes_makes_no_other_image_to_train_in(inputs: Path) -> None:
    training = recipe("mine:1")
    tags = [export_recipe(training).tag, export_recipe(recipe("mine:2")).tag]
    for name in ("Dockerfile", "requirements.txt"):
        with (inputs / "exporter" / name).open("a") as file:
            file.write("# changed\n")
        tags.append(export_recipe(training).tag)
    assert recipe("mine:1") == training
    assert len(set(tags)) == len(tags)
    exporting = export_recipe(training)
    assert exporting.arguments()["BASE_IMAGE"] == training.tag
    with tarfile.open(fileobj=exporting.context()) as tar:
        names = set(tar.getnames())
    assert {"Dockerfile", "requirements.txt", "exporter-requirements.txt"} <= names


def test_the_base_is_the_setting_s_the_environment_s_or_the_dockerfile_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("IMPROVE_GIT_BASE_IMAGE", raising=False)
    assert recipe(None).base.startswith("python:3")
    monkeypatch.setenv("IMPROVE_GIT_BASE_IMAGE", "mine:2")
    assert recipe(None).base == "mine:2"
    assert recipe("yours:3").base == "yours:3"


def test_pip_settings_go_into_the_build_without_local_paths(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    certificates = tmp_path / "ca.crt"
    certificates.write_text("certificates")
    settings = tmp_path / "pip.conf"
    settings.write_text(
        "[global]\nindex-url = https://me:word@index.invalid/simple\n"
        f"extra-index-url = file:///wheels\nfind-links = /wheels\ncert = {certificates}\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
    for name in ("PIP_CERT", "PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    with tarfile.open(fileobj=recipe("base:1").context()) as tar:
        files = {
            entry.name: tar.extractfile(entry).read().decode()  # type: ignore[union-attr]
            for entry in tar.getmembers()
        }
    lines = files["host/pip.conf"].splitlines()
    assert lines[0] == "[global]"
    assert "index-url = https://me:word@index.invalid/simple" in lines
    assert "cert = /build/host/ca-certificates.crt" in lines
    assert not [line for line in lines if "wheels" in line]
    assert files["host/ca-certificates.crt"] == "certificates"
    assert {"Dockerfile", "requirements.txt", "harness/__main__.py"} <= set(files)


def test_progress_lines_hold_no_password() -> None:
    line = "Looking in indexes: https://me:word@index.invalid/simple, http://b/"
    assert without_credentials(line) == (
        "Looking in indexes: https://index.invalid/simple, http://b/"
    )
