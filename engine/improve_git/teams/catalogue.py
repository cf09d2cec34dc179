"""The playbook's catalogue as playbook.yaml has it: settings, their defaults, knobs, recipes."""

from functools import cache
from typing import Any

from improve_git.domain import Component
from improve_git.files import shipped

Settings = dict[str, Any]


@cache
def catalogue() -> dict[str, Any]:
    """Return the content of playbook.yaml."""
    import yaml

    content = yaml.safe_load((shipped("component_templates") / "playbook.yaml").read_text())
    if not isinstance(content, dict):
        raise TypeError("playbook.yaml holds no mapping")
    return content


def defaults(component: Component) -> Settings:
    """Return the value of every setting of a component that leaves it out of the file."""
    return {name: frozen(value) for name, value in catalogue()["defaults"][component].items()}


def frozen(value: Any) -> Any:
    """Return a value of the catalogue as a file's constant has it: a list as a tuple."""
    return tuple(value) if isinstance(value, list) else value
