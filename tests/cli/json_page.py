"""The keys that docs/json.md names, and those that came out."""

import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "json.md"
# What is handed on as it was found: its keys are not this program's.
AS_FOUND = {"curve", "main_curve", "figures", "record", "failures"}


def keys_on_page(command: str) -> list[str]:
    """Return the keys that a command's section names, in its order."""
    section = PAGE.read_text().partition(f"\n## {command}\n")[2].partition("\n## ")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return [key for cell in cells for key in re.findall(r"`([^`]+)`", cell)]


def keys_of(content: Any, path: str = "") -> list[str]:
    """Return the keys of what came out, each once: a list's element as ``list[].key``."""
    found: list[str] = []
    if isinstance(content, dict):
        for key, value in content.items():
            found.append(f"{path}{key}")
            if key not in AS_FOUND:
                found += keys_of(value, f"{path}{key}.")
    elif isinstance(content, list):
        for value in content:
            found += keys_of(value, path.removesuffix(".") + "[].")
    return list(dict.fromkeys(found))
