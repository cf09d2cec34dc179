"""Data sets and trails that the teams' tests are told of."""

import random
from typing import Any

from improve_git.domain import FILES, Attempt, Context, Machine, Weights
from improve_git.teams.moves import Move, neighbours
from improve_git.teams.playbook import Playbook
from improve_git.teams.rendering import read, write

LITE = "tf_efficientnet_lite0.in1k"
RESNET = "resnet18.a1_in1k"
SYMMETRIES = ("hflip", "vflip", "rot90", "rotate")


def profile_of(width: int, height: int, classes: int = 3, imbalance: float = 3.0) -> dict[str, Any]:
    sizes = {
        axis: {"min": n, "median": n, "max": n}
        for axis, n in (("width", width), ("height", height))
    }
    return {
        "images": 1000,
        "classes": [f"class {n}" for n in range(classes)],
        "class_counts": [1000 // classes] * classes,
        "parts": {"train": 600, "tune": 100, "val": 150, "test": 150},
        "imbalance": imbalance,
        "modes": {"RGB": 1000},
        "grey": False,
        "mean": [0.5, 0.5, 0.5],
        "std": [0.2, 0.2, 0.2],
        "duplicates": 0,
        "conflicting_labels": 0,
        "unreadable_count": 0,
        **sizes,
    }


def context_of(files: dict[str, str], profile: dict[str, Any], **changes: Any) -> Context:
    values = {"number": 1, "seed": 0, "attempts": [], "label_preserving": SYMMETRIES}
    if changes.pop("cuda", False):
        changes["machine"] = Machine(8, 2**35, "a GPU")
    changes["weights"] = tuple(Weights(name) for name in changes.get("weights", ()))
    return Context(files=files, profile=profile, **(values | changes))


def first_files(profile: dict[str, Any], **changes: Any) -> dict[str, str]:
    return Playbook().design(context_of({}, profile, **changes), None).files


def apply(move: Move, files: dict[str, str]) -> dict[str, str]:
    name = FILES[move.component]
    settings = read(move.component, files[name])
    assert settings is not None
    return {**files, name: write(move.component, settings | move.after)}


def walk(
    files: dict[str, str], profile: dict[str, Any], steps: int, seed: int, **changes: Any
) -> list[dict[str, str]]:
    """Return the files after each of so many random moves."""
    rng = random.Random(seed)
    seen = []
    for _ in range(steps):
        moves = neighbours(context_of(files, profile, **changes))
        files = apply(rng.choice(moves), files)
        seen.append(files)
    return seen


def attempt(
    number: int, slug: str, verdict: str, component: str = "train", **changes: Any
) -> Attempt:
    values = {"score": 0.9, "main_score": 0.9, "train_seconds": 30.0} | changes
    return Attempt(number=number, component=component, slug=slug, verdict=verdict, **values)
