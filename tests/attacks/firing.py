"""What the tests of attacks on real sandboxes share."""

import os
from collections.abc import Callable, Iterator

import pytest

from improve_git.attacks.catalogue import Attack, load_catalogue
from improve_git.attacks.suite import Suite, open_suite
from improve_git.sandboxes.base import Sandbox

BASE_IMAGE = "improve-git-base:bookworm"
# Two files share the catalogue, since a file's tests run on one worker.
ATTACKS = load_catalogue()
SHARES = (ATTACKS[0::2], ATTACKS[1::2])


def open_docker() -> Sandbox:
    import docker
    from docker.errors import ImageNotFound

    from improve_git.sandboxes.docker import DockerSandbox

    base = os.environ.get("IMPROVE_GIT_BASE_IMAGE", BASE_IMAGE)
    try:
        docker.from_env().images.get(base)
    except ImageNotFound:
        reason = f"there is no base image {base}: run .ci/docker-engine"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason}; in CI the Docker tests must run", pytrace=False)
        pytest.skip(reason)
    return DockerSandbox(base, "none", print)


def open_process() -> Sandbox:
    from improve_git.sandboxes.process import ProcessSandbox

    sandbox = ProcessSandbox("none")
    if sandbox.why_unisolated:
        pytest.skip(f"no isolation here: {sandbox.why_unisolated}")
    return sandbox


def firing_range(opener: Callable[[], Sandbox]) -> Iterator[tuple[Suite, Sandbox]]:
    """Give a suite and its sandbox, for a fixture."""
    sandbox = opener()
    with open_suite(sandbox) as suite:
        yield suite, sandbox


def fire(attack: Attack, suite: Suite, sandbox: Sandbox) -> None:
    """Run an attack and assert that it is held."""
    result = suite.run(attack, sandbox)
    assert result.exempt or result.broken == (), result


def by_name(attack: Attack) -> str:
    return attack.name
