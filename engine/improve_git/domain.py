"""The words of the project as plain data. Imports nothing but the standard library."""

from dataclasses import dataclass, field
from typing import Any, Literal

Component = Literal["data", "model", "train"]
COMPONENTS: tuple[Component, ...] = ("data", "model", "train")
FILES: dict[Component, str] = {"data": "data.py", "model": "model.py", "train": "train.py"}

Part = Literal["train", "tune", "val", "test"]
PARTS: tuple[Part, ...] = ("train", "tune", "val", "test")

Role = Literal["architect", "analyst", "data", "model", "train"]  # the last three: the engineers
ROLES: tuple[Role, ...] = ("architect", "analyst", *COMPONENTS)

UNASSIGNED = "no-assignment"  # the slug where the analyst gave none that can be used
BY_HAND = "by hand"  # the team's name where a person has written

Verdict = Literal["baseline", "measured", "merged", "rejected", "failed"]

Status = Literal[
    "ok",
    "no-rewrite",  # the team gave no assignment or no file that can be used
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
    by: str = ""  # the model that wrote it; "": the team's name


@dataclass(frozen=True)
class Assignment:
    """What the Performance Analyst asks of one engineer."""

    component: Component
    slug: str  # of the branch, [a-z0-9-]; names the move
    hypothesis: str
    instruction: str = ""
    expected_effect: str = ""
    mechanism: str = ""  # the kind of change, such as augmentation; "": not told
    by: str = ""


@dataclass(frozen=True)
class Rewrite:
    """One component's new file and the commit that explains it."""

    source: str
    subject: str  # imperative, at most 72 characters
    body: str
    by: str = ""


@dataclass(frozen=True)
class Proposal:
    """One component's new file as a person's own branch holds it."""

    component: Component
    slug: str
    source: str
    message: str  # the person's own
    name: str  # of the person
    email: str
    commit: str  # the branch's tip


@dataclass(frozen=True)
class Training:
    """What a training showed on train and tune; nothing of val."""

    curve: list[dict[str, Any]]  # one dict an epoch, as reported
    seconds: float
    stopped_by: str = ""  # "clock" where the safety stop ended it
    peak_memory_bytes: int | None = None
    parameters: int | None = None
    device: str = "cpu"
    tune_confusion: list[list[int]] = field(default_factory=list)  # [label][predicted]; []: unknown


@dataclass(frozen=True)
class Machine:
    """What there is to train on."""

    cores: int
    memory_bytes: int  # that a training may use
    gpu: str = ""  # "": none


@dataclass(frozen=True)
class Weights:
    """Pretrained weights at hand."""

    name: str  # of timm, such as tf_efficientnet_lite0.in1k
    parameters: int | None = None
    input_size: int | None = None  # pixels a side in pretraining


@dataclass(frozen=True)
class Attempt:
    """One iteration as the trail tells it."""

    number: int
    component: Component
    slug: str
    verdict: Verdict | None  # None while it is open
    reason: str = ""
    metric: str = "accuracy"  # what its scores are, where it has any
    score: float | None = None
    main_score: float | None = None
    train_seconds: float | None = None
    hypothesis: str = ""
    expected_effect: str = ""
    mechanism: str = ""
    subject: str = ""  # of the engineer's newest commit
    body: str = ""  # of the same: why, and what was left out
    commit: str = ""  # of the verdict; the branch's tip while it is open
    base: str = ""  # the commit of main that the attempt started from
    date: str = ""
    record: str = ""  # the blob of the long account
    seed_scores: tuple[float, ...] = ()  # where its score is a mean over several seeds
    looks: int = 0  # at val
    luck: float | None = None  # what its gain varies by if there is no difference
    proposer: str = ""  # "Ann <ann@example.org>" where it tries a branch of hers; "": a team's
    proposal: str = ""  # the commit of that branch


@dataclass(frozen=True)
class Context:
    """What a team is told: of val nothing but scores, of test nothing.

    Scores are exact; a team rounds them before it tells them to a language model.
    """

    number: int  # of the iteration; 0 at init and while the baseline is repaired
    seed: int
    files: dict[str, str]  # the incumbent's: "data.py" -> source
    profile: dict[str, Any]  # dataset.json's "profile"
    attempts: list[Attempt]  # all with a verdict so far, oldest first
    components: tuple[Component, ...] = COMPONENTS  # those that may change
    label_preserving: tuple[str, ...] = ()  # hflip, vflip, rot90, rotate: what leaves labels true
    weights: tuple[Weights, ...] = ()  # pretrained timm models at hand
    metric: str = "accuracy"
    higher_is_better: bool = True
    score: float | None = None  # main's, on val
    smallest_gain: float | None = None  # a gain below it can be luck; None: unknown
    confirming_seeds: int = 1  # that a merge takes
    seed_noise: float | None = None  # standard deviation of main's score between seeds; None: ?
    training: Training | None = None  # main's
    recent: dict[int, Training] = field(default_factory=dict)  # of the newest attempts, by number
    # The file of each of the newest attempts, before and after.
    rewritten: dict[int, tuple[str, str]] = field(default_factory=dict)
    # What was tried on exactly main's other two files, and not merged: number -> the file.
    tried: dict[int, str] = field(default_factory=dict)
    machine: Machine = Machine(1, 2**33)
    stop_seconds: float | None = None  # the safety stop of a training
    trainings_left: int | None = None
    hours_limited: bool = False  # whether the hours of training have a cap
    about: str = ""  # the user's description of the data set
    notes: str = ""  # the user's NOTES.md: how the search is to be steered

    @property
    def cuda(self) -> bool:
        """Whether trainings run on a GPU."""
        return bool(self.machine.gpu)


@dataclass(frozen=True)
class Outcome:
    """What came out of one sandboxed trial. All of it is hostile input that has been checked."""

    status: Status
    reason: str = ""  # one line
    detail: str = ""  # the relevant part of a traceback, for the engineer
    curve: list[dict[str, Any]] = field(default_factory=list)  # one dict an epoch, as reported
    tune_predicted: list[int] = field(default_factory=list)  # class of each tune image; [] unknown
    seconds: float = 0.0  # inside the sandbox, from the first to the last batch of the phase
    wall_seconds: float = 0.0  # as the host saw it, start-up included
    peak_memory_bytes: int | None = None
    stopped_by: str = ""  # "clock" where a time budget ended the training early
    log_tail: str = ""
    info: dict[str, Any] = field(default_factory=dict)  # device, versions, parameters, ...
