"""Pipelines whose sealed part is opened, for tests of what certifies and evaluates."""

from pathlib import Path

from improve_git.iteration.incumbent import Incumbent
from improve_git.iteration.trial import Bench
from improve_git.observer import Silent
from improve_git.pipeline import Pipeline
from improve_git.sealed import certification, evaluation
from improve_git.trail.openings import Opening
from scripted import SeededSandbox, source
from worlds import World, make_world

BETTER = ("model", "wider", source("model", 0.5))  # 30 points
BEST = ("train", "longer", source("train", 0.25))  # 5 points
WORSE = ("data", "rougher", source("data", 0.0))


def sealed_world(
    photos: Path, folder: Path, *moves: tuple[str, str, str], words: tuple[str, ...] = ()
) -> World:
    """Return a pipeline with 60 sealed images."""
    asked = ("data.split.test=0.3", *words)
    return make_world(photos, folder, [*moves], words=asked, sandbox=SeededSandbox)


def certify(w: World) -> Opening:
    pipeline, bench = _bench(w)
    main = Incumbent(pipeline, w.team, bench, bench.observer).measured()
    return certification.certify(pipeline, bench, main)


def evaluate(w: World, word: str = "main", *words: str, seeds: int = 3) -> Opening:
    pipeline, bench = _bench(w, *words)
    return evaluation.evaluate(bench, evaluation.plan(pipeline, word, seeds))


def used(w: World) -> tuple[list[int], list[str]]:
    """Return the seeds that were trained and the parts that were predicted since the last call."""
    assert isinstance(w.sandbox, SeededSandbox)
    found = ([seed for _, seed in w.sandbox.jobs], w.sandbox.parts)
    w.sandbox.jobs, w.sandbox.parts = [], []
    return found


def _bench(w: World, *words: str) -> tuple[Pipeline, Bench]:
    pipeline = Pipeline.open(w.pipeline.repo.folder, words)
    return pipeline, Bench(pipeline, w.sandbox, Silent())
