"""The settings as typed data, with their defaults and the check of their values."""

import difflib
import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from improve_git.errors import SettingsError

# metric -> whether a higher value is better
METRICS: dict[str, bool] = {
    "accuracy": True,
    "balanced_accuracy": True,
    "macro_f1": True,
    "log_loss": False,
    "roc_auc": True,
    "quadratic_kappa": True,
}
CHOICES: dict[str, tuple[str, ...]] = {
    "llm": ("none",),
    "sandbox": ("auto", "docker", "process"),
    "accept": ("improves",),
    "budget": ("default",),
    "metric": tuple(METRICS),
}
LABEL_PRESERVING = ("hflip", "vflip", "rot90", "rotate")
_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


# Hydra refuses frozen dataclasses as schemas.
@dataclass
class SplitSettings:
    """Fractions of the images; what is left is the training part."""

    tune: float = 0.1
    val: float = 0.15
    test: float = 0.15


@dataclass
class DataSettings:
    """The images and how they are divided and stored."""

    images: str = ""  # absolute path, or "digits"
    split: SplitSettings = field(default_factory=SplitSettings)
    split_seed: int = 0
    cache_side: int = 512  # pixels; longer sides are scaled down in the packs
    label_preserving: list[str] = field(default_factory=list)  # of LABEL_PRESERVING
    max_unreadable: float = 0.05  # fraction of the files above which reading is an error
    max_pixels: int = 100_000_000  # an image above this is not decoded


@dataclass
class LlmSettings:
    """Who proposes and writes the changes."""

    name: str = "none"


@dataclass
class SandboxSettings:
    """Where candidates run and what they may use. Sizes are text such as ``8g``."""

    name: str = "auto"
    base_image: str | None = None  # None: $IMPROVE_GIT_BASE_IMAGE, else the Dockerfile's own
    memory: str = "8g"
    cpus: float | None = None  # None: all
    processes: int = 1024
    scratch: str = "2g"
    shm: str = "1g"
    output: str = "2g"
    gpus: str = "all"  # all, none, or numbers such as "0,1"
    allow_unisolated: bool = True  # whether to run where no isolation can be established


@dataclass
class AcceptSettings:
    """Which candidates are merged."""

    name: str = "improves"


@dataclass
class BudgetSettings:
    """What a run may spend."""

    name: str = "default"
    iterations: int = 40
    hours: float | None = None  # None: no limit
    train_seconds: float | None = None  # None: four times the baseline's time, at least 60 s
    predict_seconds: float = 600.0
    repairs: int = 2  # of one candidate


@dataclass
class MetricSettings:
    """What is judged."""

    name: str = "accuracy"

    @property
    def higher_is_better(self) -> bool:
        """The metric's direction; not a setting of its own."""
        return METRICS[self.name]


@dataclass
class Settings:
    """All settings in force."""

    llm: LlmSettings = field(default_factory=LlmSettings)
    sandbox: SandboxSettings = field(default_factory=SandboxSettings)
    accept: AcceptSettings = field(default_factory=AcceptSettings)
    metric: MetricSettings = field(default_factory=MetricSettings)
    budget: BudgetSettings = field(default_factory=BudgetSettings)
    data: DataSettings = field(default_factory=DataSettings)
    seed: int = 0
    epochs: int | None = None  # None: the team chooses for the profile
    weights: Any = "auto"  # "auto": all that are at hand; or a list of timm names


def parse_bytes(text: str, key: str = "size") -> int:
    """Read a size such as ``8g``, ``512 MiB`` or ``1024`` (bytes; units are powers of 1024).

    Raises SettingsError for anything else and for sizes below one byte.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", text.strip().lower())
    size = int(float(found[1]) * 1024 ** _UNITS[found[2]]) if found else 0
    if size < 1:
        raise SettingsError(f"{key}: {text!r} is not a size; write for instance 8g or 512m")
    return size


def check_word(where: str, word: str, words: Sequence[str]) -> None:
    """Raise SettingsError, naming the nearest right word, unless ``word`` is one of ``words``."""
    if word not in words:
        near = difflib.get_close_matches(word, words, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise SettingsError(f"{where}: {word} is none of {', '.join(words)}{hint}")


def check_values(settings: Settings) -> None:
    """Raise SettingsError for a value of the right type that cannot be meant."""
    data, box, budget = settings.data, settings.sandbox, settings.budget
    positive = {
        "data.cache_side": data.cache_side,
        "data.max_pixels": data.max_pixels,
        "sandbox.cpus": box.cpus,
        "sandbox.processes": box.processes,
        "budget.hours": budget.hours,
        "budget.train_seconds": budget.train_seconds,
        "budget.predict_seconds": budget.predict_seconds,
        "epochs": settings.epochs,
    }
    counts = {
        "budget.iterations": budget.iterations,
        "budget.repairs": budget.repairs,
        "data.split_seed": data.split_seed,
        "seed": settings.seed,
    }
    for key, value in positive.items():
        if value is not None and not (0 < value < math.inf):
            raise SettingsError(f"{key}: {value} is not a positive number")
    for key, count in counts.items():
        if not 0 <= count < 2**32:
            raise SettingsError(f"{key}: {count} is not between 0 and 4294967295")
    _check_data(data)
    for key in ("memory", "scratch", "shm", "output"):
        parse_bytes(getattr(box, key), f"sandbox.{key}")
    if not re.fullmatch(r"all|none|\d+(,\d+)*", box.gpus):
        raise SettingsError(f"sandbox.gpus: {box.gpus!r} is neither all, none nor numbers")
    names = settings.weights
    if names != "auto" and not (
        isinstance(names, list) and all(isinstance(name, str) for name in names)
    ):
        raise SettingsError("weights: neither auto nor a list of timm model names")


def _check_data(data: DataSettings) -> None:
    if "${" in data.images or "???" in data.images:
        raise SettingsError(
            f"data.images: {data.images!r} has ${{ or ???, which settings never read",
            "rename the folder, or reach it through a symbolic link",
        )
    split = asdict(data.split)
    for key, fraction in split.items():
        if not 0 < fraction < 1:
            raise SettingsError(f"data.split.{key}: {fraction} is not between 0 and 1")
    if sum(split.values()) >= 1:
        raise SettingsError("data.split: tune, val and test leave nothing for training")
    if not 0 <= data.max_unreadable <= 1:
        raise SettingsError(f"data.max_unreadable: {data.max_unreadable} is not between 0 and 1")
    for word in data.label_preserving:
        check_word("data.label_preserving", word, LABEL_PRESERVING)
