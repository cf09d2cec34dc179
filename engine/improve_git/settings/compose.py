"""Typed settings, composed by Hydra from the groups in ``conf/``; the only module that knows Hydra.

``improve.yaml`` is read first, then ``key=value`` words. In both, a scalar under a group's name
chooses from the group (``sandbox: docker``, ``metric=macro_f1``), and anything else overrides a
value of what was chosen. ``sandbox: {name: docker, memory: 4g}`` does both at once; where a word
then chooses another sandbox, the values that were meant for docker are left aside.

A pipeline may have been cloned from anywhere, so no interpolation in it is ever resolved:
``${oc.env:API_KEY}`` would hand over secrets.
"""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from improve_git.errors import SettingsError
from improve_git.settings.schema import (
    CHOICES,
    Settings,
)
from improve_git.settings.validation import check_values, check_word

_FORM = "write lines such as `metric: accuracy`"
_ALIASES = {"llm.from": "llm.folder"}  # as one says it of a replay


def compose(text: str, overrides: Sequence[str] = ()) -> Settings:
    """Compose the settings from the text of improve.yaml and ``key=value`` words, which win.

    Raises SettingsError, in one line, for a misspelt key (naming the nearest right one), a wrong
    type, an impossible value or an interpolation.
    """
    from hydra import compose as hydra_compose
    from hydra import initialize_config_module
    from hydra.core.config_store import ConfigStore
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    layers = [_read_yaml(text), *(_read_word(word) for word in overrides)]
    for layer in layers:
        layer.check()
    chosen = {name: choice for layer in layers for name, choice in layer.choices()}
    ConfigStore.instance().store(name="schema", node=Settings)
    with initialize_config_module("improve_git.settings.conf", version_base="1.3"):
        config = hydra_compose("config", [f"{name}={choice}" for name, choice in chosen.items()])
    for layer in layers:
        left_aside = tuple(f"{name}." for name, c in layer.choices() if c != chosen[name])
        for key, value in layer.values.items():
            if key.startswith(left_aside):
                continue
            try:
                OmegaConf.update(config, key, value)
            except OmegaConfBaseException as error:
                reason = str(error).splitlines()[0]
                raise SettingsError(
                    f"{layer.source}: {key}: {reason}",
                    "give it the form that `improve-git run --cfg` shows; a list is [a,b]",
                ) from None
    settings = cast(Settings, OmegaConf.to_object(config))
    check_values(settings)
    return settings


def scored(settings: Settings) -> dict[str, Any]:
    """The settings that affect a score: two scores compare only where these are equal.

    The images themselves count by their fingerprint (dataset.json), not by their path.
    """
    threads = settings.sandbox.cpus
    return {
        "metric": settings.metric.name,
        "seed": settings.seed,
        "epochs": settings.epochs,
        "weights": settings.weights,
        "data.split": asdict(settings.data.split),
        "data.split_seed": settings.data.split_seed,
        "data.cache_side": settings.data.cache_side,
        "data.label_preserving": sorted(settings.data.label_preserving),
        "budget.train_seconds": settings.budget.train_seconds,
        # Other threads add up in another order. Absent by default, as in records from before.
    } | ({"sandbox.cpus": threads} if threads else {})


def render(settings: Settings) -> str:
    """All settings in force as YAML; composing that text gives the same settings again."""
    from omegaconf import OmegaConf

    return OmegaConf.to_yaml(OmegaConf.structured(settings))


@dataclass(frozen=True)
class _Layer:
    """One source of settings, flattened: ``{"budget.iterations": 8, "sandbox.name": "docker"}``."""

    source: str  # for messages
    values: dict[str, Any]

    def choices(self) -> Iterator[tuple[str, str]]:
        """Yield the group choices that this source makes."""
        for group in CHOICES:
            if f"{group}.name" in self.values:
                yield group, str(self.values[f"{group}.name"])

    def check(self) -> None:
        """Refuse interpolations, unknown keys and unknown choices."""
        known = [key for key, _ in _flatten(asdict(Settings()))]
        for key, value in self.values.items():
            if re.search(r"\$\{|\?\?\?", str(value)):
                raise SettingsError(
                    f"{self.source}: {key}: {value} is not read", "write the value itself"
                )
            if key not in known:
                inner = [name for name in known if name.startswith(f"{key}.")]
                hint = (
                    f"a section with the keys {', '.join(inner)}"
                    if inner
                    else (f"no such setting; did you mean {_nearest(key, known)}?")
                )
                fix = "give it one of these keys" if inner else "write its name, or take it out"
                raise SettingsError(f"{self.source}: {key}: {hint}", fix)
        for group, choice in self.choices():
            check_word(f"{self.source}: {group}", choice, CHOICES[group])


def _read_yaml(text: str) -> _Layer:
    import yaml
    from omegaconf import OmegaConf
    from omegaconf.errors import GrammarParseError

    try:
        # A few aliases of aliases unfold to gigabytes.
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
            raise SettingsError("improve.yaml: *alias is not read", "write the value itself")
        tree = OmegaConf.to_container(OmegaConf.create(text), resolve=False)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or "no YAML"
        raise SettingsError(f"improve.yaml: {line}{problem}", _FORM) from None
    except GrammarParseError:
        fix = "write the value itself"
        raise SettingsError("improve.yaml: ${...} is not read", fix) from None
    except RecursionError:
        raise SettingsError("improve.yaml: it is nested too deeply", _FORM) from None
    except AssertionError:  # OmegaConf's answer to a text that is a bare number
        tree = None
    if not isinstance(tree, dict):
        raise SettingsError("improve.yaml: no settings stand in it", _FORM)
    return _Layer("improve.yaml", dict(_flatten(tree)))


def _read_word(word: str) -> _Layer:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import OverrideType
    from hydra.errors import HydraException

    key, equals, _ = word.partition("=")
    if not equals or not re.fullmatch(r"\w[\w.]*", key):
        raise SettingsError(f"{word}: expected key=value", "for instance budget.iterations=8")
    try:
        override = OverridesParser.create().parse_override(word)
    except HydraException:
        override = None
    if override is None or override.type != OverrideType.CHANGE or override.is_sweep_override():
        value = word.removeprefix(f"{key}=")
        fix = f"put the value in quotes: \"{key}='...'\""
        if re.fullmatch(r"\d+,\d+", value) and key != "sandbox.gpus":
            fix = f"write a point, not a comma: {word.replace(',', '.')}"
        raise SettingsError(f"{word}: cannot be read", fix)
    values = dict(_flatten({key: override.value()}))
    if isinstance(folder := values.get("llm.folder"), str):
        # A word speaks of where it is typed, improve.yaml of where it lies.
        values["llm.folder"] = str(Path(folder).expanduser().absolute())
    return _Layer(word, values)


def _flatten(tree: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        key = _ALIASES.get(f"{prefix}{name}", f"{prefix}{name}")
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{key}.")
        elif key in CHOICES:
            yield f"{key}.name", value
        else:
            yield key, value


def _nearest(key: str, known: Sequence[str]) -> str:
    """Return the key that looks most like ``key``; its last part alone counts too."""

    def likeness(other: str) -> float:
        tails = key.rpartition(".")[2], other.removesuffix(".name").rpartition(".")[2]
        return max(difflib.SequenceMatcher(None, *pair).ratio() for pair in ((key, other), tails))

    return max(known, key=likeness).removesuffix(".name")
