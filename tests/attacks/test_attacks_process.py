"""A few attacks on the process sandbox, on the way to the whole: ``make attack``."""

import subprocess
from collections.abc import Iterator

import pytest
from firing import by_name, fire, firing_range

from improve_git.attacks.catalogue import Attack, chosen
from improve_git.attacks.suite import Suite
from improve_git.sandboxes.base import Sandbox
from real_sandboxes import open_process

QUICK = (
    "forge_a_result",
    "predict_too_few",
    "find_labels_while_predicting",
    "read_the_environment",
    "remount",
    "leave_something_behind",
    "look_alikes",
    "gitattributes",
    "path_into_git",
)


@pytest.fixture(scope="module")
def target() -> Iterator[tuple[Suite, Sandbox]]:
    yield from firing_range(open_process)


@pytest.mark.parametrize("attack", chosen(QUICK), ids=by_name)
def test_held(attack: Attack, target: tuple[Suite, Sandbox]) -> None:
    fire(attack, *target)


def test_without_isolation_an_attack_is_seen_to_get_through(
    target: tuple[Suite, Sandbox],
) -> None:
    from improve_git.sandboxes.process import ProcessSandbox

    suite, _ = target
    (attack,) = chosen(["read_the_environment"])
    # As any Git command of the engine's does, it has the engine's environment.
    with subprocess.Popen(["sleep", "600"]) as child:
        result = suite.run(attack, ProcessSandbox("none", isolate=False))
        child.kill()
    assert not result.held
    told = "\n".join(result.broken)
    assert "the host's secret is in .git/objects/" in told
    assert "it says that it got through: read IMPROVE_GIT_CANARY_API_KEY=" in told
