"""Certification: is main truly better than what was certified last? On sealed images, once.

A search picks what looks best on val, so its figures are optimistic however careful each merge
was. Here the tip is compared with the last certified commit (at first the baseline) on the sealed
test part and on seeds that no candidate was trained with. It passes where the confidence that it
is better reaches that of the opening, see ``openings``. ``refs/improve/certified`` marks the last
that passed.
"""

import math
from dataclasses import replace

from improve_git.errors import PipelineError
from improve_git.figures import better_text
from improve_git.git import NO_COMMIT, Repository
from improve_git.iteration.incumbent import Main
from improve_git.iteration.trial import Bench
from improve_git.pipeline import Pipeline
from improve_git.sealed import opening
from improve_git.sealed.opening import SEEDS, Side
from improve_git.trail.history import read_history
from improve_git.trail.openings import CERTIFIED, Opening, last_certified


def certify(pipeline: Pipeline, bench: Bench, main: Main, seeds: int = SEEDS) -> Opening:
    """Compare main with the last certified commit on sealed images and fresh seeds.

    Args:
        pipeline: whose main.
        bench: where both are trained; main's settings hold for both.
        main: measured.
        seeds: trainings a side, three at least.

    Raises:
        PipelineError: there is nothing new to certify, or a training failed. No opening is counted.
        SandboxError: the sandbox failed repeatedly.
    """
    repo = pipeline.repo
    _set_bookmark(repo)  # which a kill may have left behind
    against = last(pipeline)
    if not is_new(pipeline, main):
        what = "certified already" if last_certified(repo) else "the baseline still"
        raise PipelineError(
            f"main holds what is {what} ({against[:10]})",
            "improve-git run, and certify once there are merges",
        )
    older = replace(main.snapshot, files=pipeline.snapshot(against).files)
    planned = opening.plan(
        repo, Side("main", main.commit, main.snapshot), Side(against[:10], against, older), seeds,
        main.usual_seconds,
    )  # fmt: skip
    compared = opening.look(bench, planned)
    gain = compared.gain
    found = opening.find("certification", gain, planned.level)
    told = better_text(compared.tip["metric"], gain.value)
    sentence = _sentence(told, planned.images, seeds, gain.confidence, planned.level)
    verb = "Certify" if found.passed else "Do not certify"
    made = opening.record(repo, compared, found, verb, sentence)
    _set_bookmark(repo)
    return made


def sentence_of(made: Opening) -> str:
    """Return what came of it, in one line."""
    gain, confidence = better_text(made.metric, made.gain), made.confidence or 0
    return _sentence(gain, made.images, len(made.seeds), confidence, made.level)


def last(pipeline: Pipeline) -> str:
    """Return the commit that main is compared with: the last certified, or else the baseline.

    Raises:
        PipelineError: there is no baseline yet.
    """
    if found := last_certified(pipeline.repo):
        return found
    scores = read_history(pipeline.repo).main
    if not scores:
        raise PipelineError("nothing is measured yet", "improve-git run")
    return scores[0].commit


def is_new(pipeline: Pipeline, main: Main) -> bool:
    """Say whether main holds other files than what it would be compared with."""
    return pipeline.snapshot(last(pipeline)).files != main.snapshot.files


def _sentence(gain: str, images: int, seeds: int, confidence: float, asked: float) -> str:
    return (
        f"{gain} on {images:,} sealed images over {seeds} seeds a side, "
        f"confidence {math.floor(1e4 * confidence) / 1e4:.4f}, {asked:.4g} asked for"
    )


def _set_bookmark(repo: Repository) -> None:
    """Let a reference name what was certified last, for people."""
    tip, now = last_certified(repo), repo.resolve(CERTIFIED)
    if tip and tip != now:
        repo.update_ref(CERTIFIED, tip, now or NO_COMMIT, "certified")
