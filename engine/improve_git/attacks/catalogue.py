"""The catalogue of attacks, read from the data folder ``attacks/``.

A candidate is a file ``candidates/NAME.COMPONENT.py`` whose docstring says what it tries. A reply
is what a language model would say: ``replies/NAME.ROLE.md``, where a role whose file is missing
gives the harmless reply ``replies/harmless.ROLE.md``.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from improve_git.domain import FILES, Component
from improve_git.errors import SettingsError
from improve_git.files import shipped

BOXES = ("docker", "process")
SCORED = "scored"  # the outcome of a trial that came to a score, whatever that was
_ROLES = ("analyst", "engineer")

Kind = Literal["candidate", "reply"]


@dataclass(frozen=True)
class Attack:
    """One attack, and what must come of it."""

    name: str
    group: str  # what it is after
    tries: str  # in one or two sentences
    kind: Kind
    component: Component
    texts: dict[str, str]  # "candidate" -> source, or the role -> its reply
    outcomes: dict[str, tuple[str, ...]]  # sandbox -> the outcomes that it may have
    exempt: dict[str, str] = field(default_factory=dict)  # sandbox -> why it need not hold there


def load_catalogue() -> tuple[Attack, ...]:
    """Return all attacks in the catalogue's order."""
    import yaml

    folder = shipped("attacks")
    groups = yaml.safe_load((folder / "catalogue.yaml").read_text())
    return tuple(
        _attack(folder, group, name, entry)
        for group, entries in groups.items()
        for name, entry in entries.items()
    )


def chosen(names: Sequence[str]) -> tuple[Attack, ...]:
    """Return the attacks of these names, all where none is named.

    Raises:
        SettingsError: there is no attack of a name.
    """
    known = {attack.name: attack for attack in load_catalogue()}
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, 3, 0.4) or sorted(known)[:3]
            raise SettingsError(
                f"no attack is named {name}",
                f"name one of those in docs/security.md, for instance {', '.join(near)}",
            )
    return tuple(known[name] for name in names) if names else tuple(known.values())


def pipeline_files() -> dict[str, str]:
    """Return the three files of the honest pipeline that all attacks start from."""
    folder = shipped("attacks") / "pipeline"
    return {name: (folder / name).read_text() for name in FILES.values()}


def _attack(folder: Path, group: str, name: str, entry: Any) -> Attack:
    about = entry if isinstance(entry, dict) else {"outcome": entry}
    outcomes = _outcomes(about["outcome"])
    exempt = about.get("exempt", {})
    files = sorted((folder / "candidates").glob(f"{name}.*.py"))
    if files:
        (file,) = files
        component = cast(Component, file.name.removesuffix(".py").rpartition(".")[2])
        source = file.read_text(encoding="utf-8")
        tries = about.get("tries") or _docstring(source)
        texts = {"candidate": source}
        return Attack(name, group, tries, "candidate", component, texts, outcomes, exempt)
    texts = {role: _reply(folder / "replies", name, role) for role in _ROLES}
    return Attack(name, group, about["tries"], "reply", "train", texts, outcomes, exempt)


def _outcomes(told: Any) -> dict[str, tuple[str, ...]]:
    each: Mapping[str, Any] = told if isinstance(told, dict) else dict.fromkeys(BOXES, told)
    return {box: (word,) if isinstance(word, str) else tuple(word) for box, word in each.items()}


def _docstring(source: str) -> str:
    # Not by the syntax tree: some of these files are no Python.
    return " ".join(source.split('"""')[1].split())


def _reply(folder: Path, name: str, role: str) -> str:
    own = folder / f"{name}.{role}.md"
    return (own if own.exists() else folder / f"harmless.{role}.md").read_text(encoding="utf-8")
