"""The catalogue is whole, and docs/security.md tells all of it.

Run as a program, this file writes the table of attacks into docs/security.md anew.
"""

import re
from pathlib import Path
from typing import get_args

import pytest

from improve_git import contract
from improve_git.attacks.catalogue import (
    BOXES,
    SCORED,
    Attack,
    chosen,
    load_catalogue,
    pipeline_files,
)
from improve_git.domain import Status
from improve_git.errors import SettingsError
from improve_git.files import shipped

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
ATTACKS = load_catalogue()


def test_there_are_many_attacks_and_each_says_what_it_tries() -> None:
    assert len(ATTACKS) >= 40
    assert sum(attack.kind == "candidate" for attack in ATTACKS) >= 40
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)
    for attack in ATTACKS:
        assert attack.tries.endswith("."), attack.name
        assert len(attack.tries) < 200, attack.name


def test_every_outcome_is_one_that_there_is() -> None:
    words = {SCORED, *get_args(Status)} - {"ok", "sandbox-error"}
    for attack in ATTACKS:
        assert set(attack.outcomes) == set(BOXES), attack.name
        assert {word for told in attack.outcomes.values() for word in told} <= words, attack.name
        assert set(attack.exempt) <= set(BOXES)


def test_every_file_belongs_to_an_attack() -> None:
    names = {attack.name for attack in ATTACKS} | {"harmless"}
    files = [*(shipped("attacks") / "candidates").iterdir(),
             *(shipped("attacks") / "replies").iterdir()]  # fmt: skip
    assert {file.name.split(".")[0] for file in files if file.is_file()} == names


def test_what_is_invalid_is_so_before_or_when_it_runs() -> None:
    files = pipeline_files()
    assert contract.check(files) == []
    for attack in ATTACKS:
        if attack.kind == "candidate":
            name = f"{attack.component}.py"
            breaches = contract.check(files | {name: attack.texts["candidate"]})
            assert not breaches or attack.outcomes["docker"] == ("invalid",), attack.name


def test_attacks_are_chosen_by_name() -> None:
    assert [attack.name for attack in chosen(["fork_bomb"])] == ["fork_bomb"]
    assert chosen([]) == ATTACKS
    with pytest.raises(SettingsError, match="no attack is named nothing"):
        chosen(["nothing"])


def row(attack: Attack) -> str:
    told = {box: " or ".join(f"`{word}`" for word in attack.outcomes[box]) for box in BOXES}
    for box, why in attack.exempt.items():
        told[box] += f", may fail: {why}"
    both = told["docker"] if len(set(told.values())) == 1 else (
        "; ".join(f"{box}: {text}" for box, text in told.items())
    )  # fmt: skip
    return f"| `{attack.name}` | {attack.tries} | {both} |"


def table() -> str:
    lines = []
    for group in dict.fromkeys(attack.group for attack in ATTACKS):
        lines += ["", f"### {group}", "", "| attack | tries | must end as |", "| --- | --- | --- |"]
        lines += [row(attack) for attack in ATTACKS if attack.group == group]
    return "\n".join(lines) + "\n"


def block() -> str:
    return f"<!-- attacks -->\n{table()}\n<!-- end of attacks -->"


def test_the_page_tells_every_attack() -> None:
    assert block() in PAGE.read_text(), f"run: python {Path(__file__).name}"


if __name__ == "__main__":
    old = r"<!-- attacks -->.*?<!-- end of attacks -->"
    PAGE.write_text(re.sub(old, lambda _: block(), PAGE.read_text(), flags=re.DOTALL))
