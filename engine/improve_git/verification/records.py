"""What a verdict's record says: attached, the same as its trailers, about that very content."""

from collections.abc import Iterator
from typing import Any

from improve_git.figures import gain_text, score_text
from improve_git.messages import compose, one_line, trailers
from improve_git.trail import writing
from improve_git.verification.chain import Chain, Record, Ruled
from improve_git.verification.findings import Finding
from improve_git.verification.places import UNTRAINED


def attached(chain: Chain) -> Iterator[Finding]:
    """Find records that are not those which the verdicts name."""
    for one in chain.ruled:
        note, named = chain.notes.get(one.commit.sha), one.said.get("Record", "")
        if one.fault:
            what = f"its record cannot be read: {one.fault}"
            yield Finding("record", one.name, what, one.commit.sha)
        if note and note != named:
            what = f"the record attached to it is {note[:7]}, not {one_line(named, 40)[:7]}"
            yield Finding("record", one.name, what, one.commit.sha)
        elif chain.notes and not note and one.record is None and not one.fault:
            what = "its record is gone, while others are there"
            yield Finding("record", one.name, what, one.commit.sha)


def told(chain: Chain) -> Iterator[Finding]:
    """Find trailers and subjects that say something else than the record."""
    for one in chain.ruled:
        if one.record is None:
            continue
        for what in _mistold(chain, one, one.record):
            yield Finding("trailers", one.name, what, one.commit.sha)


def _mistold(chain: Chain, one: Ruled, record: Record) -> Iterator[str]:
    expected = expected_trailers(chain, one, record)
    for key in {**one.said, **expected}:
        said, noted = one.said.get(key), expected.get(key)
        if said is None:
            yield f"it has no {key}; its record says {noted}"
        elif noted is None:
            yield f"{key} is {one_line(said, 80)}; its record has none"
        elif said != noted:
            yield f"{key} is {one_line(said, 80)}; its record says {one_line(noted, 80)}"
    block = one.commit.message.strip().rsplit("\n\n", 1)[-1].splitlines()
    if len(block) != len(one.said):
        yield "a trailer stands twice"
    for piece in _subject(one, record):
        if piece not in one.commit.subject and not one.commit.subject.endswith("…"):
            yield f"its subject does not say {piece}: {one_line(one.commit.subject, 100)}"


def _subject(one: Ruled, record: Record) -> Iterator[str]:
    """Yield what the subject of a verdict has to say: which attempt, its score, its gain."""
    if one.attempt:
        verb = {"merged": "Merge", "failed": "Fail"}.get(one.verdict, "Reject")
        number, component, slug = one.attempt
        yield f"{verb} {number:04d} {component}: {slug}"
    if record["score"] is not None:
        yield score_text(record["metric"], record["score"])
        if one.attempt:
            yield f"({gain_text(record['metric'], record['score'] - record['main_score'])})"


def expected_trailers(chain: Chain, one: Ruled, record: Record) -> dict[str, str]:
    """Return the trailers that the engine writes for a record."""
    verdict: Any = record["verdict"]
    reason = record.get("verdict_reason") or ""
    attempt, main_score = None, record.get("main_score")
    if record.get("iteration") is not None:
        number, component = record["iteration"], record["component"]
        branch = f"improve/{number:04d}-{component}-{record['move']}"
        attempt = (number, component, branch)
    elif verdict == "measured" and one.commit.parents:
        before = chain.incumbent(one.commit.parents[0])
        scores = {scored.commit: scored for scored in chain.history.main}
        then = scores.get(before.commit.sha) if before else None
        main_score = then.score if then and then.metric == record["metric"] else None
    labels = writing.verdict_trailers(
        verdict, reason, record, one.said["Record"], main_score=main_score, attempt=attempt
    )
    return trailers(compose("subject", "", labels))


def contents(chain: Chain) -> Iterator[Finding]:
    """Find records of other files, settings or images than those of the verdict's commits."""
    for one in chain.ruled:
        if one.record is None or one.candidate not in chain.commits:
            continue
        main = one.main if one.main in chain.commits else one.candidate
        data_set = chain.data_set(main)
        if data_set is None:
            what = f"dataset.json of {main[:7]} is missing or was changed by hand"
            yield Finding("data", one.name, what, one.commit.sha)
            continue
        if one.record["dataset"] != data_set.fingerprint:
            what = f"it was measured on other images than dataset.json of {main[:7]} names"
            yield Finding("data", one.name, what, one.commit.sha)
        elif "split" in one.record and one.record["split"] != data_set.split:
            what = f"it was measured on another split than that of {main[:7]}"
            yield Finding("data", one.name, what, one.commit.sha)
        if one.record["settings"].get("seed") != one.record["seeds"][0]:
            what = "its settings have another seed than its first"
            yield Finding("record", one.name, what, one.commit.sha)
        first, count = one.record["seeds"][0], len(one.record["seeds"])
        if one.number is None and one.record["seeds"] != [
            (first + n) % 2**32 for n in range(count)
        ]:
            what = f"its seeds do not run on from the first: {one.record['seeds']}"
            yield Finding("record", one.name, what, one.commit.sha)
        files = [chain.files(one.candidate)]
        if one.record["status"] in UNTRAINED:  # told of main where there is no candidate
            files.append(chain.files(main))
        if one.verdict == "merged":
            files = [chain.files(one.commit.sha)]
        if one.record["key"] not in [chain.key(its, one.record, main) for its in files]:
            what = "its record is of other files, settings or images than its commits hold"
            yield Finding("component", one.name, what, one.commit.sha)
