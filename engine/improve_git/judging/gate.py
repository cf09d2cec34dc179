"""The gate: whether a candidate is merged. A pure function of plain data."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from improve_git.figures import METRICS, gain_text
from improve_git.judging.significance import (
    Gain,
    Pair,
    SeedNoise,
    Trained,
    chance_of_passing,
    churn,
    compare,
    flip_error,
    seed_noise,
)

Kind = Literal["merge", "reject", "measure"]

SCREEN = 1000  # from the settings' seed to that of the first look, which no score is told over


@dataclass(frozen=True)
class Evidence:
    """What the trainings of one pipeline scored on the validation part."""

    metric: str
    by_seed: Mapping[int, Trained]  # seed of the training -> what it came to
    labels: Sequence[int] = ()  # of the images, in pack order; without them no luck is told

    def of(self, seeds: Sequence[int]) -> list[Trained]:
        """Return the trainings with these seeds."""
        return [self.by_seed[seed] for seed in seeds]

    def mean(self, seeds: Sequence[int] | None = None) -> float:
        """Return the mean score over these seeds, or over all."""
        runs = self.of(list(self.by_seed) if seeds is None else seeds)
        return math.fsum(run.score for run in runs) / len(runs)


@dataclass(frozen=True)
class Rule:
    """What it takes to be merged."""

    name: str = "improves"
    seed: int = 0  # of the settings
    seeds: int = 3  # that confirm
    confidence: float = 0.8
    chance: float = 0.3  # below which to pass, no further seed is trained

    @property
    def main_seeds(self) -> tuple[int, ...]:
        """The seeds that main is measured on; the first is the settings' own."""
        count = self.seeds if self.name == "confirmed" else 1
        return tuple((self.seed + step) % 2**32 for step in range(count))

    @property
    def first_seed(self) -> int:
        """The seed of the first look at a candidate."""
        return (self.seed + SCREEN) % 2**32 if self.name == "confirmed" else self.seed


@dataclass(frozen=True)
class Decision:
    """What becomes of the candidate, and why in one readable line."""

    kind: Kind
    reason: str
    seeds: tuple[int, ...] = ()  # that the candidate's score is told over; to measure: the next
    main_seeds: tuple[int, ...] = ()  # that main's score is told over
    confidence: float | None = None  # that the gain is above zero
    luck: float | None = None  # what the gain varies by if there is no difference, see luck.py


def decide(
    candidate: Evidence,
    incumbent: Evidence,
    rule: Rule | None = None,
    trail: Sequence[Sequence[float]] = (),
) -> Decision:
    """Decide on a candidate against the incumbent, both measured the same way.

    ``improves`` merges a score that is strictly better in the metric's direction, both on the same
    seeds: the rule of the paper.

    ``confirmed`` looks at one seed first, against the incumbent's mean, and goes on only where the
    candidate has a fair chance to pass. What it then merges is strictly better on ``rule.seeds``
    further seeds, the same for both, with the confidence asked for. A sequential test that stops
    early for futility alone, which can only lower its error rate: a merge needs all its seeds in
    any case, since they are the new incumbent's score.

    Args:
        candidate: of ``confirmed`` it needs nothing at first; a decision to measure names the seed.
        incumbent: of ``confirmed`` it needs ``rule.seeds`` besides the screening one.
        rule: None is ``improves``.
        trail: scores of other pipelines by seed, for the noise between seeds; one list a pipeline.

    Raises ValueError for evidence that does not compare (another metric, other seeds, none, not
    finite) and for an unknown rule: deciding on those would be a bug.
    """
    rule = rule or Rule()
    _check_comparable(candidate, incumbent)
    if rule.name == "improves":
        return _improves(candidate, incumbent)
    if rule.name == "confirmed":
        return _confirmed(candidate, incumbent, rule, trail)
    raise ValueError(f"unknown rule: {rule.name}")


def _improves(candidate: Evidence, incumbent: Evidence) -> Decision:
    seeds = tuple(candidate.by_seed)
    if not seeds or not set(seeds) <= set(incumbent.by_seed):
        known = f"{sorted(seeds)} and {sorted(incumbent.by_seed)}"
        raise ValueError(f"scores of different seeds do not compare: {known}")
    new, old = candidate.mean(), incumbent.mean(seeds)
    better = new > old if METRICS[candidate.metric] else new < old
    luck = flip_error(_pair(candidate, incumbent, seeds, seeds)) if len(candidate.labels) else None
    reason = _reason(candidate.metric, new, old)
    return Decision("merge" if better else "reject", reason, seeds, seeds, luck=luck)


def _confirmed(
    candidate: Evidence, incumbent: Evidence, rule: Rule, trail: Sequence[Sequence[float]]
) -> Decision:
    known = [seed for seed in incumbent.by_seed if seed != rule.first_seed]
    seeds = known[: rule.seeds]
    if len(seeds) < rule.seeds:
        raise ValueError(f"main is measured on {len(seeds)} seeds, not on {rule.seeds}")
    if rule.first_seed not in candidate.by_seed:
        return Decision("measure", "a first look", (rule.first_seed,))
    done = [seed for seed in seeds if seed in candidate.by_seed]
    told, against = (done, done) if done else ([rule.first_seed], known)
    noise = _noise(candidate, incumbent, trail, rule)
    pair = _pair(candidate, incumbent, told, against)
    gain = compare(pair, noise)
    reason = _told(candidate.metric, gain, len(done))
    if len(done) < rule.seeds:
        chance = chance_of_passing(
            gain, noise, seeds=rule.seeds, confidence=rule.confidence, done=len(done),
            screened=0 if done else len(known),
        )  # fmt: skip
        if chance >= rule.chance:
            return Decision("measure", reason, (seeds[len(done)],))
        passes = False
        reason += f"; a chance of {chance:.2f} to be confirmed"
    else:
        passes = gain.value > 0 and gain.confidence >= rule.confidence
        reason += "" if passes else f", not the {rule.confidence:g} asked for"
    luck = math.hypot(flip_error(pair), math.sqrt(gain.seeds_variance))
    kind: Kind = "merge" if passes else "reject"
    return Decision(kind, reason, (*told,), (*against,), gain.confidence, luck)


def _pair(
    candidate: Evidence, incumbent: Evidence, seeds: Sequence[int], against: Sequence[int]
) -> Pair:
    ours, theirs = candidate.of(seeds), incumbent.of(against)
    return Pair(candidate.metric, candidate.labels, ours, theirs)


def _noise(
    candidate: Evidence, incumbent: Evidence, trail: Sequence[Sequence[float]], rule: Rule
) -> SeedNoise:
    """Pool the noise between seeds over the trail, the incumbent and the candidate.

    The screening seeds are left out: who passed a look was picked for it.
    """
    main = [run for seed, run in incumbent.by_seed.items() if seed != rule.first_seed]
    ours = [run for seed, run in candidate.by_seed.items() if seed != rule.first_seed]
    groups = [*trail, *([run.score for run in runs] for runs in (main, ours) if runs)]
    return seed_noise(groups, churn(incumbent.metric, incumbent.labels, main))


def _told(metric: str, gain: Gain, seeds: int) -> str:
    """Return a gain in words: ``+1.80 points over 3 seeds, confidence 0.96``."""
    value = gain_text(metric, gain.value if METRICS[metric] else -gain.value)
    where = f"over {seeds} seed{'s' * (seeds > 1)}" if seeds else "at first look"
    return f"{value} {where}, confidence {math.floor(100 * gain.confidence) / 100:.2f}"


def _check_comparable(one: Evidence, other: Evidence) -> None:
    if one.metric != other.metric:
        raise ValueError(f"{one.metric} does not compare with {other.metric}")
    for run in (*one.by_seed.values(), *other.by_seed.values()):
        if not math.isfinite(run.score):
            raise ValueError(f"{one.metric} {run.score} is not finite")


def _reason(metric: str, new: float, old: float) -> str:
    name = metric.replace("_", " ")
    if new == old:
        return f"{name} {new:.4f}, the same as main"
    # As many digits as it takes to see the difference.
    digits = next((n for n in (4, 6, 8) if f"{new:.{n}f}" != f"{old:.{n}f}"), 17)
    way = "over" if new > old else "under"
    return f"{name} {new:.{digits}f} {way} {old:.{digits}f} ({gain_text(metric, new - old)})"
