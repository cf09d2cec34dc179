"""The playbook's moves: one step of one setting, from what the incumbent's files say now.

The files hold all state: a move renders a file again with a setting changed, so moves add up.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from improve_git.domain import COMPONENTS, FILES, Component, Context
from improve_git.messages import MAX_SLUG
from improve_git.teams.catalogue import Settings, catalogue, frozen
from improve_git.teams.rendering import read
from improve_git.templates import literal

LEAST_FOR_BACKBONE = 48  # pixels: the pretrained networks halve the side five times


@dataclass(frozen=True)
class Move:
    """A change of one component's settings, and what an expert expects of it."""

    slug: str
    component: Component
    subject: str  # of the commit
    reason: str  # one sentence
    source: str  # where the method is described
    before: Settings  # the settings that change, as they are
    after: Settings  # and as they would be
    gain: float  # expected, as a share of the remaining error
    sd: float  # of that expectation
    cost: float  # training time as a multiple of the present one
    inverse: str = ""  # slug of the move back

    @property
    def change(self) -> str:
        """The change in numbers: ``EPOCHS from 4 to 6``."""
        return ", ".join(
            f"{name} from {literal(self.before[name])} to {literal(value)}"
            for name, value in self.after.items()
        )


def neighbours(context: Context) -> list[Move]:
    """Return every move that the incumbent, the data set and the weights at hand allow."""
    found = {
        component: settings
        for component in COMPONENTS
        if (settings := read(component, context.files[FILES[component]])) is not None
    }
    together: Settings = {}
    for settings in found.values():
        together |= settings
    moves: list[Move] = []
    for knob in catalogue()["knobs"]:
        component = knob["component"]
        if component in found and component in context.components:
            moves += _steps(knob, found[component], together, context)
    for recipe in catalogue()["recipes"]:
        component = recipe["component"]
        if component in found and component in context.components:
            moves += _recipe(recipe, found[component], together, context)
    large = together.get("IMAGE_SIZE", LEAST_FOR_BACKBONE) >= LEAST_FOR_BACKBONE
    if large and "model" in found and "model" in context.components:
        moves += _backbones(found["model"], context)
    return moves


def backbones_at_hand(context: Context) -> dict[str, float]:
    """Return the known backbones whose weights are at hand, smallest first: millions of weights."""
    sizes: dict[str, float] = catalogue()["backbones"]
    there = {weights.name for weights in context.weights}
    at_hand = [name for name in sizes if name in there]
    return {name: sizes[name] for name in sorted(at_hand, key=lambda name: sizes[name])}


def _steps(knob: dict[str, Any], own: Settings, together: Settings, context: Context) -> list[Move]:
    """Return the moves up and down one knob."""
    needs = knob.get("needs", {})
    if not _applies(needs, together, context):
        return []
    name = knob["knob"]
    value = own[name]
    moves = []
    for direction, other in (("up", "down"), ("down", "up")):
        step = knob[direction]
        target = _target(knob, value, up=direction == "up", context=context)
        if target is None:
            continue
        after = {name: target, **step.get("also", {})}
        back = direction == "down"
        moves.append(
            Move(
                slug=step["slug"],
                component=knob["component"],
                subject=step["subject"] + _numbers(knob, value, target),
                reason=knob["reason"],
                source=knob["source"],
                before={changed: own[changed] for changed in after},
                after=after,
                gain=step.get("gain", -knob["gain"] if back else knob["gain"]),
                sd=knob["sd"],
                cost=_cost(knob, value, target, back),
                inverse=knob[other]["slug"],
            )
        )
    return moves


def _recipe(
    recipe: dict[str, Any], own: Settings, together: Settings, context: Context
) -> list[Move]:
    """Return the move to a recipe's settings, none where it does not apply or changes too little.

    Where all but one of them are there already, the step of that one knob says the same.
    """
    if not _applies(recipe.get("needs", {}), together, context):
        return []
    after = {name: frozen(value) for name, value in recipe.get("set", {}).items()}
    cost = float(recipe.get("cost", 1.0))
    for name, factor in recipe.get("times", {}).items():
        knob = next(knob for knob in catalogue()["knobs"] if knob["knob"] == name)
        rungs = [rung for rung in knob["ladder"] if _possible(knob, rung, context)]
        after[name] = min(rungs, key=lambda rung: abs(rung - factor * own[name]))
        cost *= _cost(knob, own[name], after[name], back=False)
    after = {name: value for name, value in after.items() if value != own[name]}
    if len(after) < 2:
        return []
    return [
        Move(
            slug=recipe["recipe"],
            component=recipe["component"],
            subject=recipe["subject"],
            reason=recipe["reason"],
            source=recipe["source"],
            before={name: own[name] for name in after},
            after=after,
            gain=recipe["gain"],
            sd=recipe["sd"],
            cost=cost,
        )
    ]


def _numbers(knob: dict[str, Any], value: Any, target: Any) -> str:
    """Return what a subject adds where a step is one of several: `` (10 to 14)``."""
    switched_on = "ladder" in knob and value == knob["ladder"][0]
    if switched_on or not isinstance(value, int | float):
        return ""
    return f" ({value:g} to {target:g})"


def _cost(knob: dict[str, Any], value: Any, target: Any, back: bool) -> float:
    if power := knob.get("cost_power"):
        return float((target / value) ** power)
    cost = float(knob.get("cost", 1.0))
    return 1 / cost if back else cost


def _target(knob: dict[str, Any], value: Any, *, up: bool, context: Context) -> Any:
    """Return the next value of a knob, or None at the end of its ladder.

    A number that a person has set between two rungs counts as the nearer one.
    """
    step = 1 if up else -1
    if "factor" in knob:
        low, high = knob["bounds"]
        target = float(f"{value * knob['factor'] ** step:.2g}")
        return target if low <= target <= high else None
    ladder = [frozen(rung) for rung in knob["ladder"]]
    ladder = [rung for rung in ladder if _possible(knob, rung, context) or rung == value]
    if isinstance(value, int | float):
        value = min(ladder, key=lambda rung: abs(rung - value))
    if value not in ladder:
        return None
    place = ladder.index(value) + step
    return ladder[place] if 0 <= place < len(ladder) else None


def _possible(knob: dict[str, Any], rung: Any, context: Context) -> bool:
    """Say whether a value makes sense for the data set."""
    if knob.get("needs", {}).get("preserving_value"):
        return set(rung) <= set(context.label_preserving)
    if knob["knob"] == "IMAGE_SIZE":  # beyond twice the images' own size there is nothing to see
        return bool(rung <= 2 * side(context.profile))
    return True


def _applies(needs: dict[str, Any], settings: Settings, context: Context) -> bool:
    """Say whether the conditions of a knob hold. What is not known of an edited file fails none."""
    profile = context.profile
    pretrained = bool(settings["BACKBONE"]) if "BACKBONE" in settings else None
    shape = [profile[axis]["median"] for axis in ("width", "height")]
    checks: dict[str, Callable[[Any], bool]] = {
        "preserving": lambda names: set(names) <= set(context.label_preserving),
        "preserving_value": lambda _: True,  # of each rung, see _possible
        "imbalance": lambda least: profile["imbalance"] >= least,
        "image_size": lambda least: settings.get("IMAGE_SIZE", least) >= least,
        "pretrained": lambda wanted: pretrained in (wanted, None),
        "not_square": lambda _: max(shape) > 1.1 * min(shape),
    }
    return all(checks[name](wanted) for name, wanted in needs.items())


def side(profile: dict[str, Any]) -> int:
    """Return the median length of the images' longer side in pixels."""
    return int(max(profile["width"]["median"], profile["height"]["median"]))


def _backbones(own: Settings, context: Context) -> list[Move]:
    """Return a move to each backbone at hand that the model does not have yet."""
    sizes = backbones_at_hand(context)
    present = sizes.get(own["BACKBONE"])
    moves = []
    for name, size in sizes.items():
        if name == own["BACKBONE"]:
            continue
        ratio = size / present if present else 1.0
        moves.append(
            Move(
                slug=_backbone_slug(name),
                component="model",
                subject=f"Use the backbone {name}"[:72],
                reason="Better ImageNet features transfer better, at a price in time.",
                source="Kornblith et al. 2018, arXiv:1805.08974",
                before={"BACKBONE": own["BACKBONE"]},
                after={"BACKBONE": name},
                gain=0.15 if ratio >= 1 else -0.05,
                sd=0.15,
                cost=ratio,
                inverse=_backbone_slug(own["BACKBONE"]) if own["BACKBONE"] else "",
            )
        )
    return moves


def _backbone_slug(name: str) -> str:
    slug = "backbone-" + re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if len(slug) <= MAX_SLUG:
        return slug
    digest = hashlib.sha256(name.encode()).hexdigest()[:6]
    return f"{slug[: MAX_SLUG - 7].rstrip('-')}-{digest}"
