"""Contexts and replies for the tests of the agents."""

from typing import Any

from improve_git.domain import FILES, Attempt, Context, Training, Weights
from improve_git.teams.playbook import Playbook

LITE = Weights("tf_efficientnet_lite0.in1k", 4_652_008, 224)
CURVE = [
    {"epoch": n, "loss": 1 / n, "train_accuracy": 0.80 + 0.02 * n, "tune_accuracy": tune,
     "lr": 0.001, "epochs": 6}
    for n, tune in enumerate((0.70, 0.78, 0.84, 0.83, 0.82), start=1)
]  # fmt: skip
CONFUSION = [[28, 4, 0], [9, 25, 2], [0, 1, 31]]
COMPONENT_CYCLE = ("data", "model", "train")


def profile_of(*classes: str, val: int = 5000) -> dict[str, Any]:
    names = list(classes or ("cat", "dog", "owl"))
    each = 600 // len(names) or 1
    size = {"min": 200, "median": 300, "max": 400}
    return {
        "images": 1000, "classes": names, "class_counts": [each] * len(names),
        "parts": {"train": 600, "tune": 100, "val": val, "test": 150},
        "part_class_counts": {"train": [each] * len(names)},
        "imbalance": 1.0, "width": size, "height": size, "modes": {"RGB": 1000}, "grey": False,
        "mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2], "duplicates": 0,
        "conflicting_labels": 0, "unreadable_count": 0,
    }  # fmt: skip


def first_files() -> dict[str, str]:
    return Playbook().design(Context(0, 0, {}, profile_of(), []), None).files


def training_of(**changes: Any) -> Training:
    values = {
        "curve": CURVE, "seconds": 50.0, "peak_memory_bytes": 3 * 2**30, "parameters": 4_600_000,
        "tune_confusion": CONFUSION,
    }  # fmt: skip
    return Training(**(values | changes))


def context_of(**changes: Any) -> Context:
    """Return a context in which main has been measured."""
    values = {
        "number": 1, "seed": 0, "files": first_files(), "profile": profile_of(), "attempts": [],
        "weights": (LITE,), "score": 0.8137, "smallest_gain": 0.0467, "training": training_of(),
        "stop_seconds": 240.0, "trainings_left": 30,
    }  # fmt: skip
    return Context(**(values | changes))


def attempt(number: int, verdict: str = "rejected", **changes: Any) -> Attempt:
    values: dict[str, Any] = {
        "component": "data", "slug": f"idea-{number}", "mechanism": "augmentation",
        "score": 0.8051, "main_score": 0.8137, "expected_effect": "+0.8 points",
        "hypothesis": f"Idea {number} should help.", "subject": f"Carry out idea {number}",
        "reason": "accuracy 0.8051 under 0.8137 (-0.86 points)", "train_seconds": 50.0,
    }  # fmt: skip
    if verdict == "failed":
        values |= {"score": None, "main_score": None, "reason": "timeout: not done after 240 s"}
    return Attempt(number=number, verdict=verdict, **(values | changes))


def long_history(count: int) -> list[Attempt]:
    """Return so many attempts of all sorts; each score has digits of its own."""
    verdicts = ("rejected", "failed", "rejected", "merged", "rejected")
    kinds = ("augmentation", "head", "schedule", "resolution", "loss", "", "backbone")
    return [
        attempt(
            n,
            verdicts[n % 5],
            component=COMPONENT_CYCLE[n % 3],
            mechanism=kinds[n % 7],
            slug=f"idea-{n}" if kinds[n % 7] else f"knob-{n % 10}",
            **({} if n % 5 == 1 else {"score": 0.8 + n * 0.000137, "main_score": 0.8137}),
            hypothesis=f"Idea {n} " + "is explained at length " * 8,
        )
        for n in range(1, count + 1)
    ]


def file_reply(source: str, name: str = "data.py", subject: str = "Mirror images") -> str:
    head = f"Subject: {subject}\nBody: Mirrored images keep their label."
    return f"{head}\n\n````python {name}\n{source}````\n"


def changed(source: str) -> str:
    """Return a file that keeps the contract and is another program."""
    return f"{source}\n\nCHANGED = True\n"


def answer(**changes: Any) -> dict[str, Any]:
    values = {
        "diagnosis": "Training is 8 points above tuning: it overfits.",
        "component": "data", "mechanism": "augmentation", "title": "Mirror images",
        "hypothesis": "Mirrored images add variety.",
        "instruction": "Mirror half of the training images left to right.",
        "expected_gain": 0.8,
    }  # fmt: skip
    return values | changes


def design_reply(files: dict[str, str] | None = None) -> str:
    files = files or first_files()
    blocks = [f"````python {name}\n{files[name]}````" for name in FILES.values()]
    return "\n\n".join(["Subject: Start plain\nBody: A sound start.", *blocks])
