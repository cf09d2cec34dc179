"""Writes the improve.yaml that a new pipeline begins with."""

import json
import re
from dataclasses import asdict
from typing import Any

from improve_git.figures import METRICS
from improve_git.settings.schema import CHOICES, LABEL_PRESERVING, Settings
from improve_git.settings.validation import check_values


def improve_yaml(settings: Settings) -> str:
    """Return the small, commented improve.yaml that composes to exactly these settings.

    What decides a score is always written; of the rest, what differs from the defaults.
    Raises SettingsError for values that could not be read back.
    """
    check_values(settings)
    default = Settings()
    lines = [
        "# The settings of this pipeline. `improve-git run --cfg` prints all that are in force;",
        "# `improve-git run key=value` changes one for a single run, e.g. budget.iterations=8.",
        "",
    ]
    for name, comment in _GROUP_COMMENTS.items():
        group = asdict(getattr(settings, name))
        shown = {
            key for key, value in asdict(getattr(default, name)).items() if group[key] != value
        }
        always = _OF_CHOICE[group["name"]] if name == "llm" else _ALWAYS.get(name, set())
        shown = (shown | always) - {"name"}
        if not shown:
            lines.append(_line(name, group["name"], comment))
            continue
        lines.append(_line(name, None, comment))
        is_choice = name != "budget" or group["name"] != default.budget.name
        lines += [_line("  name", group["name"])] if is_choice else []
        lines += [
            _line(f"  {key}", _told(value), _COMMENTS.get(f"{name}.{key}", ""))
            for key, value in group.items()
            if key in shown
        ]
    if settings.agents != default.agents:
        lines.append(_line("agents", None, ""))
        changing = settings.agents.components
        lines.append(_line("  components", changing, _COMMENTS["agents.components"]))
    lines.append(_line("data", None, ""))
    usual = asdict(default.data)
    for key, value in asdict(settings.data).items():
        if key in _ALWAYS["data"] or value != usual[key]:
            lines.append(_line(f"  {key}", value, _COMMENTS.get(f"data.{key}", "")))
    for key in ("seed", "epochs", "weights"):
        lines.append(_line(key, getattr(settings, key), _COMMENTS[key]))
    return "\n".join(lines) + "\n"


_GROUP_COMMENTS = {
    "llm": "who proposes and writes: none = the offline playbook",
    "sandbox": "where candidates train: auto | docker | process",
    "accept": "confirmed = merged if better on several seeds | improves = on one",
    "metric": " | ".join(METRICS),
    "budget": "",
}
_ALWAYS = {
    "budget": {"iterations", "hours", "train_seconds", "repairs"},
    "data": {"images", "split", "split_seed", "cache_side", "label_preserving"},
}
# What a choice's own file in conf/ sets, so that leaving it out would not mean the default.
_OF_CHOICE: dict[str, set[str]] = {
    **{name: {"model"} for name in CHOICES["llm"]},
    "none": set(),
    "openai_compatible": set(),
    "replay": set(),
    "inbox": {"timeout"},
    "ollama": {"model", "api_base", "json_schema", "price"},
    "vllm": {"model", "api_base", "json_schema", "price"},
}
_COMMENTS = {
    "llm.api_base": "who clones this pipeline is asked before anything is sent there",
    "llm.folder": "of the inbox's questions, or of what is replayed",
    "llm.price": "US dollars for a million tokens",
    "llm.timeout": "seconds a call may take",
    "agents.components": "what may change",
    "budget.usd": "for LLM calls; null = no limit",
    "budget.tokens": "of LLM calls; null = no limit",
    "budget.failures": "in a row, after which a run pauses; null = never",
    "budget.iterations": "in all",
    "budget.hours": "of training in all; null = no limit",
    "budget.train_seconds": "safety stop of one training; null = 4 x the baseline's, at least 60",
    "budget.repairs": "of a candidate that fails",
    "data.images": "where the images are on this machine",
    "data.split": "fractions of the images; the rest is for training",
    "data.cache_side": "pixels; larger images are scaled down to this longer side",
    "data.label_preserving": f"what leaves labels true, of: {', '.join(LABEL_PRESERVING)}",
    "seed": "of every training",
    "epochs": "what the first pipeline plans with; null = chosen for the data set",
    "weights": "auto = all pretrained timm weights at hand; or a list of their names",
}


_NO_WORDS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}
_PLAIN = re.compile(r"[A-Za-z/][\w./-]*", re.ASCII)


def _told(value: Any) -> Any:
    """Leave out what is not set inside a section."""
    if not isinstance(value, dict):
        return value
    return {key: entry for key, entry in value.items() if entry is not None} or value


def _line(key: str, value: Any, comment: str = "") -> str:
    section = value is None and key in (*CHOICES, "data", "agents")
    text = f"{key}:" if section else f"{key}: {_scalar(value)}"
    return f"{text:<28}  # {comment}" if comment else text


def _scalar(value: Any) -> str:
    """Write a value as YAML: JSON, which YAML contains, with plain words left unquoted."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_scalar(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_scalar(entry) for entry in value) + "]"
    if isinstance(value, str) and value.lower() not in _NO_WORDS and _PLAIN.fullmatch(value):
        return value
    return json.dumps(value)
