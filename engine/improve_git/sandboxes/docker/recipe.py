"""What the Docker sandbox's images are made of, and their tags: hashes over all that goes in."""

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from improve_git.errors import SandboxError
from improve_git.files import shipped

BASE_VARIABLE = "IMPROVE_GIT_BASE_IMAGE"
_REPOSITORY = "improve-git-sandbox"
_EXPORT_REPOSITORY = "improve-git-export"
# Settings of pip that matter for reaching packages; those that name local paths are left behind.
_PIP_KEYS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "default-timeout")
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True)
class Recipe:
    """One image: its name, and what to build it from."""

    base: str
    tag: str
    inputs: tuple[tuple[str, Path], ...]  # name in the build -> file

    def arguments(self) -> dict[str, str]:
        """Return the build arguments. Builders know proxies and keep them out of the history."""
        proxies = {name: os.environ[name] for name in _PROXIES if os.environ.get(name)}
        return {"BASE_IMAGE": self.base} | proxies

    def context(self) -> io.BytesIO:
        """Return the build's files as a tar archive."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for name, path in self.inputs:
                _add(tar, name, path.read_bytes())
            for name, data in _host_files().items():
                _add(tar, f"host/{name}", data)
        buffer.seek(0)
        return buffer


def recipe(base_image: str | None) -> Recipe:
    """Return the recipe on a base image: as named, by the environment, or the Dockerfile's own."""
    base = base_image or os.environ.get(BASE_VARIABLE) or _default_base()
    inputs = _inputs()
    return Recipe(base, f"{_REPOSITORY}:{_content_hash(base, inputs)}", inputs)


def export_recipe(training: Recipe) -> Recipe:
    """Return the recipe of what ONNX is written in: a layer on the image of the trainings."""
    folder = shipped("sandbox")
    inputs = (
        ("Dockerfile", folder / "exporter" / "Dockerfile"),
        ("requirements.txt", folder / "requirements.txt"),
        ("exporter-requirements.txt", folder / "exporter" / "requirements.txt"),
    )
    tag = f"{_EXPORT_REPOSITORY}:{_content_hash(training.tag, inputs)}"
    return Recipe(training.tag, tag, inputs)


def without_credentials(text: str) -> str:
    """Take user names and passwords out of the addresses in a text."""
    return re.sub(r"//[^/@\s]+@", "//", text)


def _content_hash(base: str, inputs: Iterable[tuple[str, Path]]) -> str:
    """Return 16 hex digits over the base image's name and all that is built on it."""
    digest = hashlib.sha256(base.encode())
    for name, path in inputs:
        data = path.read_bytes()
        digest.update(f"\0{name}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()[:16]


def _inputs() -> tuple[tuple[str, Path], ...]:
    folder = shipped("sandbox")
    own = [folder / name for name in ("Dockerfile", "requirements.txt")]
    files = [*own, *sorted((folder / "harness").rglob("*.py"))]
    return tuple((path.relative_to(folder).as_posix(), path) for path in files)


def _default_base() -> str:
    dockerfile = shipped("sandbox") / "Dockerfile"
    found = re.search(r"^ARG BASE_IMAGE=(\S+)", dockerfile.read_text(), re.MULTILINE)
    if not found:
        raise SandboxError("sandbox/Dockerfile names no base image")
    return found[1]


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    entry.mode = 0o644
    tar.addfile(entry, io.BytesIO(data))


def _host_files() -> dict[str, bytes]:
    """Return pip.conf and the certificates with which this machine reaches its packages."""
    settings = _pip_settings()
    files = {}
    named = (settings.pop("cert", ""), os.environ.get("SSL_CERT_FILE", ""), _CERTIFICATES)
    for certificates in named:
        if certificates and Path(certificates).is_file():
            files["ca-certificates.crt"] = Path(certificates).read_bytes()
            settings["cert"] = "/build/host/ca-certificates.crt"
            break
    lines = [f"{key} = {value}" for key, value in settings.items()]
    files["pip.conf"] = "\n".join(["[global]", *lines, ""]).encode()
    return files


def _pip_settings() -> dict[str, str]:
    """Ask pip what is set, in its files and in the environment; nothing where there is no pip."""
    own = [sys.executable, "-m", "pip"]
    for pip in (own, ["pip"], ["pip3"]):
        if pip is not own and shutil.which(pip[0]) is None:
            continue
        listed = subprocess.run(
            [*pip, "config", "list"], capture_output=True, text=True, check=False
        )
        if listed.returncode == 0:
            break
    else:
        return {}
    settings: dict[str, str] = {}
    for key, value in re.findall(r"^[^.\n=]+\.([\w-]+)='(.*)'$", listed.stdout, re.MULTILINE):
        reachable = [word for word in value.split() if not word.startswith(("file:", "/"))]
        if key == "cert":
            settings["cert"] = value
        elif key in _PIP_KEYS and reachable:
            settings[key.removeprefix("default-")] = " ".join(reachable)
    return settings
