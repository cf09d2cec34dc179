"""Composes what each role is asked: a system prompt that stays the same, and the task."""

from typing import Any

from improve_git.domain import FILES, Assignment, Component, Context, Outcome, Role
from improve_git.teams.agents import evidence
from improve_git.teams.agents.checks import MECHANISMS
from improve_git.teams.agents.digest import digest
from improve_git.teams.agents.rounding import scale_of
from improve_git.teams.catalogue import catalogue
from improve_git.templates import render_prompt

_CONTROL = dict.fromkeys([*range(32), 127]) | {ord("\n"): "\n", ord("\t"): "\t"}
PLANNED_SHARE = 0.6  # of the safety stop, which a first training should plan for
COMPONENT_SHARE = 0.5  # of the history's tokens, for an engineer: its own component alone


def system(role: Role, context: Context) -> str:
    """Return a role's system prompt: the same all through a run, so that providers can cache it."""
    scale = scale_of(context)
    name = "engineer" if role in FILES else role
    return clean(
        render_prompt(
            f"system_{name}.md.j2",
            role=role,
            metric=context.metric.replace("_", " "),
            better=scale.better,
            unit=scale.unit,
            data=evidence.data_set(context),
            machine=evidence.machine(context),
            ideas=_ideas(context) if role == "analyst" else [],
        )
    )


def design(context: Context, epochs: int | None, sheet: bool) -> str:
    """Return what the architect is asked at init; ``sheet`` tells of an image that goes along."""
    stop = context.stop_seconds
    return clean(
        render_prompt(
            "design.md.j2",
            epochs=epochs,
            stop_seconds=None if stop is None else f"{stop:.3g}",
            plan_seconds=None if stop is None else f"{PLANNED_SHARE * stop:.2g}",
            gpu=bool(context.machine.gpu),
            sheet=sheet,
        )
    )


def assign(context: Context, tokens: int, sheet: bool) -> str:
    """Return what the analyst is asked at each iteration."""
    scale = scale_of(context)
    return clean(
        render_prompt(
            "assign.md.j2",
            main=evidence.incumbent(context, scale),
            search=evidence.search(context, scale),
            history=digest(context, scale, tokens),
            files=evidence.files(context),
            sheet=sheet,
            **assignment_form(context),
        )
    )


def rewrite(assignment: Assignment, context: Context, tokens: int) -> str:
    """Return what an engineer is asked when a component is assigned."""
    scale, name = scale_of(context), FILES[assignment.component]
    share = int(COMPONENT_SHARE * tokens)
    return clean(
        render_prompt(
            "rewrite.md.j2",
            main=evidence.incumbent(context, scale),
            history=digest(context, scale, share, assignment.component),
            assignment=assignment,
            source=context.files[name],
            files=evidence.files(context, name),
            **file_form(assignment.component),
        )
    )


def repair(assignment: Assignment, failed: str, outcome: Outcome, context: Context) -> str:
    """Return what the same engineer is asked when the trial of its file failed."""
    name = FILES[assignment.component]
    return clean(
        render_prompt(
            "repair.md.j2",
            assignment=assignment,
            failed=failed,
            failure=evidence.failure(outcome, context),
            files=evidence.files(context, name),
            **file_form(assignment.component),
        )
    )


def again(form: str, reason: str, **values: Any) -> str:
    """Return what is said of a reply that cannot be used; ``form`` tells what is wanted."""
    return clean(render_prompt("again.md.j2", form=form, reason=reason, **values))


def assignment_form(context: Context) -> dict[str, Any]:
    """Return what the form of the analyst's answer names."""
    return {
        "components": list(context.components),
        "mechanisms": MECHANISMS,
        "unit": scale_of(context).unit,
    }


def file_form(component: Component) -> dict[str, Any]:
    """Return what the form of an engineer's answer names."""
    return {"component": component, "name": FILES[component]}


def clean(text: str) -> str:
    """Return text that every provider takes: no control characters, nothing but valid UTF-8."""
    return text.translate(_CONTROL).encode(errors="replace").decode()


def _ideas(context: Context) -> list[dict[str, str]]:
    """Return the playbook's knobs and recipes for the components that may change.

    A symmetry that the user's own list leaves out is left out; without such a list it is told as
    the question that it is.
    """
    ideas: dict[str, dict[str, str]] = {}  # two knobs of one idea are told once
    for knob in [*catalogue()["knobs"], *catalogue().get("recipes", [])]:
        needed = knob.get("needs", {}).get("preserving", [])
        unsure = not set(needed) <= set(context.label_preserving)
        scratch = knob.get("needs", {}).get("pretrained") is False
        if knob["component"] not in context.components or (unsure and context.label_preserving):
            continue
        if scratch and context.weights:  # of networks that nobody would build here
            continue
        idea = {
            "component": knob["component"],
            "name": (knob.get("knob") or knob["recipe"]).lower().replace("_", " "),
            "reason": f"Only if it leaves labels true. {knob['reason']}"
            if unsure
            else knob["reason"],
        }
        ideas.setdefault(knob["reason"], idea)
    return list(ideas.values())
