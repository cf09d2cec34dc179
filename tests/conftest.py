"""What all tests share: a pinned environment, and Docker tests that never skip unnoticed."""

import functools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from real_sandboxes import skip_docker

# Before any test imports torch or starts Git: one thread each, no settings of the user's, and
# the same commits on every machine.
for name in [name for name in os.environ if name.startswith("GIT_")]:
    del os.environ[name]
os.environ |= {
    "OMP_NUM_THREADS": "1",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "Test User",
    "GIT_AUTHOR_EMAIL": "user@example.invalid",
    "GIT_AUTHOR_DATE": "2024-01-02T03:04:05+00:00",
    "GIT_COMMITTER_NAME": "Test User",
    "GIT_COMMITTER_EMAIL": "user@example.invalid",
    "GIT_COMMITTER_DATE": "2024-01-02T03:04:05+00:00",
}


@functools.cache
def no_docker() -> str:
    """Return why no Docker engine can be used; empty where one answers."""
    import docker
    from docker.errors import DockerException

    try:
        client = docker.from_env(timeout=10)
        try:
            client.ping()
        finally:
            client.close()
    except DockerException as error:
        return f"no Docker engine answers: {str(error).splitlines()[0]}"
    return ""


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("docker") and (reason := no_docker()):
        skip_docker(reason)


# What tests of a whole pipeline share; imported late, for they import NumPy and Git.


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return two classes of 100 tiny images each; not to be changed."""
    from worlds import make_photos

    return make_photos(tmp_path_factory.mktemp("data") / "photos")


@pytest.fixture(scope="module")
def clock() -> Iterator[None]:
    """Give each commit of the module's tests the second after the one before."""
    from worlds import ticking_clock

    with ticking_clock():
        yield
