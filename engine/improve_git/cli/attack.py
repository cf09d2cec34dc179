"""improve-git doctor --attack: hostile candidates on this machine, and whether each was held."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from improve_git.cli.screen import clean, console
from improve_git.errors import SandboxError

if TYPE_CHECKING:
    from improve_git.attacks.catalogue import Attack
    from improve_git.attacks.suite import Result
    from improve_git.sandboxes.base import Sandbox
    from improve_git.settings.schema import SandboxSettings

_NAME, _SANDBOX, _OUTCOME = 33, 9, 17  # cells


def attack(words: Sequence[str], names: Sequence[str]) -> bool:
    """Run the attacks of these names, all where none is named; return whether all were held.

    ``words`` are key=value settings; without sandbox=NAME every sandbox that works here is tried.

    Raises:
        SandboxError: no sandbox can be used.
        SettingsError: a setting or an attack's name is wrong.
    """
    from improve_git.attacks.catalogue import BOXES, chosen
    from improve_git.settings.compose import compose

    settings = compose("", words).sandbox
    attacks = chosen(names)
    screen = console()
    boxes = BOXES if settings.name == "auto" else (settings.name,)
    results: list[Result] = []
    reasons = []
    for box in boxes:
        one = replace(settings, name=box, gpus="none")
        try:
            results += _attack_one(screen, one, attacks, bool(names))
        except SandboxError as error:
            if len(boxes) == 1:
                raise
            reasons.append(error.message)
            screen.print(f"{box} is left out: {clean(error.message)}", soft_wrap=True)
    if not results:
        raise SandboxError(f"there is no sandbox to attack: {'; '.join(reasons)}",
                           "see: improve-git doctor")  # fmt: skip
    return _conclude(screen, results)


def _attack_one(
    screen: Console,
    settings: "SandboxSettings",
    attacks: Sequence["Attack"],
    chosen_some: bool,
) -> list["Result"]:
    from improve_git.attacks.suite import open_suite
    from improve_git.sandboxes.select import open_sandbox

    def open_one() -> "Sandbox":  # once more: what the first said holds
        return open_sandbox(settings, lambda line: None)

    first = open_sandbox(settings, lambda line: screen.print(clean(line), soft_wrap=True))
    kind = "attack" if len(attacks) == 1 else "attacks"
    screen.print(f"{len(attacks)} {kind} on {first.name}: files as a hostile agent would write "
                 "them, each trained, judged and checked", soft_wrap=True)  # fmt: skip
    takes = "" if chosen_some else " All of them take about 10 minutes."
    screen.print(f"on a pipeline made for it in a temporary folder.{takes} Measuring its "
                 "baseline ...", soft_wrap=True)  # fmt: skip
    results = []
    with open_suite(first) as suite:
        _show(screen, "attack", "sandbox", "outcome", Text("held?", "bold"))
        for result in suite.run_all(attacks, open_one):
            _show_result(screen, result)
            results.append(result)
    return results


def _show_result(screen: Console, result: "Result") -> None:
    if result.held:
        told = Text("held", "green")
    elif result.exempt:
        told = Text(f"not held: {result.exempt}", "yellow")
    else:
        told = Text("NOT HELD", "bold red")
    _show(screen, result.attack.name, result.sandbox, result.outcome, told)
    if not result.held:
        for broken in result.broken:
            screen.print(f"  {clean(broken)}", soft_wrap=True)


def _show(screen: Console, name: str, sandbox: str, outcome: str, told: Text) -> None:
    cells = f"{name:<{_NAME}}{sandbox:<{_SANDBOX}}{outcome:<{_OUTCOME}}"
    screen.print(Text.assemble(cells, told), soft_wrap=True)


def _conclude(screen: Console, results: Sequence["Result"]) -> bool:
    broken = [result for result in results if not result.held and not result.exempt]
    exempt = sum(1 for result in results if not result.held and result.exempt)
    told = f"{len(results) - len(broken) - exempt} of {len(results)} attacks were held"
    if exempt:
        told += f", {exempt} need not be (docs/security.md says why)"
    if broken:
        names = ", ".join(f"{result.attack.name} ({result.sandbox})" for result in broken)
        told += f", NOT HELD: {names}"
    screen.print(f"\n{told}", soft_wrap=True)
    return not broken
