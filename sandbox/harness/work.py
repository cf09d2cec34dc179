"""One phase from start to result: sets the stage, calls the phase, sends what came of it."""

import importlib
import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from .breach import breach, result_of
from .frames import Frames


class Spec(dict[str, Any]):
    """What the pipeline is told, as ``spec.num_classes`` or ``spec["num_classes"]``."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(
                f"spec has no {name!r}; it has {', '.join(sorted(self))}"
            ) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value


class Stage:
    """What both phases stand on: the job, the frames, the clock, the candidate's modules."""

    def __init__(self, job: Path, frames: Frames) -> None:
        about = json.loads((job / "job.json").read_text())
        self.job = job
        self.code = job / "code"
        self.frames = frames
        self.spec = Spec(about["spec"])
        self.memory_bytes = int(about["memory_bytes"])
        self.cpus: float | None = about["cpus"]
        self.seconds = 0.0  # of the training or the predicting alone
        self.stopped_by = ""
        self.info: dict[str, Any] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Tell the engine when a phase begins, and at its end how many seconds it took."""
        self.frames.event("phase", name=name)
        start = time.perf_counter()
        yield
        self.frames.event("phase", name=name, seconds=round(time.perf_counter() - start, 3))

    def prepare_torch(self) -> None:
        """Import torch and fill in what the spec says of this machine."""
        import torch

        cores = len(os.sched_getaffinity(0))
        threads = min(cores, max(1, round(self.cpus))) if self.cpus else cores
        torch.set_num_threads(threads)
        cuda = torch.cuda.is_available()
        self.spec["device"] = "cuda" if cuda else "cpu"
        # On a CPU the training itself uses all cores: workers would only be in its way.
        self.spec.setdefault("num_workers", min(8, threads) if cuda else 0)
        self.spec["memory_bytes"] = (
            torch.cuda.get_device_properties(0).total_memory if cuda else self.memory_bytes
        )
        self.info["device"] = torch.cuda.get_device_name(0) if cuda else "cpu"
        self.info["torch"] = torch.__version__
        self.info["threads"] = threads

    def load(self, *names: str) -> list[ModuleType]:
        """Import the candidate's files, which may import each other."""
        # First on the path is safe: the folder holds the three files and nothing else.
        sys.path.insert(0, str(self.code))
        modules = []
        for name in names:
            self.seed()
            modules.append(importlib.import_module(name))
        return modules

    def seed(self) -> None:
        """Seed all generators, so that each contract call starts alike."""
        import random

        import numpy as np
        import torch

        seed = int(self.spec["seed"])
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.manual_seed(seed)

    def function(self, module: ModuleType, name: str) -> Any:
        """Return a contract function of a module, seeding before it is called."""
        found = getattr(module, name, None)
        if not callable(found):
            breach("missing", f"{module.__name__}.py does not define the function {name}()")
        self.seed()
        return found


def work(phase: str, job: Path, out: int) -> None:
    """Run "train" or "predict" on a job folder; the result goes out on the descriptor."""
    frames = Frames(out)
    stage = Stage(job, frames)

    def on_uncaught(
        _type: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        sys.__excepthook__(type(error), error, trace)  # the whole story, to standard error
        sys.stderr.flush()
        frames.result(**result_of(error, stage.code), **_measured(stage))
        os._exit(1)

    with stage.phase("imports"):
        stage.prepare_torch()
        run = importlib.import_module(f".{phase}", __package__).run
    frames.event("ready")
    # From here on what is raised is the candidate's; before, it is the sandbox's.
    sys.excepthook = on_uncaught
    run(stage)
    sys.stdout.flush()
    sys.stderr.flush()
    frames.result(status="ok", **_measured(stage))


def _measured(stage: Stage) -> dict[str, Any]:
    return {
        "seconds": round(stage.seconds, 3),
        "stopped_by": stage.stopped_by,
        "peak_memory_bytes": _peak_memory(),
        "info": stage.info,
    }


def _peak_memory() -> int:
    """Return the peak resident memory, in bytes: of this process and of its largest worker.

    The container's own figure would count cached files too.
    """
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return 1024 * sum(resource.getrusage(who).ru_maxrss for who in whose)
