"""Deciding again: what a candidate was compared with, and what the gate says of both."""

import math
from collections.abc import Iterator, Set
from dataclasses import replace

from improve_git.figures import METRICS, gain_text
from improve_git.iteration.measurement import evidence
from improve_git.judging.gate import Rule, decide
from improve_git.judging.significance import Trained
from improve_git.messages import one_line
from improve_git.verification.chain import Chain, Record, Ruled
from improve_git.verification.findings import Finding
from improve_git.verification.scores import runs_of

_CLOSE = 1e-6  # another version of a library may differ in the last digits


def decisions(chain: Chain, distrusted: Set[str]) -> Iterator[Finding]:
    """Find attempts that were not judged against main as it was, or not as the gate judges.

    ``distrusted`` are verdicts whose predictions do not come to their scores: on those the gate is
    not asked again.
    """
    for one in chain.attempts:
        incumbent = chain.incumbent(one.main) if one.main in chain.reachable else None
        if one.record is None or incumbent is None or incumbent.record is None:
            continue  # told by other checks, or not at hand
        found = list(_unfair(chain, one, one.record, incumbent.record))
        if not found and not {one.commit.sha, incumbent.commit.sha} & distrusted:
            found = list(_undecided(chain, one, one.record, incumbent.record))
        for what in found:
            yield Finding("decision", one.name, what, one.commit.sha)


def _unfair(chain: Chain, one: Ruled, record: Record, main: Record) -> Iterator[str]:
    at = one.main[:7]
    if chain.key(chain.files(one.main), main, one.main) != main["key"]:
        yield f"it was judged on {at}, of which no verdict tells the score"
    ours, theirs = ({k: v for k, v in its["settings"].items() if k != "seed"}
                    for its in (record, main))  # fmt: skip
    if ours != theirs:
        names = ", ".join(sorted(k for k in {*ours, *theirs} if ours.get(k) != theirs.get(k)))
        yield f"it was trained under other settings than main: {names}"
    if record["image"] != main["image"] or record["metric"] != main["metric"]:
        yield "it was not measured the same way as main"
        return
    scores = {run["seeds"][0]: run["score"] for run in runs_of(main)}
    against = record.get("main_seeds") or list(scores)
    if not {*against} <= scores.keys() or main["score"] is None:
        yield f"it was compared on seeds that main has no score of: {against}"
        return
    expected = math.fsum(scores[seed] for seed in against) / len(against)
    if not math.isclose(record["main_score"], expected, rel_tol=1e-9, abs_tol=1e-9):
        told = f"{record['main_score']:.6g}"
        yield f"main's score is told as {told}; main's record says {expected:.6g}"
    if record["score"] is None:
        if one.verdict == "merged":
            yield "it was merged without a score"
        elif one.verdict == "rejected" and record["status"] != "invalid":
            yield f"it was rejected without a score: {one_line(record['status'], 20)}"
        return
    if one.verdict == "failed":
        yield f"it failed with a score of {record['score']:.6g}"
    better = record["score"] - record["main_score"]
    if one.verdict == "merged" and (better if METRICS[record["metric"]] else -better) <= 0:
        yield f"it was merged with {gain_text(record['metric'], better)}"


def _undecided(chain: Chain, one: Ruled, record: Record, main: Record) -> Iterator[str]:
    """Yield where the gate, asked again, says something else."""
    if record["score"] is None:
        return
    data_set = chain.data_set(one.main)
    if data_set is None:
        return
    rule = rule_of(chain, one)
    ours, theirs = evidence(data_set, [record]), evidence(data_set, [main])
    if rule.name == "confirmed" and rule.first_seed not in ours.by_seed:
        # The first look decided what was trained; of its predictions nothing counts.
        looks: dict[int, float] = dict(map(tuple, record.get("looks") or []))
        first = Trained(looks.get(rule.first_seed, theirs.mean()), [])
        ours = replace(ours, by_seed={rule.first_seed: first, **ours.by_seed})
    try:
        decision = decide(ours, theirs, rule, _groups(chain, one))
    except ValueError as error:
        yield f"the gate cannot compare it: {error}"
        return
    wanted = "merge" if one.verdict == "merged" else "reject"
    if decision.kind != wanted:
        yield f"the gate says {decision.kind}: {decision.reason}"
        return
    if [*decision.seeds] != record["seeds"]:
        yield f"it is told over the seeds {record['seeds']}; the gate says {[*decision.seeds]}"
    against = record.get("main_seeds")
    if against is not None and [*decision.main_seeds] != against:
        yield f"main is told over the seeds {against}; the gate says {[*decision.main_seeds]}"
    said, again = record.get("confidence"), decision.confidence
    if (said is None) != (again is None) or (
        said is not None and not math.isclose(said, again or 0, rel_tol=_CLOSE, abs_tol=_CLOSE)
    ):
        yield f"its confidence is told as {said}; the gate says {again}"


def rule_of(chain: Chain, one: Ruled) -> Rule:
    """Return the rule that decided: the record's, or, before it was recorded, improve.yaml's."""
    record = one.record or {}
    if record.get("rule"):
        return Rule(**record["rule"])
    accept = chain.settings(one.main).accept
    name = "improves" if record.get("confidence") is None else "confirmed"
    incumbent = chain.incumbent(one.main)
    main = (incumbent.record if incumbent else None) or {}
    seed = main.get("settings", {}).get("seed", 0)
    return Rule(name, seed, len(main.get("seeds", [])) or accept.seeds, accept.confidence)


def _groups(chain: Chain, one: Ruled) -> list[tuple[float, ...]]:
    """Return what ``History.seed_groups`` told the gate at that time."""
    known = {ruled.commit.sha for ruled in chain.on_main_at(one.main)}
    main = tuple(scored for scored in chain.history.main if scored.commit in known)
    earlier = tuple(a for a in chain.history.attempts if a.number < (one.number or 0))
    return replace(chain.history, main=main, attempts=earlier).seed_groups()
