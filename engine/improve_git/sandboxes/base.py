"""What every sandbox offers: three jobs, each run to an outcome whatever the candidate does."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from improve_git.domain import Outcome

if TYPE_CHECKING:
    import numpy as np

UNISOLATED = "process-unisolated"  # the sandbox that is none

Event = dict[str, Any]
OnEvent = Callable[[Event], None]

Format = Literal["safetensors", "torch", "onnx"]  # what trained weights are handed on as


def ignore_event(_event: Event) -> None:
    """Take an event and do nothing with it."""


@dataclass(frozen=True)
class Limits:
    """What one phase may use."""

    seconds: float  # deadline of the phase, start-up included
    memory_bytes: int
    processes: int  # threads count too
    scratch_bytes: int  # of /tmp
    shm_bytes: int  # of /dev/shm
    output_bytes: int  # all that is read from the sandbox
    cpus: float | None = None  # None: all


@dataclass(frozen=True)
class TrainJob:
    """Train a pipeline on its train and tune packs."""

    files: dict[str, str]  # "data.py" -> source
    packs: Path  # holds train/ and tune/; nothing else in it is shown
    spec: dict[str, Any]
    weights: tuple[Path, ...]  # model folders of the host's Hugging Face cache
    limits: Limits
    label: str  # marks what this job leaves behind, see Sandbox.clear_leftovers
    weights_out: Path  # host file that the trained weights are written to, opaque bytes


@dataclass(frozen=True)
class PredictJob:
    """Predict one unlabelled pack with trained weights."""

    files: dict[str, str]
    pack: Path
    spec: dict[str, Any]
    weights_file: Path
    limits: Limits
    label: str


@dataclass(frozen=True)
class ExportJob:
    """Check trained weights on some images that the pipeline was trained with; bring them into
    another format.
    """

    files: dict[str, str]
    pack: Path
    spec: dict[str, Any]
    weights_file: Path
    limits: Limits
    label: str
    format: Format
    file_out: Path  # host file that they are written to in that format; safetensors: nothing is


Job = TrainJob | PredictJob | ExportJob


class Sandbox(Protocol):
    """Runs jobs. Nothing a candidate does raises; it all ends as an Outcome."""

    name: str  # "docker", "process" or "process-unisolated"
    image: str  # names the software inside, as far as it can change a score

    def train(self, job: TrainJob, on_event: OnEvent = ignore_event) -> Outcome:
        """Train; the weights are in ``job.weights_out`` only where the status is ok."""
        ...

    def predict(
        self, job: PredictJob, on_event: OnEvent = ignore_event
    ) -> "tuple[Outcome, np.ndarray[Any, np.dtype[np.float32]] | None]":
        """Predict; where the status is ok, finite float32 logits (images, classes) come too."""
        ...

    def export(self, job: ExportJob, on_event: OnEvent = ignore_event) -> Outcome:
        """Export; ``job.file_out`` is there only where the status is ok."""
        ...

    def clear_leftovers(self, label_prefix: str) -> int:
        """End and remove what killed engines left of jobs so labelled; return how many."""
        ...
