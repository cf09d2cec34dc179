"""Builds the Docker sandbox's image from sandbox/, tagged by the content of what it is made of."""

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
from docker.errors import DockerException, ImageNotFound

from improve_git.errors import SandboxError
from improve_git.files import shipped
from improve_git.sandboxes.frames import one_line

BASE_VARIABLE = "IMPROVE_GIT_BASE_IMAGE"
_REPOSITORY = "improve-git-sandbox"
_LABEL = "improve-git-image"
# Settings of pip that matter for reaching packages; those that name local paths are left behind.
_PIP_KEYS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "default-timeout")
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


def ensure_image(
    client: docker.DockerClient, base_image: str | None, on_line: Callable[[str], None]
) -> tuple[str, str]:
    """Return tag and id of the sandbox's image, building it on first use.

    Raises SandboxError where it cannot be built.
    """
    base = base_image or os.environ.get(BASE_VARIABLE) or _default_base()
    tag = f"{_REPOSITORY}:{content_hash(base)}"
    try:
        return tag, str(client.images.get(tag).id)
    except ImageNotFound:
        on_line(f"building the sandbox's image {tag} on {base}: minutes, once")
    try:
        _build(client, tag, base, on_line)
        return tag, str(client.images.get(tag).id)
    except DockerException as error:
        raise SandboxError(
            f"the sandbox's image cannot be built on {base}: {one_line(str(error), 300)}",
            f"name another base image by sandbox.base_image or {BASE_VARIABLE}",
        ) from error


def content_hash(base: str) -> str:
    """Return 16 hex digits over the base image's name and all that is built on it."""
    digest = hashlib.sha256(base.encode())
    for name, path in _inputs():
        data = path.read_bytes()
        digest.update(f"\0{name}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()[:16]


def _inputs() -> Iterator[tuple[str, Path]]:
    folder = shipped("sandbox")
    yield from ((name, folder / name) for name in ("Dockerfile", "requirements.txt"))
    for path in sorted((folder / "harness").rglob("*.py")):
        yield path.relative_to(folder).as_posix(), path


def _default_base() -> str:
    found = re.search(r"^ARG BASE_IMAGE=(\S+)", _dockerfile(), re.MULTILINE)
    if not found:
        raise SandboxError("sandbox/Dockerfile names no base image")
    return found[1]


def _dockerfile() -> str:
    return (shipped("sandbox") / "Dockerfile").read_text()


def _build(
    client: docker.DockerClient, tag: str, base: str, on_line: Callable[[str], None]
) -> None:
    proxies = {name: os.environ[name] for name in _PROXIES if os.environ.get(name)}
    lines = client.api.build(
        fileobj=_context(),
        custom_context=True,
        tag=tag,
        # Proxies are known to the builder: they are not kept in the image's history.
        buildargs={"BASE_IMAGE": base} | proxies,
        labels={_LABEL: tag},
        network_mode="host",
        rm=True,
        forcerm=True,
        decode=True,
    )
    for line in lines:
        if "error" in line:
            raise DockerException(line["error"])
        for text in str(line.get("stream", "")).splitlines():
            if text.strip() and not text.startswith(" --->"):
                on_line(one_line(_without_credentials(text), 160))


def _without_credentials(text: str) -> str:
    return re.sub(r"//[^/@\s]+@", "//", text)


def _context() -> io.BytesIO:
    """Return the build's files as a tar archive, the same bytes for the same content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, path in _inputs():
            _add(tar, name, path.read_bytes())
        for name, data in _host_files().items():
            _add(tar, f"host/{name}", data)
    buffer.seek(0)
    return buffer


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
