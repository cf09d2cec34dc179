"""Opening the sealed test part: two sides trained on fresh seeds, judged, compared, recorded.

Which opening it is and which seeds it takes follow from the recorded openings alone, and results
are remembered as any trial's are. So an opening that was interrupted goes on where it was, has
told nothing, and counts once it is recorded.
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from improve_git.errors import PipelineError
from improve_git.figures import level_text, score_text
from improve_git.git import ENGINE, NO_COMMIT, Repository
from improve_git.iteration.measurement import Measurement, combine, evidence
from improve_git.iteration.trial import Bench
from improve_git.iteration.words import failure
from improve_git.judging.significance import Gain, Pair, compare, seed_noise
from improve_git.messages import compose
from improve_git.pipeline import Snapshot
from improve_git.trail.history import TITLES, read_history
from improve_git.trail.openings import OPENINGS, Kind, Opening, level_of, read_openings, seeds_of
from improve_git.trail.writing import write_record

if TYPE_CHECKING:
    from improve_git.datasets.dataset import DataSet

SEEDS = 3  # trainings a side
FIRST_SEED = 2000  # from the settings' seed


@dataclass(frozen=True)
class Side:
    """One of the two that are compared."""

    name: str  # for people
    commit: str
    snapshot: Snapshot


@dataclass(frozen=True)
class Plan:
    """What an opening is about to do."""

    number: int  # of the opening
    tip: Side
    against: Side
    seeds: tuple[int, ...]
    usual_seconds: float | None  # what the baseline's training took

    @property
    def level(self) -> float:
        """The confidence at which its bounds will stand."""
        return level_of(self.number)

    @property
    def images(self) -> int:
        """How many images are sealed."""
        return len(self.tip.snapshot.data_set.part("test"))

    @property
    def announcement(self) -> str:
        """What is told before anything runs."""
        return (
            f"opening {self.number} of the sealed test part, {self.images:,} images: "
            f"{self.tip.name} against {self.against.name}, {2 * len(self.seeds)} trainings, "
            f"at {level_text(self.level)} confidence"
        )


@dataclass(frozen=True)
class Comparison:
    """What the sealed images said."""

    plan: Plan
    gain: Gain
    tip: Measurement
    against: Measurement


@dataclass(frozen=True)
class Finding:
    """What an opening comes to; the fields are those of ``Opening``."""

    kind: Kind
    gain: Gain
    low: float
    high: float | None = None
    confidence: float | None = None
    passed: bool | None = None


def plan(
    repo: Repository, tip: Side, against: Side, seeds: int, usual_seconds: float | None
) -> Plan:
    """Return what the next opening does. Both sides have the same settings and data.

    Raises:
        PipelineError: no image is sealed.
    """
    made = Plan(
        len(read_openings(repo)) + 1, tip, against,
        _fresh(repo, tip.snapshot.settings.seed + FIRST_SEED, seeds), usual_seconds,
    )  # fmt: skip
    if not made.images:
        raise PipelineError("no image of dataset.json is in the test part", "improve-git init")
    return made


def look(bench: Bench, planned: Plan) -> Comparison:
    """Train and judge both sides. Nothing counts before it is recorded.

    Raises:
        DataError: the images are not at hand.
        PipelineError: a training failed.
        SandboxError: the sandbox failed repeatedly.
    """
    bench.packs(planned.tip.snapshot)  # first: missing images are told before anything is
    bench.observer.say(planned.announcement)
    ours, theirs = (
        combine([_measure(bench, planned, side, seed) for seed in planned.seeds])
        for side in (planned.tip, planned.against)
    )
    gain = gain_of(planned.tip.snapshot.data_set, ours, theirs)
    return Comparison(planned, gain, ours, theirs)


def gain_of(data_set: "DataSet", ours: Measurement, theirs: Measurement) -> Gain:
    """Return by how much one measurement on the sealed images is better than the other.

    The noise between seeds is pooled over the two sides alone.
    """
    sides = [evidence(data_set, [side], "test") for side in (ours, theirs)]
    runs = [list(side.by_seed.values()) for side in sides]
    noise = seed_noise([[run.score for run in side] for side in runs])
    return compare(Pair(ours["metric"], sides[0].labels, *runs), noise)


def find(kind: Kind, gain: Gain, level: float) -> Finding:
    """Return what a gain comes to at an opening's confidence level."""
    if kind == "evaluation":
        low, high = gain.interval(level)
        return Finding(kind, gain, low, high)
    passed = gain.value > 0 and gain.confidence >= level
    return Finding(kind, gain, gain.low(level), None, gain.confidence, passed)


def trailers_of(
    number: int, commits: tuple[str, str], found: Finding, ours: Measurement, theirs: Measurement
) -> dict[str, str | None]:
    """Return what an opening's commit says for machines, but for the name of its record."""
    title = TITLES[ours["metric"]]
    return {
        "Opening": str(number),
        "Kind": found.kind,
        "Tip": commits[0],
        "Against": commits[1],
        "Passed": None if found.passed is None else ("yes" if found.passed else "no"),
        f"Test-{title}": f"{ours['score']:.6g}",
        f"Against-{title}": f"{theirs['score']:.6g}",
        "Gain": f"{found.gain.value:.6g}",
        "Gain-Low": f"{found.low:.6g}",
        "Gain-High": None if found.high is None else f"{found.high:.6g}",
        "Confidence": None if found.confidence is None else f"{found.confidence:.6f}",
        "Confidence-Level": f"{level_of(number):.10g}",
        "Images": str(len(ours["judgement"]["predicted"])),
        "Seeds": ",".join(map(str, ours["seeds"])),
        "Sandbox": ours["sandbox"],
        "Image": ours["image"],
        "Dataset": ours["dataset"],
    }  # fmt: skip


def record(
    repo: Repository, compared: Comparison, found: Finding, verb: str, sentence: str
) -> Opening:
    """Write an opening down, in one step: it counts or it does not.

    The commit stands on the one before and on the tip, so that whoever has it has both. The record
    lies in its tree, so that the reference alone carries it.
    """
    planned, ours, theirs = compared.plan, compared.tip, compared.against
    told = vars(found) | {"gain": vars(found.gain)}
    blob = write_record(repo, {"opening": told, "tip": ours, "against": theirs})
    subject = f"{verb} {planned.tip.commit[:10]}, {score_text(ours['metric'], ours['score'])}"
    commits = planned.tip.commit, planned.against.commit
    labels = trailers_of(planned.number, commits, found, ours, theirs)
    message = compose(subject, sentence, labels | {"Record": blob})
    before = repo.resolve(OPENINGS)
    parents = [before, planned.tip.commit] if before else [planned.tip.commit]
    tree = repo.write_tree(None, {"record.json": repo.read_blob(blob)})
    commit = repo.commit(tree, parents, message, ENGINE)
    repo.update_ref(OPENINGS, commit, before or NO_COMMIT, f"opening {planned.number}")
    return read_openings(repo)[0]


def _fresh(repo: Repository, first: int, count: int) -> tuple[int, ...]:
    """Return the first seeds from one on that no opening had, nor any score that main has had."""
    used = {seed for one in read_openings(repo) for seed in one.seeds}
    for scored in read_history(repo).main:
        used |= {*seeds_of(scored.trailers.get("Seeds", ""))}
    seeds: Iterable[int] = (seed % 2**32 for seed in itertools.count(first))
    return tuple(itertools.islice((seed for seed in seeds if seed not in used), count))


def _measure(bench: Bench, planned: Plan, side: Side, seed: int) -> Measurement:
    title = f"opening {planned.number}: {side.name}, seed {seed}"
    seeded = side.snapshot.seeded(seed)
    measured = bench.measure(seeded, title, planned.usual_seconds, part="test")
    bench.pipeline.weights_file(bench.key(seeded)).unlink(missing_ok=True)
    if measured["status"] != "ok":
        raise PipelineError(
            f"{side.name} cannot be judged: with seed {seed}, {failure(measured)}; "
            "no opening is counted",
            "improve-git run measures main; budget.train_seconds gives it more time",
        )
    return measured
