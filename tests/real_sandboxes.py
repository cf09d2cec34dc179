"""The real sandboxes of this machine; where one cannot be had, the test skips with the reason."""

import os
from typing import NoReturn

import pytest

from improve_git.sandboxes.base import Sandbox

BASE_IMAGE = os.environ.get("IMPROVE_GIT_BASE_IMAGE", "improve-git-base:bookworm")


def skip_docker(reason: str) -> NoReturn:
    """Skip a test that needs Docker; in CI, where none may skip unnoticed, fail it."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}; in CI the Docker tests must run", pytrace=False)
    pytest.skip(reason)


def require_base_image() -> None:
    import docker
    from docker.errors import ImageNotFound

    client = docker.from_env()
    try:
        client.images.get(BASE_IMAGE)
    except ImageNotFound:
        skip_docker(f"there is no base image {BASE_IMAGE}: run .ci/docker-engine")
    finally:
        client.close()


def open_docker() -> Sandbox:
    from improve_git.sandboxes.docker import DockerSandbox

    require_base_image()
    return DockerSandbox(BASE_IMAGE, "none", print)


def open_process() -> Sandbox:
    from improve_git.sandboxes.process import ProcessSandbox

    sandbox = ProcessSandbox("none")
    if sandbox.why_unisolated:
        pytest.skip(f"no isolation here: {sandbox.why_unisolated}")
    return sandbox
