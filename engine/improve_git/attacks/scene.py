"""The scene of an attack: how things stood before it, and what is looked at after it."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from improve_git.attacks.canaries import Canary, Ears
from improve_git.attacks.catalogue import SCORED, Attack
from improve_git.attacks.world import World, is_engines
from improve_git.domain import Attempt
from improve_git.errors import GitError
from improve_git.files import shipped
from improve_git.messages import trailers
from improve_git.pipeline import STATE, Pipeline
from improve_git.sandboxes.base import Sandbox
from improve_git.trail.history import read_history, read_record


@dataclass(frozen=True)
class Before:
    """How things stood before an attack."""

    main: str
    branches: dict[str, str]
    files: dict[str, str]  # of the pipeline's folder, without what a run writes -> hash
    shipped: str  # hash over the harness, the templates, the attacks, the images and the packs


@dataclass(frozen=True)
class Scene:
    """All that the checks look at."""

    attack: Attack
    world: World
    pipeline: Pipeline
    sandbox: Sandbox
    before: Before
    canary: Canary
    ears: Ears
    seconds: float  # that the run took
    stopped: str  # why the run broke off; "" where it came to its end
    said: tuple[str, ...]  # what it told the display

    def attempt(self) -> Attempt | None:
        """Return the attempt, where there is exactly one and it has a verdict."""
        attempts = read_history(self.pipeline.repo).attempts
        return attempts[0] if len(attempts) == 1 and attempts[0].verdict else None

    def record(self) -> dict[str, Any]:
        """Return the attempt's record; {} where there is none."""
        attempt = self.attempt()
        if attempt is None:
            return {}
        told = trailers(self.pipeline.repo.log("-1", attempt.commit)[0].message)
        return read_record(self.pipeline.repo, told.get("Record", "")) or {}

    def outcome(self) -> str:
        """Return what came of the candidate: ``scored``, or how it failed."""
        try:
            status = str(self.record().get("status", "no verdict"))
        except GitError:
            status = "no repository"
        return SCORED if status == "ok" else status


def look(pipeline: Pipeline, world: World) -> Before:
    """Note how things stand before an attack."""
    return Before(
        pipeline.main(), pipeline.repo.branches(), files(pipeline), unchanging(pipeline, world)
    )


def files(pipeline: Pipeline) -> dict[str, str]:
    """Return the files of a pipeline's folder that no run writes, with their hashes."""
    folder = pipeline.repo.folder
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    return {
        name: _hash(path)
        for name, path in paths.items()
        if (path.is_symlink() or not path.is_dir()) and not is_engines(name)
    }


def unchanging(pipeline: Pipeline, world: World) -> str:
    """Return a hash over what came with the program, the images and the packs."""
    digest = hashlib.sha256()
    names = ("sandbox", "component_templates", "attacks")
    packs = pipeline.repo.folder / STATE / "packs"
    for top in (*map(shipped, names), world.folder / "images", packs):
        for path in sorted(top.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(top)}\0{_hash(path)}\0".encode(errors="replace"))
    return digest.hexdigest()


def _hash(path: Path) -> str:
    if path.is_symlink():
        return f"link to {path.readlink()}"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no plain file"
