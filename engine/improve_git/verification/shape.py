"""Whether a record has the form that the engine writes: then it is safe to reckon with."""

from collections.abc import Callable, Mapping
from typing import Any

from improve_git.figures import LARGEST, METRICS
from improve_git.iteration.measurement import FORMAT
from improve_git.settings.validation import MOST_SEEDS

_Check = Callable[[Any], bool]


def fault(record: Mapping[str, Any]) -> str:
    """Say what of a verdict's record is not as the engine writes it; empty where all is."""
    return _odd(record, _REQUIRED) or _contradiction(record)


def side_fault(record: Any) -> str:
    """Say the same of one side of an opening: it always has a score."""
    if not isinstance(record, dict):
        return "it is no JSON object"
    needed = {key: fits for key, fits in _REQUIRED.items() if key != "verdict"}
    scored = record.get("score") is not None and record.get("judgement")
    return _odd(record, needed) or ("" if scored else "it has no score")


def _odd(record: Mapping[str, Any], required: Mapping[str, _Check]) -> str:
    if record.get("format") != FORMAT:
        return "it has another format"
    lacking = [key for key in required if key not in record]
    if lacking:
        return f"it has no {lacking[0]!r}"
    odd = [key for key, fits in required.items() if not fits(record[key])]
    odd += [key for key, fits in _OPTIONAL.items()
            if record.get(key) is not None and not fits(record[key])]  # fmt: skip
    odd += [key for key in _LISTS if key in record and record[key] is None]
    return f"its {odd[0]!r} is not of the engine's form" if odd else ""


def _contradiction(record: Mapping[str, Any]) -> str:
    if record["score"] is not None and not record.get("judgement"):
        return "it has a score without predictions"
    if (record["score"] is None) == (record["status"] == "ok"):
        return "its status and its score contradict each other"
    told = [record.get(key) not in (None, "") for key in _OF_ATTEMPTS]
    if record["verdict"] in _MAINS and any(told):
        return "it is of main, and says that it is of an attempt"
    if record["verdict"] not in _MAINS and not all(told):
        return "it does not say which attempt it is of"
    return ""


def _is(kind: type) -> _Check:
    return lambda value: isinstance(value, kind)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and abs(value) <= LARGEST


def _or_none(fits: _Check) -> _Check:
    return lambda value: value is None or fits(value)


def _list_of(fits: _Check) -> _Check:
    return lambda value: isinstance(value, list) and all(map(fits, value))


def _judgement(value: Any) -> bool:
    """Check what a score is recomputed from; the rest of it is compared, whatever it is."""
    if not isinstance(value, dict) or not _list_of(_whole)(value.get("predicted")):
        return False
    figures = value.get("figures")
    return figures is None or _list_of(_number)(figures) or _list_of(_list_of(_number))(figures)


def _seed_run(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and _list_of(_whole)(value.get("seeds"))
        and len(value["seeds"]) == 1
        and _number(value.get("score"))
        and _judgement(value.get("judgement"))
    )


def _llm(value: Any) -> bool:
    return isinstance(value, dict) and _whole(value.get("tokens")) and (
        "cost_usd" in value and _or_none(_number)(value["cost_usd"])
    )  # fmt: skip


def _rule(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"name", "seed", "seeds", "confidence", "chance"}
        and value["name"] in ("improves", "confirmed")
        and _whole(value["seed"])
        and _whole(value["seeds"])
        and _number(value["confidence"])
        and _number(value["chance"])
    )


_MAINS = ("baseline", "measured")
_LISTS = ("by_seed", "looks")  # left out where there are none
_OF_ATTEMPTS = ("iteration", "component", "move", "main_commit", "main_score", "verdict_reason")
_REQUIRED: dict[str, _Check] = {
    "key": _is(str),
    "status": _is(str),
    "metric": lambda value: isinstance(value, str) and value in METRICS,
    "score": _or_none(_number),
    "seeds": lambda value: _list_of(_whole)(value) and 0 < len(value) <= MOST_SEEDS,
    "settings": _is(dict),
    "sandbox": _is(str),
    "image": _is(str),
    "dataset": _is(str),
    "train_seconds": _or_none(_number),
    "stopped_by": _or_none(_is(str)),
    "verdict": _is(str),
}
_OPTIONAL: dict[str, _Check] = {
    "judgement": _judgement,
    "by_seed": _list_of(_seed_run),
    "split": _is(dict),
    "info": _is(dict),
    "iteration": _whole,
    "component": lambda value: value in ("data", "model", "train"),
    "move": _is(str),
    "main_commit": _is(str),
    "main_score": _number,
    "main_seeds": _list_of(_whole),
    "verdict_reason": _is(str),
    "confidence": _number,
    "luck": _number,
    "looks": lambda value: isinstance(value, list) and all(
        isinstance(look, list) and len(look) == 2 and _whole(look[0]) and _number(look[1])
        for look in value
    ),
    "llm": _llm,
    "rule": _rule,
}  # fmt: skip
