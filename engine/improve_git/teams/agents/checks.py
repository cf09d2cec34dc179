"""Whether what an agent replied can be used: the rules that prompts only tell are enforced here."""

import math
import re
from typing import Any

from improve_git.contract import check, same_code
from improve_git.domain import FILES, UNASSIGNED, Assignment, Component, Context
from improve_git.messages import one_line, slug_of
from improve_git.teams.agents.lessons import barred
from improve_git.teams.agents.replies import Unusable, read_json
from improve_git.teams.agents.rounding import Scale

MECHANISMS = (
    "augmentation",
    "resolution",
    "sampling",
    "normalisation",
    "backbone",
    "head",
    "architecture",
    "regularisation",
    "optimiser",
    "schedule",
    "loss",
    "averaging",
    "test-time",
    "batch",
    "freezing",
    "other",
)
MAX_INSTRUCTION = 4_000  # characters
MOST_BREACHES = 6  # that are told at once


def check_contract(files: dict[str, str], *names: str) -> None:
    """Raise Unusable where one of the named files breaks the contract."""
    breaches = [breach for breach in check(files) if breach.startswith(names)]
    if breaches:
        told = "; ".join(one_line(breach, 200) for breach in breaches[:MOST_BREACHES])
        raise Unusable(f"breaks the contract: {told}")


def check_new(source: str, component: Component, context: Context, failed: str = "") -> None:
    """Raise Unusable unless a file keeps the contract and is a change that was not tried before.

    Args:
        source: the file's new content.
        component: whose file it is.
        context: what main holds and what was tried on it.
        failed: the content that is being repaired; "": none is.
    """
    name = FILES[component]
    check_contract({**context.files, name: source}, name)
    if failed and same_code(source, failed):
        raise Unusable(f"the same code as the {name} that failed: it has to be repaired")
    # A baseline that fails is main itself, so what is repaired there may differ from it alone.
    if name in context.files and same_code(source, context.files[name]):
        raise Unusable(f"the same code as main's {name}: nothing is changed")
    for number, tried in context.tried.items():
        if same_code(source, tried):
            raise Unusable(f"the same code as attempt {number:04d}, which was tried and not merged")


def assignment_schema(context: Context) -> dict[str, Any]:
    """Return the JSON schema of the analyst's answer."""
    properties = {
        "diagnosis": {"type": "string", "description": "what limits the score now, and the sign"},
        "component": {"type": "string", "enum": list(context.components)},
        "mechanism": {"type": "string", "enum": list(MECHANISMS)},
        "title": {"type": "string", "description": "the change in 2 to 5 words"},
        "hypothesis": {"type": "string", "description": "one sentence: why this should help here"},
        "instruction": {"type": "string", "description": "what the engineer is to do, concretely"},
        "expected_gain": {"type": "number", "description": "honest mean, may be small"},
    }
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def read_assignment(text: str, context: Context, scale: Scale) -> Assignment:
    """Return the analyst's answer as an assignment.

    Raises:
        Unusable: it is no JSON, a value is missing or impossible, or the streak forbids it.
    """
    answer = read_json(text)
    component = _chosen(answer, "component", context.components)
    mechanism = _chosen(answer, "mechanism", MECHANISMS)
    forbidden = barred(context)
    if (component, mechanism) in forbidden:
        told = ", ".join(f"{c} with {m}" for c, m in forbidden)
        raise Unusable(f"too many attempts in a row without a merge: not {told} again")
    diagnosis = _text(answer.get("diagnosis", ""))
    instruction = _said(answer, "instruction", MAX_INSTRUCTION)
    return Assignment(
        component=component,
        slug=_slug(_said(answer, "title", 100), mechanism),
        hypothesis=one_line(_said(answer, "hypothesis", 1000)),
        # The commit that opens the branch tells both, so that `git log` explains the choice.
        instruction=f"{instruction}\n\nWhy now: {one_line(diagnosis, 600)}"
        if diagnosis
        else instruction,
        expected_effect=scale.expected_text(_gain(answer, scale)),
        mechanism=mechanism,
    )


def _slug(title: str, mechanism: str) -> str:
    """Return a branch's slug; the mechanism where the title makes none, or one that is reserved."""
    slug = slug_of(title)
    return mechanism if slug in ("", UNASSIGNED) else slug


def _chosen(answer: dict[str, Any], key: str, words: tuple[Any, ...]) -> Any:
    value = answer.get(key)
    word = value.strip().lower().removesuffix(".py") if isinstance(value, str) else None
    if word not in words:
        told = "is missing" if value is None else f"is {one_line(str(value), 40)}"
        raise Unusable(f"{key} {told}; it must be one of {', '.join(words)}")
    return word


def _said(answer: dict[str, Any], key: str, limit: int) -> str:
    text = _text(answer.get(key))
    if not text:
        raise Unusable(f"{key} is missing or no text")
    return text[:limit]


def _text(value: Any) -> str:
    """Return text without what is no UTF-8; "" for anything else."""
    return value.encode(errors="replace").decode().strip() if isinstance(value, str) else ""


def _gain(answer: dict[str, Any], scale: Scale) -> float:
    value = answer.get("expected_gain")
    if isinstance(value, str):  # "+0.8 points"
        found = re.match(r"\s*[+-]?\d{1,6}(?:\.\d{1,9})?", value)
        value = float(found[0]) if found else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unusable(f"expected_gain is missing or no number; it is told in {scale.unit}")
    if abs(value) > 100 or not math.isfinite(value):  # in this order: a whole number can be huge
        raise Unusable(f"expected_gain {one_line(str(value), 30)} is impossible")
    return float(value)
