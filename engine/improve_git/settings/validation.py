"""The check of settings whose types are right: values that cannot be meant."""

import difflib
import math
import re
from collections.abc import Sequence
from dataclasses import asdict

from improve_git.domain import COMPONENTS
from improve_git.errors import SettingsError
from improve_git.settings.schema import (
    EFFORTS,
    LABEL_PRESERVING,
    AcceptSettings,
    DataSettings,
    LlmSettings,
    Settings,
    SplitSettings,
)

FEWEST_PROCESSES = 512
MOST_SEEDS = 100
_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def parse_bytes(text: str, key: str = "size") -> int:
    """Read a size such as ``8g``, ``512 MiB`` or ``1024`` (bytes; units are powers of 1024).

    Raises SettingsError for anything else and for sizes below one byte.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", text.strip().lower())
    size = int(float(found[1]) * 1024 ** _UNITS[found[2]]) if found else 0
    if size < 1:
        raise SettingsError(f"{key}: {text!r} is not a size", "write for instance 8g or 512m")
    return size


def check_word(where: str, word: str, words: Sequence[str]) -> None:
    """Raise SettingsError, naming the nearest right word, unless ``word`` is one of ``words``."""
    if word not in words:
        near = difflib.get_close_matches(word, words, 1) or words
        raise SettingsError(
            f"{where}: {word} is none of {', '.join(words)}", f"write for instance {near[0]}"
        )


def check_values(settings: Settings) -> None:
    """Raise SettingsError for a value of the right type that cannot be meant."""
    data, box, budget = settings.data, settings.sandbox, settings.budget
    positive = {
        "data.cache_side": data.cache_side,
        "data.max_pixels": data.max_pixels,
        "sandbox.cpus": box.cpus,
        "budget.hours": budget.hours,
        "budget.train_seconds": budget.train_seconds,
        "budget.predict_seconds": budget.predict_seconds,
        "budget.failures": budget.failures,
        "llm.max_tokens": settings.llm.max_tokens,
        "llm.history_tokens": settings.llm.history_tokens,
        "llm.timeout": settings.llm.timeout,
        "epochs": settings.epochs,
    }
    not_negative = {
        "budget.usd": budget.usd,
        "budget.tokens": budget.tokens,
        "llm.temperature": settings.llm.temperature,
        "llm.price.input": settings.llm.price.input,
        "llm.price.output": settings.llm.price.output,
    }
    counts = {
        "budget.iterations": budget.iterations,
        "budget.repairs": budget.repairs,
        "data.split_seed": data.split_seed,
        "seed": settings.seed,
    }
    for key, value in positive.items():
        if value is not None and not (0 < value < math.inf):
            raise SettingsError(f"{key}: {value} is not a positive number", "write one above 0")
    for key, value in not_negative.items():
        if value is not None and not (0 <= value < math.inf):
            raise SettingsError(f"{key}: {value} is negative or no number", "write 0 or more")
    for key, count in counts.items():
        if not 0 <= count < 2**32:
            problem = "is negative" if count < 0 else "is too large"
            raise SettingsError(f"{key}: {count} {problem}", "write 0 or more, below 4294967296")
    if not settings.agents.components:
        raise SettingsError("agents.components: nothing may change", "name data, model or train")
    for word in settings.agents.components:
        check_word("agents.components", word, COMPONENTS)
    if box.processes < FEWEST_PROCESSES:
        raise SettingsError(
            f"sandbox.processes: {box.processes} is too few: threads count too",
            f"{FEWEST_PROCESSES} or more",
        )
    _check_accept(settings.accept)
    _check_llm(settings.llm)
    _check_data(data)
    for key in ("memory", "scratch", "shm", "output"):
        parse_bytes(getattr(box, key), f"sandbox.{key}")
    if not re.fullmatch(r"all|none|\d+(,\d+)*", box.gpus):
        raise SettingsError(
            f"sandbox.gpus: {box.gpus!r} is neither all, none nor numbers",
            "write for instance sandbox.gpus='0,1'",
        )
    names = settings.weights
    if names != "auto" and not (
        isinstance(names, list) and all(isinstance(name, str) for name in names)
    ):
        raise SettingsError(
            "weights: neither auto nor a list of timm model names",
            "write for instance weights=[resnet18.a1_in1k]",
        )


def _check_accept(accept: AcceptSettings) -> None:
    if not 2 <= accept.seeds <= MOST_SEEDS:
        raise SettingsError(
            f"accept.seeds: {accept.seeds} is not between 2 and {MOST_SEEDS}",
            f"write for instance {AcceptSettings.seeds}",
        )
    if not 0.5 <= accept.confidence < 1:
        raise SettingsError(
            f"accept.confidence: {accept.confidence} is not from 0.5 to below 1",
            f"write for instance {AcceptSettings.confidence}",
        )


def _check_llm(llm: LlmSettings) -> None:
    names = {f"llm.models.{role}": name for role, name in asdict(llm.models).items()}
    names |= {f"llm.{key}": getattr(llm, key) for key in ("model", "fallback", "folder")}
    for key, name in names.items():
        if name is not None and (not name.strip() or "${" in name or "???" in name):
            raise SettingsError(
                f"{key}: {name!r} is not a name that settings can hold",
                "write the name as its maker does",
            )
    if llm.api_base is not None:
        address = re.fullmatch(r"https?://([^/\s?#]+)(/[^\s]*)?", llm.api_base, re.ASCII)
        if not address or "${" in llm.api_base or "???" in llm.api_base:
            raise SettingsError(
                f"llm.api_base: {llm.api_base!r} is not an address",
                "for instance http://localhost:8000/v1",
            )
        if "@" in address[1]:
            raise SettingsError(
                "llm.api_base: a password does not belong into settings, which Git keeps",
                "put the key into the provider's environment variable",
            )
    if llm.reasoning_effort is not None:
        check_word("llm.reasoning_effort", llm.reasoning_effort, EFFORTS)
    if (llm.price.input is None) != (llm.price.output is None):
        raise SettingsError("llm.price: one of input and output is missing", "set both: 0 is free")


def _check_data(data: DataSettings) -> None:
    if "${" in data.images or "???" in data.images:
        raise SettingsError(
            f"data.images: {data.images!r} has ${{ or ???, which settings never read",
            "rename the folder, or reach it through a symbolic link",
        )
    split = asdict(data.split)
    for key, fraction in split.items():
        if not 0 < fraction < 1:
            raise SettingsError(
                f"data.split.{key}: {fraction} is not between 0 and 1",
                f"write for instance {getattr(SplitSettings, key)}",
            )
    if sum(split.values()) >= 1:
        told = ", ".join(f"{key} {fraction:g}" for key, fraction in split.items())
        raise SettingsError(
            f"data.split: tune, val and test leave nothing for training: {told}",
            "make them smaller, so that their sum stays below 1",
        )
    if not 0 <= data.max_unreadable <= 1:
        raise SettingsError(
            f"data.max_unreadable: {data.max_unreadable} is not between 0 and 1",
            f"write for instance {DataSettings.max_unreadable}",
        )
    for word in data.label_preserving:
        check_word("data.label_preserving", word, LABEL_PRESERVING)
