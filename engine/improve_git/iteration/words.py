"""Words for people: subjects, reasons, summaries. Decides nothing."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from improve_git.domain import Attempt, Outcome, Verdict
from improve_git.figures import METRICS, duration, gain_text, score_text
from improve_git.judging.gate import Rule
from improve_git.messages import one_line
from improve_git.pipeline import Snapshot


def failure(measured: dict[str, Any]) -> str:
    """Return in one line how a trial failed: ``timeout: stopped after 60 s``."""
    reason = measured["reason"]
    return f"{measured['status']}: {reason}" if reason else str(measured["status"])


def outcome(measured: dict[str, Any]) -> Outcome:
    """Return the failed outcome that a measurement tells of, for the engineer who repairs it."""
    return Outcome(
        status=measured["status"],
        reason=measured["reason"],
        detail=measured["detail"],
        curve=measured["curve"],
        seconds=measured["train_seconds"],
        peak_memory_bytes=measured["peak_memory_bytes"],
        log_tail=measured["log_tail"],
        info=measured["info"],
    )


def pause(failed: Sequence[Attempt]) -> tuple[str, str]:
    """Return the diagnosis of a run that only fails, and what to do."""
    kinds = Counter(one_line(attempt.reason, 100) for attempt in failed)
    told = "; ".join(f"{n} x {kind}" if n > 1 else kind for kind, n in kinds.most_common(3))
    return (
        f"paused: {len(failed)} iterations in a row failed: {told}",
        f"look: improve-git show {failed[-1].number}; then run again, for any number of failures "
        "with budget.failures=null",
    )


def verdict_subject(attempt: Attempt, verdict: Verdict, reason: str, record: dict[str, Any]) -> str:
    """Return the subject of an attempt's verdict commit."""
    name = f"{attempt.number:04d} {attempt.component}: {attempt.slug}"
    if verdict == "failed":
        return f"Fail {name}, {record['status']}"
    if record["score"] is None:
        return f"Reject {name}, {reason.partition(':')[0]}"
    gain = gain_text(record["metric"], record["score"] - record["main_score"])
    verb = "Merge" if verdict == "merged" else "Reject"
    return f"{verb} {name}, {score_text(record['metric'], record['score'])} ({gain})"


def main_subject(verdict: Verdict, measured: dict[str, Any], before: float | None) -> str:
    """Return the subject of a verdict on main itself; ``before`` is main's score until then."""
    told = score_text(measured["metric"], measured["score"])
    told += f" over {len(measured['seeds'])} seeds" if len(measured["seeds"]) > 1 else ""
    if verdict == "baseline":
        return f"Measure the baseline, {told}"
    gain = (
        "" if before is None else f" ({gain_text(measured['metric'], measured['score'] - before)})"
    )
    return f"Measure main as it is now, {told}{gain}"


def attempt_line(attempt: Attempt, text: str) -> str:
    """Return a line that tells what an attempt does."""
    return f"{attempt.number:04d} {attempt.component:5} {text}"


def training_title(attempt: Attempt, seed: int, rule: Rule) -> str:
    """Return what the display says of a candidate's training."""
    name = f"{attempt.number:04d} {attempt.component}: {attempt.slug}"
    if seed == rule.first_seed:
        return name
    return f"{name}, seed {rule.main_seeds.index(seed) + 1} of {len(rule.main_seeds)}"


def is_worse(measured: dict[str, Any], before: float) -> bool:
    """Say whether a score is worse than the one before it, in the metric's direction."""
    if f"{measured['score']:.6g}" == f"{before:.6g}":
        return False  # a score in a trailer has no more digits
    difference = float(measured["score"]) - before
    return difference < 0 if METRICS[measured["metric"]] else difference > 0


def worse_main(measured: dict[str, Any], before: float) -> str:
    """Return the warning about a main that is worse than at its last score, by whatever cause."""
    metric = measured["metric"]
    gain = gain_text(metric, measured["score"] - before)
    told = f"main is now at {score_text(metric, measured['score'])} ({gain})"
    per_class = (measured.get("judgement") or {}).get("per_class", [])
    images = [row["support"] for row in per_class]  # none known where it is a mean over seeds
    if metric == "accuracy" and images and _is_chance(measured["score"], sum(images), max(images)):
        told += ", chance level"
    return told


def outlook(snapshot: Snapshot, measured: dict[str, Any]) -> list[str]:
    """Return what a baseline says about the run ahead: time, memory, and what luck can do."""
    from improve_git.judging.judge import resolution

    seconds = measured["train_wall_seconds"] + measured["predict_wall_seconds"]
    iterations = snapshot.settings.budget.iterations
    time = duration(iterations * seconds)
    if len(measured["seeds"]) > 1:
        most = 1 + len(measured["seeds"])
        lines = [
            f"a training takes about {duration(seconds)}, an iteration 1 to {most} of them; "
            f"{iterations} iterations {time} or more"
        ]
    else:
        lines = [f"an iteration takes about {duration(seconds)}; {iterations} of them about {time}"]
    if measured["peak_memory_bytes"]:
        lines.append(f"peak memory {measured['peak_memory_bytes'] / 2**30:.1f} GiB")
    if measured["metric"] == "accuracy":
        labels, everything = snapshot.data_set.labels("val"), len(snapshot.data_set.entries)
        images, most_frequent = len(labels), max(Counter(labels).values())
        if _is_chance(measured["score"], images, most_frequent):
            lines.insert(0, "this is chance level: always naming the largest class of val scores "
                         f"{most_frequent / images:.4f}")  # fmt: skip
        now, more = resolution(images, images / everything, measured["score"])
        lines.append(
            f"val has {images:,} images: a single gain under {100 * now.smallest_gain:.1f} points "
            "can be luck"
        )
        if more:
            lines.append(
                f"{more.images:,} images would bring that to {100 * more.smallest_gain:.1f} "
                f"points: improve-git init ... data.split.val={more.fraction:g}"
            )
    return lines


def _is_chance(accuracy: float, images: int, most_frequent: int) -> bool:
    """Say whether an accuracy is not above that of always naming the largest class."""
    return round(accuracy * images, 6) <= most_frequent
