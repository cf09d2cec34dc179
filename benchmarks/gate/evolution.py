"""Evolutions replayed from the bank: what a merge rule does, without training anything.

An evolution draws its validation images from the bank's (with replacement, so that the bank is the
whole population and its mean the truth), starts from a pipeline of the bank, and is handed
candidates until its trainings are spent. A training is a look-up: the predictions of that
pipeline with that seed. Rules that are compared get the same images, seeds and candidates (common
random numbers). The decisions are the product's own `gate.decide`.

Nulls are candidates that only touch a comment: the same pipeline on other seeds. The bank has
eight seeds for each pipeline, so a null is trained on those four that its twin was not.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from improve_git.judging.gate import Decision, Evidence, Rule, decide
from improve_git.judging.significance import Pair, SeedNoise, Trained, compare, seed_noise
from store import Bank

VAL = 400  # images that a rule sees
SEALED = 400  # images for certification
NULLS = 0.15  # share of the candidates that only touch a comment
Cell = tuple[int, int, int]
MOST = 400  # candidates of one evolution


@dataclass(frozen=True)
class Content:
    """What is trained: a cell of the bank, and how many comments were added to it."""

    cell: Cell
    comments: int = 0


@dataclass(frozen=True)
class Merge:
    """One merge: what it was hoped to bring, and what it truly brings."""

    told: float
    true: float
    null: bool


@dataclass
class State:
    """Where an evolution stands."""

    tip: Content
    trainings: int = 0
    candidates: int = 0
    nulls: int = 0
    merges: list[Merge] = field(default_factory=list)
    verdicts: list[tuple[Cell, str, str]] = field(default_factory=list)  # kind and reason


class Truth:
    """The bank as a population: who is right on what, and how good each cell truly is."""

    def __init__(self, bank: Bank) -> None:
        if not bank.there.all():
            raise SystemExit("the bank is not full yet: python benchmarks/gate/bank.py")
        self.labels = bank.labels
        self.predicted: NDArray[np.int8] = bank.logits.argmax(axis=-1).astype(np.int8)
        self.shape = bank.there.shape[1:]
        self.seeds = len(bank.seeds)
        self.score = (self.predicted == self.labels).mean(axis=(0, -1))
        self.right = self.predicted == self.labels


@dataclass(frozen=True)
class Supply:
    """Where evolutions start: how many good ideas there are."""

    name: str
    low: float  # quantiles of the true scores, between which the first pipeline lies
    high: float


RICH = Supply("rich", 0.0, 0.4)
POOR = Supply("poor", 0.7, 0.95)


class Evolution:
    """One run of the loop on the bank."""

    def __init__(self, truth: Truth, supply: Supply, number: int) -> None:
        self.truth = truth
        random = np.random.default_rng([number, len(supply.name)])
        images = random.permutation(len(truth.labels))
        # The sealed images are others than those of val, as they are in a pipeline.
        half = len(images) // 2
        self.val = random.choice(images[:half], size=VAL)
        self.sealed = random.choice(images[half:], size=SEALED)
        self.labels = truth.labels[self.val]
        order = np.argsort(truth.score, axis=None)
        rank = random.integers(int(supply.low * len(order)), int(supply.high * len(order)))
        start = np.unravel_index(order[rank], truth.score.shape)
        self.first = Content((int(start[0]), int(start[1]), int(start[2])))
        self.seed_order = random.permuted(
            np.tile(np.arange(truth.seeds), (*truth.shape, 1)), axis=-1
        )
        # What comes up: whether it is a null, else one number that picks among what is untried.
        self.ideas = random.random((MOST, 2))
        self.cache: dict[tuple[Content, int], Trained] = {}

    def true(self, content: Content) -> float:
        """Return the true score of a content."""
        return float(self.truth.score[content.cell])

    def bank_seed(self, content: Content, place: int) -> int:
        """Return which of the bank's seeds is a content's n-th; comments alternate the halves."""
        half = self.truth.seeds // 2
        shift = half * (content.comments % 2) + content.comments // 2
        return int(self.seed_order[content.cell][(place + shift) % self.truth.seeds])

    def trained(self, content: Content, place: int) -> Trained:
        """Return a training on the validation images."""
        key = (content, place)
        if key not in self.cache:
            seed = self.bank_seed(content, place)
            predicted = self.truth.predicted[(seed, *content.cell)][self.val]
            self.cache[key] = Trained(float((predicted == self.labels).mean()), predicted)
        return self.cache[key]

    def neighbours(self, cell: Cell) -> list[Cell]:
        """Return the cells that differ in one component."""
        found = []
        for axis, count in enumerate(self.truth.shape):
            for variant in range(count):
                if variant != cell[axis]:
                    other = [*cell]
                    other[axis] = variant
                    found.append((other[0], other[1], other[2]))
        return found

    def proposal(self, number: int, tip: Content, tried: set[Content]) -> tuple[Content, bool]:
        """Return the n-th candidate on top of a tip, and whether it is a null."""
        luck, pick = self.ideas[number]
        null = Content(tip.cell, tip.comments + 1)
        if luck < NULLS and null not in tried:
            return null, True
        near = self.neighbours(tip.cell)
        # When all were tried, ideas come again in other words, and are trained anew.
        again = next(n for n in range(MOST) if any(Content(cell, n) not in tried for cell in near))
        untried = [Content(cell, again) for cell in near if Content(cell, again) not in tried]
        return untried[int(pick * len(untried))], False


@dataclass(frozen=True)
class Policy:
    """A rule to be measured, and variations on it that the product does not have."""

    name: str
    rule: Rule
    fresh: bool = False  # after a merge, one of main's seeds is a fresh one
    lean: bool = False  # `confirmed`: the look is one of the seeds that count


def run(
    evolution: Evolution, policy: Policy, budgets: list[int], most: int = MOST
) -> dict[int, State]:
    """Replay one evolution; return its state when each of the budgets of trainings is spent."""
    rule, places = policy.rule, _places(policy.rule)
    tip = evolution.first
    state = State(tip, trainings=len(rule.main_seeds))
    main = {seed: evolution.trained(tip, places[seed]) for seed in rule.main_seeds}
    known: set[tuple[Content, int]] = {(tip, places[seed]) for seed in rule.main_seeds}
    groups: list[list[float]] = []
    tried: set[Content] = {tip}
    ends: dict[int, State] = {}
    todo = sorted(budgets)
    for number in range(most):
        while todo and state.trainings >= todo[0]:
            ends[todo.pop(0)] = _copy(state)
        if not todo:
            break
        content, null = evolution.proposal(number, tip, tried)
        tried.add(content)
        state.candidates += 1
        state.nulls += null
        runs: dict[int, Trained] = {}
        while True:
            decision = _decide(evolution, runs, main, policy, groups)
            if decision.kind != "measure":
                break
            [seed] = decision.seeds
            runs[seed] = evolution.trained(content, places[seed])
            state.trainings += (content, places[seed]) not in known
            known.add((content, places[seed]))
        state.verdicts.append((content.cell, decision.kind, decision.reason))
        if decision.kind == "reject":
            if len(decision.seeds) > 1:
                groups.append([runs[seed].score for seed in decision.seeds])
            continue
        told = float(np.mean([runs[s].score - main[s].score for s in decision.seeds]))
        true = evolution.true(content) - evolution.true(tip)
        state.merges.append(Merge(told, true, null))
        if len(main) > 1:
            groups.append([run.score for run in main.values()])
        tip = state.tip = content
        tried = {tip}
        main = {seed: runs[seed] for seed in decision.seeds}
        if policy.fresh:
            other = (tip, len(places))
            main[next(iter(main))] = evolution.trained(*other)
            state.trainings += other not in known
            known.add(other)
    for budget in todo:
        ends[budget] = _copy(state)
    return ends


def certified(evolution: Evolution, tip: Content, confidence: float, seeds: int = 3) -> bool:
    """Say whether a tip passes for better than the first pipeline on sealed images, fresh seeds."""
    if tip == evolution.first:
        return False
    truth = evolution.truth
    labels = truth.labels[evolution.sealed]

    def side(content: Content) -> list[Trained]:
        runs = []
        for place in range(truth.seeds - seeds, truth.seeds):
            seed = evolution.bank_seed(content, place)
            predicted = truth.predicted[(seed, *content.cell)][evolution.sealed]
            runs.append(Trained(float((predicted == labels).mean()), predicted))
        return runs

    ours, theirs = side(tip), side(evolution.first)
    noise: SeedNoise = seed_noise([[run.score for run in runs] for runs in (ours, theirs)])
    gain = compare(Pair("accuracy", labels, ours, theirs), noise)
    return gain.value > 0 and gain.confidence >= confidence


def _decide(
    evolution: Evolution,
    runs: dict[int, Trained],
    main: dict[int, Trained],
    policy: Policy,
    groups: list[list[float]],
) -> Decision:
    rule = policy.rule
    if not runs and (rule.name == "improves" or policy.lean):
        return Decision("measure", "", rule.main_seeds[:1])
    if policy.lean:  # the gate takes the look for done; it counts for nothing beside a seed
        runs = runs | {rule.first_seed: runs[rule.main_seeds[0]]}
    labels: Any = evolution.labels
    ours, theirs = Evidence("accuracy", runs, labels), Evidence("accuracy", main, labels)
    return decide(ours, theirs, rule, groups)


def _places(rule: Rule) -> dict[int, int]:
    """Return for each seed of the rule which of a content's seeds in the bank it is."""
    seeds = dict.fromkeys([*rule.main_seeds, rule.first_seed])
    return {seed: place for place, seed in enumerate(seeds)}


def _copy(state: State) -> State:
    return replace(state, merges=[*state.merges], verdicts=[*state.verdicts])
