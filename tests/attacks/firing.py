"""What the tests of attacks on real sandboxes share."""

from collections.abc import Callable, Iterator

from improve_git.attacks.catalogue import Attack, load_catalogue
from improve_git.attacks.suite import Suite, open_suite
from improve_git.sandboxes.base import Sandbox

# Two files share the catalogue, since a file's tests run on one worker.
ATTACKS = load_catalogue()
SHARES = (ATTACKS[0::2], ATTACKS[1::2])


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
