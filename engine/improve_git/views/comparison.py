"""Two measured revisions on the same val images: by how much one is better, and on which images.

A is what B is compared with. Trainings are paired by their seeds; where the two share none, each
training of one is paired with each of the other.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from improve_git.datasets.dataset import DataSet, Entry
from improve_git.domain import Attempt
from improve_git.errors import PipelineError
from improve_git.git import Repository
from improve_git.judging.significance import Pair, Trained, churn, compare, seed_noise
from improve_git.messages import one_line
from improve_git.trail import recorded
from improve_git.trail.history import History, Scored
from improve_git.trail.revision import Revision

INTERVAL = 0.95
_Runs = Mapping[int, Trained]  # seed -> what it came to
_Row = Attempt | Scored


@dataclass(frozen=True)
class Side:
    """One of the two."""

    name: str
    number: int | None  # of the iteration; None: a score of main's own
    commit: str  # of the verdict
    score: float  # on val, as the verdict tells it
    has_record: bool
    has_predictions: bool  # of these images


@dataclass(frozen=True)
class SeedPair:
    """The scores of one seed; None: not trained with it."""

    seed: int
    a: float | None
    b: float | None


@dataclass(frozen=True)
class PairedGain:
    """How much better B is, and how sure that is; positive where B is better."""

    value: float
    error: float  # standard error
    low: float  # the true gain lies between, with a confidence of 95 %
    high: float
    confidence: float  # that the true gain is above zero
    seed_noise: float | None  # the standard deviation between seeds that counts; None: unknown


@dataclass(frozen=True)
class Agreement:
    """In how many answers who is right: McNemar's table, added up over the pairs of trainings."""

    both: int
    only_a: int
    only_b: int
    neither: int


@dataclass(frozen=True)
class ClassPair:
    """The recalls of one class, means over the seeds."""

    name: str
    images: int
    a: float
    b: float


@dataclass(frozen=True)
class Difference:
    """An image that one of the two gets right more often, with the answers of each training."""

    entry: Entry
    a: tuple[int, ...]  # numbers of classes
    b: tuple[int, ...]


@dataclass(frozen=True)
class Paired:
    """What the predictions of both tell."""

    seeds: tuple[int, ...]  # that both were trained with; (): none, so all of either's count
    pairs: int  # of trainings
    gain: PairedGain
    agreement: Agreement
    classes: tuple[ClassPair, ...]
    differ: tuple[Difference, ...]


@dataclass(frozen=True)
class Comparison:
    """All that `improve-git compare` tells."""

    a: Side
    b: Side
    metric: str
    images: int  # of val
    class_names: tuple[str, ...]
    seeds: tuple[SeedPair, ...]
    paired: Paired | None  # None: the predictions of one side are not at hand


def compare_revisions(
    repo: Repository, history: History, one: Revision, other: Revision
) -> Comparison:
    """Compare B, the other, with A.

    Raises:
        PipelineError: one has no score, or they were judged by other metrics or on other images.
        DataError: a dataset.json is damaged.
    """
    measured: list[_Row] = [*history.decided, *history.main]
    rows = {row.commit: row for row in measured}
    a_row, b_row = rows[one.commit], rows[other.commit]
    for revision, row in ((one, a_row), (other, b_row)):
        if row.score is None or not math.isfinite(row.score):
            reason = one_line(revision.trailers.get("Reason", ""), 200)
            raise PipelineError(
                f"{revision.name} has no score{f': {reason}' if reason else ''}",
                "compare two that log tells a score of",
            )
    if a_row.metric != b_row.metric:
        raise PipelineError(
            f"{one.name} is judged by {a_row.metric}, {other.name} by {b_row.metric}: scores of "
            "different metrics do not compare",
            "compare two that were judged by the same one",
        )
    data_set = _common_data(repo, one, other)
    a_runs, b_runs = (_trainings(revision, a_row.metric, data_set) for revision in (one, other))
    a_seeds, b_seeds = (
        recorded.seed_scores(row[0].trailers, row[1].score)
        for row in ((one, a_row), (other, b_row))
    )
    return Comparison(
        a=_side(history, one, a_row.score, a_runs),
        b=_side(history, other, b_row.score, b_runs),
        metric=a_row.metric,
        images=len(data_set.part("val")),
        class_names=data_set.classes,
        seeds=tuple(
            SeedPair(seed, a_seeds.get(seed), b_seeds.get(seed))
            for seed in dict.fromkeys([*a_seeds, *b_seeds])
        ),
        paired=_paired(a_row.metric, data_set, a_runs, b_runs, _seed_groups(rows, a_row.metric))
        if a_runs and b_runs
        else None,
    )


def _common_data(repo: Repository, one: Revision, other: Revision) -> DataSet:
    """Return the data set of both.

    Raises:
        PipelineError: their val images or labels are not the same.
    """
    texts = [repo.read(revision.commit, "dataset.json") for revision in (one, other)]
    a, b = (DataSet.from_json(text) for text in texts)
    what = ""
    if a.fingerprint != b.fingerprint:
        what = "other images"
    elif _judged_on(a) != _judged_on(b):
        what = "the same images, divided otherwise,"
    if what:
        raise PipelineError(
            f"{one.name} and {other.name} were judged on {what} so that they do not compare",
            "compare two from before or after dataset.json changed: git log dataset.json",
        )
    return b


def _judged_on(data_set: DataSet) -> list[tuple[str, int]]:
    return [(entry.sha256, entry.label) for entry in data_set.part("val")]


def _trainings(revision: Revision, metric: str, data_set: DataSet) -> _Runs | None:
    images, classes = len(data_set.part("val")), len(data_set.classes)
    return recorded.trainings(revision.record, metric, images, classes)


def _side(history: History, revision: Revision, score: float | None, runs: _Runs | None) -> Side:
    attempt = history.of(revision.number) if revision.number is not None else None
    return Side(
        name=f"{revision.name} {attempt.component}: {attempt.slug}" if attempt else revision.name,
        number=revision.number,
        commit=revision.commit,
        score=math.nan if score is None else score,
        has_record=revision.record is not None,
        has_predictions=runs is not None,
    )


def _paired(
    metric: str, data_set: DataSet, a: _Runs, b: _Runs, groups: Sequence[Sequence[float]]
) -> Paired:
    shared = tuple(seed for seed in a if seed in b)
    theirs, ours = ([runs[seed] for seed in shared or runs] for runs in (a, b))
    pairs = list(zip(theirs, ours, strict=True) if shared else product(theirs, ours))
    return Paired(
        seeds=shared,
        pairs=len(pairs),
        gain=_gain(Pair(metric, data_set.labels("val"), ours, theirs), groups),
        agreement=_agreement(data_set.labels("val"), pairs),
        classes=_classes(data_set, theirs, ours),
        differ=_differ(data_set.part("val"), theirs, ours),
    )


def _gain(pair: Pair, groups: Sequence[Sequence[float]]) -> PairedGain:
    least = max(churn(pair.metric, pair.labels, side) for side in (pair.ours, pair.theirs))
    noise = seed_noise(groups, least)
    gain = compare(pair, noise)
    low = gain.low((1 + INTERVAL) / 2)
    return PairedGain(
        value=gain.value,
        error=gain.error,
        low=low,
        high=2 * gain.value - low,
        confidence=gain.confidence,
        seed_noise=noise.variance**0.5 if noise.freedom or least else None,
    )


def _seed_groups(rows: Mapping[str, _Row], metric: str) -> list[tuple[float, ...]]:
    """Return the scores by seed of every pipeline that was trained with several."""
    told = [row.seed_scores for row in rows.values() if row.metric == metric]
    return [scores for scores in told if len(scores) > 1]


def _agreement(labels: Sequence[int], pairs: Sequence[tuple[Trained, Trained]]) -> Agreement:
    right = Counter(
        (guess_a == label, guess_b == label)
        for a, b in pairs
        for label, guess_a, guess_b in zip(labels, a.predicted, b.predicted, strict=True)
    )
    return Agreement(
        both=right[True, True],
        only_a=right[True, False],
        only_b=right[False, True],
        neither=right[False, False],
    )


def _differ(
    val: Sequence[Entry], a: Sequence[Trained], b: Sequence[Trained]
) -> tuple[Difference, ...]:
    answers = [list(zip(*(run.predicted for run in runs), strict=True)) for runs in (a, b)]
    return tuple(
        Difference(entry, one, other)
        for entry, one, other in zip(val, *answers, strict=True)
        if one.count(entry.label) * len(other) != other.count(entry.label) * len(one)
    )


def _classes(
    data_set: DataSet, a: Sequence[Trained], b: Sequence[Trained]
) -> tuple[ClassPair, ...]:
    labels = data_set.labels("val")
    found = []
    for number, name in enumerate(data_set.classes):
        places = [place for place, label in enumerate(labels) if label == number]
        if places:
            found.append(
                ClassPair(name, len(places), _recall(number, places, a), _recall(number, places, b))
            )
    return tuple(found)


def _recall(number: int, places: Sequence[int], runs: Sequence[Trained]) -> float:
    right = sum(run.predicted[place] == number for run in runs for place in places)
    return right / (len(runs) * len(places))
