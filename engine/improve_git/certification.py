"""Certification: is main truly better than what was certified last? On sealed images, once.

A search picks what looks best on val, so its figures are optimistic however careful each merge
was. Here the tip is compared with the last certified commit (at first the baseline) on the sealed
test part and on seeds that no candidate was trained with. Each use opens the same images again, so
each has half the error budget of the one before: 0.05 / 2^j for the j-th, 0.05 for all of them
together, by the union bound. Every use is recorded under ``refs/improve/certifications``, which is
what counts, and ``refs/improve/certified`` marks the last that passed; neither is a branch, so no
team ever reads them.
"""

import math
from dataclasses import dataclass, replace

from improve_git.errors import PipelineError
from improve_git.figures import METRICS, gain_text, score_text
from improve_git.git import ENGINE, NO_COMMIT, Repository
from improve_git.history import CERTIFICATIONS, CERTIFIED, certificates, read_history
from improve_git.incumbent import Main
from improve_git.measurement import Measurement, combine, evidence
from improve_git.messages import compose
from improve_git.pipeline import Pipeline, Snapshot
from improve_git.significance import Gain, Pair, compare, seed_noise
from improve_git.trail import write_record
from improve_git.trial import Bench
from improve_git.words import failure

BUDGET = 0.05  # chance that any certificate at all is wrong
SEEDS = 3  # trainings a side
FIRST_SEED = 2000  # from the settings' seed; each use takes the next ones


@dataclass(frozen=True)
class Certificate:
    """What one use came to."""

    use: int  # from 1
    tip: str  # the commit of main that was to be certified
    against: str  # the commit that it was compared with
    passed: bool
    metric: str
    score: float  # of the tip, on the sealed images, mean over the seeds
    against_score: float
    gain: float  # positive where the tip is better
    low: float  # the gain is above this with the confidence asked for
    confidence: float
    asked: float
    images: int
    seeds: tuple[int, ...]

    @property
    def sentence(self) -> str:
        """What came of it, in one line."""
        sign = 1 if METRICS[self.metric] else -1
        gain = gain_text(self.metric, sign * self.gain)
        return (
            f"{gain} on {self.images:,} sealed images over {len(self.seeds)} seeds a side, "
            f"confidence {math.floor(1e4 * self.confidence) / 1e4:.4f}, {self.asked:.4g} asked for"
        )


def asked_confidence(use: int) -> float:
    """Return the confidence that the j-th use has to reach: 1 - 0.05 / 2^j."""
    return 1 - BUDGET / float(2**use)


def certify(pipeline: Pipeline, bench: Bench, main: Main, seeds: int = SEEDS) -> Certificate:
    """Compare main with the last certified commit on sealed images and fresh seeds.

    Args:
        pipeline: whose main.
        bench: where both are trained; main's settings hold for both.
        main: measured.
        seeds: trainings a side, three at least.

    Raises:
        PipelineError: there is nothing new to certify, or a training failed. No use is counted.
        SandboxError: the sandbox failed repeatedly.
    """
    repo = pipeline.repo
    _set_bookmark(repo)  # which a kill may have left behind
    against = last(pipeline)
    older = replace(main.snapshot, files=pipeline.snapshot(against).files)
    if not is_new(pipeline, main):
        what = "certified already" if _certified(repo) else "the baseline still"
        raise PipelineError(
            f"main holds what is {what} ({against[:10]})",
            "improve-git run, and certify once there are merges",
        )
    use = len(certificates(repo)) + 1
    first = main.snapshot.settings.seed + FIRST_SEED + sum(
        len(said.get("Seeds", "").split(",")) for said in certificates(repo)
    )  # fmt: skip
    fresh = tuple((first + step) % 2**32 for step in range(seeds))
    ours, theirs = (
        combine([_sealed(bench, snapshot, seed, name, main) for seed in fresh])
        for name, snapshot in (("main", main.snapshot), (against[:10], older))
    )
    gain = _compare(main.snapshot, ours, theirs)
    asked = asked_confidence(use)
    certificate = Certificate(
        use=use, tip=main.commit, against=against,
        passed=gain.value > 0 and gain.confidence >= asked, metric=ours["metric"],
        score=ours["score"], against_score=theirs["score"], gain=gain.value, low=gain.low(asked),
        confidence=gain.confidence, asked=asked,
        images=len(main.snapshot.data_set.part("test")), seeds=fresh,
    )  # fmt: skip
    _record(repo, certificate, ours, theirs)
    _set_bookmark(repo)
    return certificate


def last(pipeline: Pipeline) -> str:
    """Return the commit that main is compared with: the last certified, or else the baseline.

    Raises:
        PipelineError: there is no baseline yet.
    """
    if found := _certified(pipeline.repo):
        return found
    scores = read_history(pipeline.repo).main
    if not scores:
        raise PipelineError("nothing is measured yet", "improve-git run")
    return scores[0].commit


def is_new(pipeline: Pipeline, main: Main) -> bool:
    """Say whether main holds other files than what it would be compared with."""
    return pipeline.snapshot(last(pipeline)).files != main.snapshot.files


def _certified(repo: Repository) -> str | None:
    """Return the commit that passed last, as the certificates tell it; None where none did."""
    passed = (said.get("Tip") for said in certificates(repo) if said.get("Passed") == "yes")
    return next(passed, None)


def _set_bookmark(repo: Repository) -> None:
    """Let a reference name what was certified last, for people."""
    tip, now = _certified(repo), repo.resolve(CERTIFIED)
    if tip and tip != now:
        repo.update_ref(CERTIFIED, tip, now or NO_COMMIT, "certified")


def _sealed(bench: Bench, snapshot: Snapshot, seed: int, name: str, main: Main) -> Measurement:
    title = f"certify: {name}, seed {seed}"
    seeded = snapshot.seeded(seed)
    measured = bench.measure(seeded, title, main.usual_seconds, part="test")
    bench.pipeline.weights_file(bench.key(seeded)).unlink(missing_ok=True)
    if measured["status"] != "ok":
        raise PipelineError(
            f"{name} cannot be certified: with seed {seed}, {failure(measured)}",
            "improve-git run measures main; budget.train_seconds gives it more time",
        )
    return measured


def _compare(snapshot: Snapshot, ours: Measurement, theirs: Measurement) -> Gain:
    sides = [evidence(snapshot.data_set, [side], "test") for side in (ours, theirs)]
    runs = [list(side.by_seed.values()) for side in sides]
    noise = seed_noise([[run.score for run in side] for side in runs])
    return compare(Pair(ours["metric"], sides[0].labels, *runs), noise)


def _record(repo: Repository, made: Certificate, ours: Measurement, theirs: Measurement) -> None:
    """Write the use down, in one step: it counts or it does not.

    The commit stands on the one before and on the tip, so that whoever has it has both.
    """
    blob = write_record(repo, {"certificate": vars(made), "main": ours, "against": theirs})
    verb = "Certify" if made.passed else "Do not certify"
    told = score_text(made.metric, made.score)
    message = compose(f"{verb} {made.tip[:10]}, {told}", made.sentence, {
        "Certification": made.use,
        "Tip": made.tip,
        "Against": made.against,
        "Passed": "yes" if made.passed else "no",
        f"Test-{made.metric}": f"{made.score:.6g}",
        f"Against-{made.metric}": f"{made.against_score:.6g}",
        "Gain-Above": f"{made.low:.6g}",
        "Confidence": f"{made.confidence:.6f}",
        "Confidence-Asked": f"{made.asked:.6f}",
        "Seeds": ",".join(map(str, made.seeds)),
        "Record": blob,
    })  # fmt: skip
    before = repo.resolve(CERTIFICATIONS)
    parents = [before, made.tip] if before else [made.tip]
    # The record lies in the tree, so that the reference alone carries it.
    tree = repo.write_tree(None, {"record.json": repo.read_blob(blob)})
    commit = repo.commit(tree, parents, message, ENGINE)
    repo.update_ref(CERTIFICATIONS, commit, before or NO_COMMIT, f"certification {made.use}")
