"""What a machine and a pipeline need for a run: one small check each, with the command that mends.

The checks print nothing and change nothing. Some take seconds: they try the real thing, since
finding a program or a package installed proves little.
"""

import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from improve_git.errors import ImproveError
from improve_git.figures import size_text
from improve_git.messages import one_line
from improve_git.pipeline import Pipeline

if TYPE_CHECKING:
    from improve_git.settings.schema import LlmSettings, SandboxSettings, Settings

State = Literal["ok", "note", "missing"]
Need = Literal["", "run", "process", "docker"]  # what is impossible while it is missing
_GIB = 2**30
_PACKAGES = ("torch", "torchvision", "timm", "safetensors")
_IMPORT_SECONDS = 180.0  # cold, over a slow disk
_LEAST_DISK = 2 * _GIB
_IMAGE_DISK = 14 * _GIB  # the sandbox's image, and as much again while it is built


@dataclass(frozen=True)
class Check:
    """What one check found."""

    name: str
    state: State
    told: str
    fix: str = ""  # the command that mends it
    need: Need = ""


def check_machine(settings: "SandboxSettings", folder: Path) -> Iterator[Check]:
    """Check the machine; ``folder`` is where a pipeline's state is or will be."""
    yield check_python()
    yield check_git()
    packages = check_packages()
    yield packages
    if packages.state == "ok":
        yield check_isolation(settings)
    engine, image = check_docker(settings)
    yield engine
    if image:
        yield image
    yield check_gpu()
    yield check_weights()
    yield check_disk(folder, image is not None and image.state != "ok")
    yield check_memory(settings)
    yield check_cores()


def check_pipeline(folder: Path) -> Iterator[Check]:
    """Check the pipeline that a folder lies in."""
    try:
        pipeline = Pipeline.open(folder)
        main = pipeline.main()
    except ImproveError as error:
        yield Check("pipeline", "missing", error.message, error.fix, "run")
        return
    yield Check("pipeline", "ok", str(pipeline.repo.folder))
    try:
        settings = pipeline.snapshot(main).settings
    except ImproveError as error:
        yield Check("settings", "missing", error.message, error.fix, "run")
        return
    yield Check("settings", "ok", "improve.yaml can be used")
    yield check_agents(settings.llm)
    yield check_images(pipeline, settings)
    yield check_packs(pipeline, settings)
    yield check_records(pipeline)


def obstacle(checks: list[Check]) -> str:
    """Say why no run is possible; empty where one is."""
    missing = {check.need: check for check in reversed(checks) if check.state == "missing"}
    if "run" in missing:
        return f"{missing['run'].name}: {missing['run'].told}"
    if "process" in missing and "docker" in missing:
        return "neither the process sandbox nor Docker can be used"
    return ""


def check_python() -> Check:
    """Name this Python."""
    return Check("Python", "ok", f"{platform.python_version()}, {sys.executable}")


def check_git() -> Check:
    """Look for a Git that is new enough."""
    from improve_git.git import require_git

    try:
        return Check("Git", "ok", require_git())
    except ImproveError as error:
        return Check("Git", "missing", error.message, "apt install git", "run")


def check_packages() -> Check:
    """Import what the process sandbox trains with, in a process of its own."""
    program = f"import {', '.join(_PACKAGES)}; print(torch.__version__)"
    install = shlex.join([sys.executable, "-m", "pip", "install", *_PACKAGES])
    try:
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            timeout=_IMPORT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        told = f"not imported within {_IMPORT_SECONDS:.0f} s"
        return Check("torch", "missing", told, install, "process")
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["they cannot be imported"])[-1]
        return Check("torch", "missing", one_line(last, 120), install, "process")
    return Check("torch", "ok", f"{done.stdout.strip()}, with torchvision, timm, safetensors")


def check_isolation(settings: "SandboxSettings") -> Check:
    """Try whether the process sandbox isolates here."""
    from improve_git.sandboxes.process import ProcessSandbox

    try:
        why = ProcessSandbox(settings.gpus).why_unisolated
    except ImproveError as error:
        return Check("isolation", "missing", error.message, error.fix, "process")
    if not why:
        return Check("isolation", "ok", "bubblewrap holds (probed)")
    fix = "" if shutil.which("bwrap") else "apt install bubblewrap"
    return Check("isolation", "missing", f"none, so only the playbook's own files run: {why}",
                 fix, "" if settings.allow_unisolated else "process")  # fmt: skip


def check_docker(settings: "SandboxSettings") -> tuple[Check, Check | None]:
    """Ask the Docker engine for its version, and for the sandbox's image."""
    from improve_git.sandboxes.docker import look

    try:
        version, tag, there = look(settings.base_image)
    except ImproveError as error:
        installed = shutil.which("dockerd") or shutil.which("docker")
        fix = "systemctl start docker" if installed else "apt install docker.io"
        return Check("Docker", "missing", error.message, fix, "docker"), None
    engine = Check("Docker", "ok", f"engine {version}")
    if there:
        return engine, Check("image", "ok", tag)
    told = f"{tag} is built by the first run in Docker"
    return engine, Check("image", "note", told, "improve-git run sandbox=docker")


def check_gpu() -> Check:
    """Ask NVIDIA's driver which GPUs there are."""
    program = shutil.which("nvidia-smi")
    if not program:
        return Check("GPU", "note", "none: training runs on the CPU")
    try:
        done = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=30,
                              check=False)  # fmt: skip
    except subprocess.TimeoutExpired:
        return Check("GPU", "missing", "the driver does not answer", "nvidia-smi")
    names = [line.split(" (UUID")[0] for line in done.stdout.splitlines() if line.strip()]
    if done.returncode or not names:
        return Check("GPU", "missing", "the driver finds none", "nvidia-smi")
    return Check("GPU", "ok", one_line(", ".join(names), 120))


def check_weights() -> Check:
    """Look for pretrained weights in the Hugging Face cache."""
    from improve_git.weights import at_hand, cache_folder

    names = sorted(at_hand())
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        return Check("weights", "ok", ", ".join(names[:3]) + more)
    fix = "improve-git weights pull tf_efficientnet_lite0.in1k"
    return Check("weights", "note", f"none in {cache_folder()}: models start from scratch", fix)


def check_agents(settings: "LlmSettings") -> Check:
    """Look whether the language model that the settings name can be asked; asks nothing."""
    from improve_git.llm.providers import PROVIDERS, models_of

    if settings.name not in PROVIDERS:
        whose = {"none": "the playbook, offline"}.get(settings.name, f"llm={settings.name}")
        return Check("agents", "ok", whose)
    if find_spec("litellm") is None:
        return Check("agents", "missing", "litellm is not installed",
                     "pip install 'improve-git[llm]'", "run")  # fmt: skip
    try:
        models = list(dict.fromkeys(models_of(settings).values()))
        for model in models:
            model.require_key()
    except ImproveError as error:
        return Check("agents", "missing", error.message, error.fix, "run")
    return Check("agents", "ok", f"llm={settings.name}: {', '.join(m.name for m in models)}")


def check_disk(folder: Path, image: bool = False) -> Check:
    """Look at the free space; ``image`` where the sandbox's image is still to be built."""
    folder = folder.absolute()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    told = f"{free / _GIB:.1f} GiB free at {there}"
    if free < _LEAST_DISK:
        return Check("disk", "missing", told, f"free {_LEAST_DISK / _GIB:.0f} GiB", "run")
    if image and free < _IMAGE_DISK:
        told += f"; building the image takes up to {_IMAGE_DISK / _GIB:.0f}"
        return Check("disk", "note", told, "docker system prune")
    return Check("disk", "ok", told)


def check_memory(settings: "SandboxSettings") -> Check:
    """Hold the machine's memory against what a training may use."""
    import psutil

    from improve_git.settings.validation import parse_bytes

    total, allowed = psutil.virtual_memory().total, parse_bytes(settings.memory)
    told = f"{total / _GIB:.1f} GiB; a training may use {settings.memory}"
    if allowed <= total:
        return Check("memory", "ok", told)
    return Check("memory", "note", told, f"improve-git run sandbox.memory={total // _GIB}g")


def check_cores() -> Check:
    """Count the cores that this process may use."""
    return Check("cores", "ok", str(len(os.sched_getaffinity(0))))


def check_images(pipeline: Pipeline, settings: "Settings") -> Check:
    """Compare the images with what they were when the pipeline was made."""
    from improve_git.datasets.store import find_images

    try:
        data_set = pipeline.snapshot(pipeline.main()).data_set
        root = find_images(data_set, settings.data, pipeline.state)
    except ImproveError as error:
        return Check("images", "missing", error.message, error.fix, "run")
    return Check("images", "ok", f"{len(data_set.entries):,} unchanged in {root}")


def check_packs(pipeline: Pipeline, settings: "Settings") -> Check:
    """Look for the packs that a run trains on."""
    from improve_git.datasets.packs import packs_size
    from improve_git.datasets.store import are_ready, packs_folder

    data_set = pipeline.snapshot(pipeline.main()).data_set
    folder = packs_folder(data_set, pipeline.state, settings.data)
    if are_ready(folder):
        return Check("packs", "ok", str(folder))
    size = size_text(packs_size(data_set, settings.data.cache_side))
    return Check("packs", "note", f"the next run writes them, about {size}")


def check_records(pipeline: Pipeline) -> Check:
    """Look for the records of all verdicts, which a plain clone does not bring."""
    from improve_git.trail.history import FETCH_NOTES, read_history

    history = read_history(pipeline.repo)
    verdicts = {attempt.commit for attempt in history.decided} | {s.commit for s in history.main}
    lacking = len(verdicts - pipeline.repo.notes().keys())
    if not lacking:
        return Check("records", "ok", f"{len(verdicts)} at hand")
    fix = f"git -C {shlex.quote(str(pipeline.repo.folder))} {FETCH_NOTES.removeprefix('git ')}"
    return Check("records", "note", f"{lacking} of {len(verdicts)} are not in this clone", fix)
