"""Lays a job out as a folder that a sandbox shows read-only, with places to mount the rest on."""

import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from improve_git.domain import FILES, Outcome
from improve_git.errors import SandboxError
from improve_git.files import shipped
from improve_git.sandboxes.base import ExportJob, Job, TrainJob

_PREFIX = "improve-git-job-"


@dataclass(frozen=True)
class Layout:
    """A job on the host's disk."""

    phase: str  # "train", "predict" or "export"
    folder: Path  # code/, job.json, and an empty place for each mount
    mounts: dict[str, Path]  # place inside the folder -> host file or folder to be shown there
    has_weights: bool  # whether hub/ has models

    def command(self, harness: str, job: str) -> list[str]:
        """Return what Python is to run where the harness and this folder are at these paths."""
        if self.phase == "export":
            return [f"{job}/exporter/__main__.py", harness, job]
        return [f"{harness}/__main__.py", self.phase, job]


@contextmanager
def lay_out(job: Job) -> Iterator[Layout]:
    """Make the folder of a job; it is gone when the block ends.

    Everything in it is readable by everybody, since the sandbox reads it as another user. Raises
    SandboxError where a file that is to be shown is not.
    """
    if set(job.files) != set(FILES.values()):
        raise ValueError(f"a job needs {', '.join(FILES.values())}, not {', '.join(job.files)}")
    if isinstance(job, TrainJob):
        phase = "train"
        mounts = {f"packs/{part}": job.packs / part for part in ("train", "tune")}
        mounts |= {f"hub/{model.name}": model for model in job.weights}
    else:
        phase = "export" if isinstance(job, ExportJob) else "predict"
        mounts = {"packs/images": job.pack, "weights.safetensors": job.weights_file}
    for path in mounts.values():
        _check_readable(path)

    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{_file_name(job.label)}-"))
    try:
        (folder / "code").mkdir()
        (folder / "hub").mkdir()
        for name, source in job.files.items():
            (folder / "code" / name).write_text(source, encoding="utf-8", newline="")
        about: dict[str, Any] = {
            "spec": job.spec,
            "cpus": job.limits.cpus,
            "memory_bytes": job.limits.memory_bytes,
        }
        if isinstance(job, ExportJob):
            about["format"] = job.format
            (folder / "exporter").mkdir()
            for file in (shipped("sandbox") / "exporter").glob("*.py"):
                shutil.copyfile(file, folder / "exporter" / file.name)
        (folder / "job.json").write_text(json.dumps(about))
        for place, path in mounts.items():
            inside = folder / place
            inside.parent.mkdir(parents=True, exist_ok=True)
            inside.mkdir() if path.is_dir() else inside.touch()
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield Layout(phase, folder, mounts, isinstance(job, TrainJob) and bool(job.weights))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def not_to_blame(outcome: Outcome, layout: Layout) -> Outcome:
    """Return an outcome, as the sandbox's own error where its job's files are gone meanwhile.

    Temporary folders are cleaned by all sorts of programs, and no candidate can help that.
    """
    if outcome.status == "ok" or all((layout.folder / "code" / f).exists() for f in FILES.values()):
        return outcome
    return Outcome("sandbox-error", f"{layout.folder} was removed while it was in use")


def clear_folders(label_prefix: str) -> int:
    """Remove the folders that killed engines left of jobs so labelled; return how many."""
    left = list(Path(tempfile.gettempdir()).glob(f"{_PREFIX}{_file_name(label_prefix)}*"))
    for folder in left:
        shutil.rmtree(folder, ignore_errors=True)
    return len(left)


def _file_name(label: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", label)


def _check_readable(path: Path) -> None:
    """Check that everybody can read a file, or a folder and all in it; parents do not matter."""
    if not path.exists():
        raise SandboxError(f"{path} is missing")
    for entry in (path, *path.rglob("*")) if path.is_dir() else (path,):
        needed = 0o005 if entry.is_dir() else 0o004
        if entry.stat().st_mode & needed != needed:
            raise SandboxError(
                f"{entry} cannot be read by the sandbox's user", f"chmod -R a+rX {path}"
            )
