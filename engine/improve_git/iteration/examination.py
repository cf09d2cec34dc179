"""A candidate before the gate: as many of its trainings as it takes to decide, and no more."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from improve_git.iteration.incumbent import Main
from improve_git.iteration.measurement import Measurement, combine, evidence
from improve_git.judging.gate import Decision, Rule, decide
from improve_git.pipeline import Snapshot


@dataclass(frozen=True)
class Examined:
    """What came of it: a decision, or None where a training failed, and what was measured."""

    decision: Decision | None
    measured: Measurement


def examine(
    candidate: Snapshot,
    main: Main,
    trail: Sequence[Sequence[float]],
    measure: Callable[[Snapshot], Measurement | None],
) -> Examined | None:
    """Measure a candidate seed by seed until the gate decides, or a training fails.

    Args:
        candidate: under main's settings.
        main: what it is compared with.
        trail: scores of earlier pipelines by seed, see ``gate.decide``.
        measure: returns the measurement of a seeded snapshot; None ends it all without an answer.
    """
    rule = main.rule
    seed, runs = rule.first_seed, dict[int, Measurement]()
    while True:
        run = measure(candidate.seeded(seed))
        if run is None:
            return None
        if run["status"] != "ok":
            return Examined(None, _of_seed(run, seed, rule))
        runs[seed] = run
        ours = evidence(candidate.data_set, list(runs.values()))
        decision = decide(ours, main.evidence, rule, trail)
        if decision.kind != "measure":
            break
        [seed] = decision.seeds
    told = combine([runs[seed] for seed in decision.seeds])
    return Examined(decision, told | {
        "main_score": main.evidence.mean(decision.main_seeds),
        "main_seeds": list(decision.main_seeds),
        "confidence": decision.confidence,
        "luck": decision.luck,
        "looks": [[seed, run["score"]] for seed, run in runs.items()],
    })  # fmt: skip


def _of_seed(failed: Measurement, seed: int, rule: Rule) -> Measurement:
    """Name the seed in the reason where it was not the first that was tried."""
    if seed == rule.first_seed:
        return failed
    return failed | {"reason": f"{failed['reason']} (with seed {seed})"}
