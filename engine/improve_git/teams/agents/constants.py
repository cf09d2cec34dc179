"""Which settings a rewrite changed: the constants at the top of the three files."""

import ast

from improve_git.messages import one_line

MOST_CHANGES = 8
MOST_VALUE = 40  # characters


def changed_constants(before: str, after: str) -> str:
    """Return the constants that differ, in one line: ``SIDE 96 -> 160, BATCH 32 -> 16, FLIP new``.

    "" where none differs, or where a source cannot be read.
    """
    old, new = _constants(before), _constants(after)
    if old is None or new is None:
        return ""
    told = [
        *(f"{name} {old[name]} -> {new[name]}" for name in new if old.get(name, "") != new[name]
          and name in old),
        *(f"{name} {new[name]} (new)" for name in new if name not in old),
        *(f"{name} (gone)" for name in old if name not in new),
    ]  # fmt: skip
    more = f" and {len(told) - MOST_CHANGES} more" if len(told) > MOST_CHANGES else ""
    return ", ".join(told[:MOST_CHANGES]) + more


def _constants(source: str) -> dict[str, str] | None:
    """Return what is assigned to names in capitals at the top level, as text."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    found: dict[str, str] = {}
    for node in body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        for target in targets:
            if isinstance(target, ast.Name) and target.id.isupper() and value is not None:
                found[target.id] = one_line(ast.unparse(value), MOST_VALUE)
    return found
