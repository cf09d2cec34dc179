"""The second half of the catalogue, each attack on the Docker sandbox."""

from collections.abc import Iterator

import pytest
from firing import SHARES, by_name, fire, firing_range

from improve_git.attacks.catalogue import Attack
from improve_git.attacks.suite import Suite
from improve_git.sandboxes.base import Sandbox
from real_sandboxes import open_docker


@pytest.fixture(scope="module")
def target() -> Iterator[tuple[Suite, Sandbox]]:
    yield from firing_range(open_docker)


@pytest.mark.docker
@pytest.mark.parametrize("attack", SHARES[1], ids=by_name)
def test_held(attack: Attack, target: tuple[Suite, Sandbox]) -> None:
    fire(attack, *target)
