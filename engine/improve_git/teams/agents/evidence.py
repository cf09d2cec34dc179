"""What a context tells, made ready for prompts: figures that an expert would ask for, in words.

Of val nothing but rounded scores goes in; of test nothing. Figures of a training come from records
that anybody may have forged: only such as can be true are told.
"""

from collections.abc import Sequence
from typing import Any

from improve_git.domain import FILES, Context, Outcome
from improve_git.judging.judge import standard_error
from improve_git.messages import one_line
from improve_git.teams.agents.curves import (
    best_tune,
    chance_loss,
    confused,
    curve_facts,
    found_worst,
    positive,
    seconds_text,
    tune_lost,
)
from improve_git.teams.agents.lessons import barred, by_component, calibration, streak
from improve_git.teams.agents.rounding import Scale

MOST_CLASSES = 60  # that are named
MOST_WEIGHTS = 40
MOST_FILE = 24_000  # characters of a file that is only to be read
MOST_DETAIL = 3_000  # characters of an error
_GIB = 2**30


def data_set(context: Context) -> dict[str, Any]:
    """Return what is known of the images."""
    profile = context.profile
    names, counts = class_names(context), _train_counts(context)
    order = range(len(names))
    return {
        "images": profile["images"],
        "train": profile["parts"]["train"],
        "tune": profile["parts"]["tune"],
        "class_count": len(names),
        "classes": "\n".join(f"{n}: {names[n]} ({counts[n]})" for n in order[:MOST_CLASSES]),
        "more_classes": max(0, len(names) - MOST_CLASSES),
        "fewest": min(counts),
        "most": max(counts),
        "imbalance": f"{profile['imbalance']:.3g}",
        "sizes": _sizes(profile["width"], profile["height"]),
        "grey": profile["grey"],
        "mean": ", ".join(f"{value:.3f}" for value in profile["mean"]),
        "std": ", ".join(f"{value:.3f}" for value in profile["std"]),
        "conflicts": profile.get("conflicting_labels", 0),
        "duplicates": profile.get("duplicates", 0),
        "groups": profile.get("groups", 0),
        "label_preserving": ", ".join(context.label_preserving),
        "about": context.about.strip(),
    }


def _sizes(width: dict[str, int], height: dict[str, int]) -> str:
    if width["min"] == width["max"] and height["min"] == height["max"]:
        return f"all {width['min']} x {height['min']}"
    told = [
        f"{axis} {its['min']} to {its['max']} (median {its['median']})"
        for axis, its in (("width", width), ("height", height))
    ]
    return ", ".join(told)


def class_names(context: Context) -> list[str]:
    """Return the classes' names as they can stand in a line."""
    return [one_line(name, 60) or "(nameless)" for name in context.profile["classes"]]


def machine(context: Context) -> dict[str, Any]:
    """Return what there is to train on, and the pretrained weights at hand."""
    weights = [
        {
            "name": one_line(one.name, 100),
            "parameters": _millions(one.parameters),
            "input_size": f"{positive(one.input_size):.0f}" if positive(one.input_size) else None,
        }
        for one in context.weights
    ]
    return {
        "gpu": one_line(context.machine.gpu, 100),
        "cores": context.machine.cores,
        "memory": _gib(context.machine.memory_bytes),
        "weights": weights[:MOST_WEIGHTS],
        "more_weights": max(0, len(weights) - MOST_WEIGHTS),
    }


def incumbent(context: Context, scale: Scale) -> dict[str, Any]:
    """Return what main scores and what its training showed."""
    training = context.training
    names = class_names(context)
    matrix = training.tune_confusion if training else []
    return {
        "score": None if context.score is None else scale.score(context.score),
        "smallest_gain": None
        if context.score is None
        else scale.smallest_gain(context.score, context.profile["parts"]["val"]),
        "seeds": context.confirming_seeds,
        "seed_noise": None if context.seed_noise is None else scale.noise(context.seed_noise),
        "step": scale.size(scale.step),
        "hidden_images": context.profile["parts"]["val"],
        "tune_images": context.profile["parts"]["tune"],
        "tune_noise": _tune_noise(context),
        "curve": curve_facts(training) if training else None,
        "level": _is_level(context),
        "class_count": len(names),
        "chance_loss": chance_loss(training, len(names)) if training else None,
        "seconds": seconds_text(training.seconds) if training else None,
        "stopped_by": one_line(training.stopped_by, 40) if training else "",
        "peak": _gib(training.peak_memory_bytes) if training else None,
        "memory": _gib(context.machine.memory_bytes),
        "parameters": _millions(training.parameters) if training else None,
        "device": one_line(training.device, 60) if training else None,
        "stop_seconds": None if context.stop_seconds is None else f"{context.stop_seconds:.3g}",
        "confused": "\n".join(confused(matrix, names)),
        "found_worst": "\n".join(found_worst(matrix, names)),
    }


def search(context: Context, scale: Scale) -> dict[str, Any]:
    """Return how the search has gone so far, and what it may still do."""
    return {
        "trainings_left": context.trainings_left,
        "hours_limited": context.hours_limited,
        "by_component": by_component(context, scale),
        "calibration": calibration(context.attempts, scale),
        "streak": streak(context.attempts),
        "barred": [f"{component}, {mechanism}" for component, mechanism in barred(context)],
        "notes": context.notes.strip(),
    }


def files(context: Context, own: str = "") -> list[dict[str, str]]:
    """Return main's files for reading; that of name ``own`` is left out, long ones are cut."""
    return [
        {"name": name, "source": _middle_out(context.files[name], MOST_FILE)}
        for name in FILES.values()
        if name in context.files and name != own
    ]


def failure(outcome: Outcome, context: Context) -> dict[str, Any]:
    """Return what went wrong in a trial, for the engineer who mends it."""
    epochs = len(outcome.curve)
    limit = context.stop_seconds
    return {
        "status": outcome.status,
        "reason": one_line(outcome.reason, 500),
        "detail": _middle_out((outcome.detail or outcome.log_tail).strip(), MOST_DETAIL),
        "peak": _gib(outcome.peak_memory_bytes),
        "batch": one_line(str(outcome.info.get("batch", "")), 40),
        "memory": _gib(context.machine.memory_bytes),
        "epochs": epochs,
        "seconds_per_epoch": seconds_text(outcome.seconds, epochs)
        if epochs and positive(outcome.seconds)
        else None,
        "main_seconds": seconds_text(context.training.seconds) if context.training else None,
        "limit": None if limit is None else f"{limit:.3g}",
    }


def _tune_noise(context: Context) -> str | None:
    """Return the standard error of the best tuning accuracy, in points; None where none is."""
    error = _tune_error(context)
    return None if error is None else f"{100 * error:.1f} points"


def _is_level(context: Context) -> bool:
    """Say whether the last tuning accuracy is within one standard error of the best."""
    error = _tune_error(context)
    lost = tune_lost(context.training) if context.training else None
    return error is not None and lost is not None and lost <= error


def _tune_error(context: Context) -> float | None:
    best = best_tune(context.training) if context.training else None
    images = context.profile["parts"]["tune"]
    if best is None or not 0 <= best <= 1 or images < 1:
        return None
    return standard_error(images, best)


def _train_counts(context: Context) -> Sequence[int]:
    profile = context.profile
    counts: Sequence[int] = profile.get("part_class_counts", {}).get("train")
    return counts or profile["class_counts"]


def _middle_out(text: str, limit: int) -> str:
    """Return a text without its middle where it is too long: beginning and end tell most."""
    if len(text) <= limit:
        return text
    head = limit // 3
    left = len(text) - limit
    return f"{text[:head]}\n[... {left} characters left out ...]\n{text[head - limit :]}"


def _gib(size: Any) -> str | None:
    known = positive(size)
    return None if known is None else f"{known / _GIB:.1f} GiB"


def _millions(parameters: Any) -> str | None:
    known = positive(parameters)
    return None if known is None else f"{known / 1e6:.1f} M"
