"""The sandbox's image on the engine: whether it is there, and its building."""

from collections.abc import Callable

import docker
import requests
from docker.errors import DockerException, ImageNotFound

from improve_git.errors import SandboxError
from improve_git.sandboxes.docker.recipe import BASE_VARIABLE, Recipe, recipe, without_credentials
from improve_git.sandboxes.frames import one_line

# What the client raises where the engine stops answering in the middle of a call.
ENGINE_ERRORS = (DockerException, requests.RequestException, OSError)


def ensure_image(
    client: docker.DockerClient, wanted: Recipe, on_line: Callable[[str], None]
) -> str:
    """Return the id of an image, building it on first use: a tag could be moved meanwhile."""
    try:
        return str(client.images.get(wanted.tag).id)
    except ImageNotFound:
        on_line(f"building the sandbox's image {wanted.tag} on {wanted.base}: minutes, once")
    try:
        _build(client, wanted, on_line)
        return str(client.images.get(wanted.tag).id)
    except ENGINE_ERRORS as error:
        raise SandboxError(
            f"the sandbox's image cannot be built on {wanted.base}: {one_line(str(error), 300)}",
            f"name another base image by sandbox.base_image or {BASE_VARIABLE}",
        ) from error


def _build(client: docker.DockerClient, wanted: Recipe, on_line: Callable[[str], None]) -> None:
    lines = client.api.build(
        fileobj=wanted.context(),
        custom_context=True,
        tag=wanted.tag,
        buildargs=wanted.arguments(),
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
                on_line(one_line(without_credentials(text), 160))


def look(base_image: str | None) -> tuple[str, str, bool]:
    """Return the engine's version, the image's tag and whether it is there; builds nothing.

    Raises SandboxError where no engine answers.
    """
    tag = recipe(base_image).tag
    try:
        client = docker.from_env(timeout=10)
        try:
            version = str(client.version().get("Version", "unknown"))
            return version, tag, bool(client.images.list(name=tag))
        finally:
            client.close()
    except ENGINE_ERRORS as error:
        why = one_line(str(error), 120)
        fix = "start it: systemctl start docker; or do without: sandbox=process"
        raise SandboxError(f"no Docker engine answers ({why})", fix) from error
