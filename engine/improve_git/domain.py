"""The words of the project as plain data. Imports nothing but the standard library."""

from dataclasses import dataclass, field
from typing import Any, Literal

Component = Literal["data", "model", "train"]
COMPONENTS: tuple[Component, ...] = ("data", "model", "train")
FILES: dict[Component, str] = {"data": "data.py", "model": "model.py", "train": "train.py"}

Part = Literal["train", "tune", "val", "test"]
PARTS: tuple[Part, ...] = ("train", "tune", "val", "test")

Verdict = Literal["baseline", "measured", "merged", "rejected", "failed"]

Status = Literal[
    "ok",
    "invalid",  # the contract is broken; found by the syntax tree or the dry run
    "crashed",
    "timeout",
    "out-of-memory",
    "diverged",  # predictions that are not finite
    "no-predictions",
    "bad-predictions",
    "too-much-output",
    "sandbox-error",  # ours or the engine's: never counted against the candidate
]


@dataclass(frozen=True)
class Design:
    """A first pipeline: the three files, and the commit that explains them."""

    files: dict[str, str]  # "data.py" -> source
    subject: str
    body: str


@dataclass(frozen=True)
class Assignment:
    """What the Performance Analyst asks of one engineer."""

    component: Component
    slug: str  # of the branch, [a-z0-9-]; names the move
    hypothesis: str
    instruction: str = ""
    expected_effect: str = ""


@dataclass(frozen=True)
class Rewrite:
    """One component's new file and the commit that explains it."""

    source: str
    subject: str  # imperative, at most 72 characters
    body: str


@dataclass(frozen=True)
class Attempt:
    """One iteration as the trail tells it."""

    number: int
    component: Component
    slug: str
    verdict: Verdict | None  # None while it is open
    reason: str = ""
    score: float | None = None
    main_score: float | None = None
    train_seconds: float | None = None
    hypothesis: str = ""
    commit: str = ""  # of the verdict; the branch's tip while it is open
    base: str = ""  # the commit of main that the attempt started from
    date: str = ""


@dataclass(frozen=True)
class Context:
    """What a team is told: nothing about val but rounded scores, nothing about test."""

    number: int  # of the iteration
    seed: int
    files: dict[str, str]  # the incumbent's: "data.py" -> source
    profile: dict[str, Any]  # dataset.json's "profile"
    attempts: list[Attempt]  # all so far, oldest first
    components: tuple[Component, ...] = COMPONENTS  # those that may change
    label_preserving: tuple[str, ...] = ()  # hflip, vflip, rot90, rotate: what leaves labels true
    weights: tuple[str, ...] = ()  # pretrained timm models at hand
    higher_is_better: bool = True
    cuda: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came out of one sandboxed trial. All of it is hostile input that has been checked."""

    status: Status
    reason: str = ""  # one line
    detail: str = ""  # the relevant part of a traceback, for the engineer
    curve: list[dict[str, Any]] = field(default_factory=list)  # one dict an epoch, as reported
    seconds: float = 0.0  # inside the sandbox, from the first to the last batch of the phase
    wall_seconds: float = 0.0  # as the host saw it, start-up included
    peak_memory_bytes: int | None = None
    stopped_by: str = ""  # "clock" where a time budget ended the training early
    log_tail: str = ""
    info: dict[str, Any] = field(default_factory=dict)  # device, versions, parameters, ...
