"""What is recorded of openings of the sealed images, and whether it comes out."""

import math
from collections.abc import Iterator

from improve_git.git import ENGINE, Commit
from improve_git.iteration.measurement import Measurement
from improve_git.messages import one_line, trailers
from improve_git.sealed.opening import find, gain_of, trailers_of
from improve_git.trail.history import read_record
from improve_git.trail.openings import OPENINGS, Kind, level_of, read_openings
from improve_git.verification.chain import Chain
from improve_git.verification.findings import Finding
from improve_git.verification.scores import misscored
from improve_git.verification.shape import side_fault

_CLOSE = 1e-5  # trailers have six digits, and libraries may differ in the last one
_SAME = ("metric", "seeds", "image", "dataset")  # on both sides


def opened(chain: Chain) -> Iterator[Finding]:
    """Find openings by another hand, of commits that are gone, or that do not come out."""
    seen: set[str] = set()
    refs = chain.repo.git("for-each-ref", "--format=%(refname)", "refs/improve").splitlines()
    for ref in sorted(refs, key=lambda ref: ref != OPENINGS):
        where = one_line(ref.removeprefix("refs/improve/"), 40)
        # A branch may hold the account too, so it is read whatever the branches hold.
        told = [(commit, trailers(commit.message)) for commit in chain.repo.log(
            "--first-parent", "--reverse", ref)]  # fmt: skip
        place = 0
        for commit, said in told:
            if not {"Opening", "Tip"} & said.keys() or (
                commit.author != ENGINE and not said.keys() >= {"Opening", "Tip"}
            ):
                continue
            place += commit.author == ENGINE and "Opening" in said
            if commit.sha not in seen:
                seen.add(commit.sha)
                wrong = list(_wrong(chain, commit, said, place))
                if ref == OPENINGS and not wrong:
                    wrong = list(_misreckoned(chain, commit, said, place))
                for what in wrong:
                    yield Finding("sealed", where, what, commit.sha)


def _wrong(chain: Chain, commit: Commit, said: dict[str, str], place: int) -> Iterator[str]:
    if commit.author != ENGINE:
        yield f"it is by {one_line(f'{commit.author.name} <{commit.author.email}>', 80)}"
    elif said.get("Opening", str(place)) != str(place):
        number = one_line(said["Opening"], 20)
        yield f"it is called opening {number}, and stands in place {place}"
    tip = said.get("Tip", "")
    if tip not in chain.commits:
        yield f"it is about {one_line(tip, 40)[:7] or 'no commit'}, which no branch holds"
    record = chain.repo.entries(commit.sha).get("record.json", "")
    if record.split()[2:] != [said.get("Record")]:
        yield "the record that it names is not the one that it carries"


def _misreckoned(chain: Chain, commit: Commit, said: dict[str, str], place: int) -> Iterator[str]:
    """Yield what of an opening's figures its predictions do not come to."""
    name = f"opening {place}"
    record = read_record(chain.repo, said["Record"]) or {}
    sides = {"Tip": record.get("tip"), "Against": record.get("against")}
    for side, measured in sides.items():
        if wrong := side_fault(measured):
            yield f"{name}: its record of {side.lower()} cannot be used: {wrong}"
            return
    ours, theirs = sides.values()
    assert isinstance(ours, dict) and isinstance(theirs, dict)
    yield from (f"{name}: {what}" for what in _unfair(chain, commit, said, ours, theirs))
    data_set = chain.data_set(said["Tip"])
    if data_set is None:  # told by the check of the data
        return
    images = len(data_set.labels("test"))
    wrong_scores = [what for side in (ours, theirs) for what in misscored(side, data_set, "test")]
    if wrong_scores or not images:
        yield f"{name}: {wrong_scores[0] if wrong_scores else 'no image is sealed'}"
        return
    kind: Kind = "certification" if said.get("Kind") == "certification" else "evaluation"
    try:
        gain = gain_of(data_set, ours, theirs)
    except ValueError as error:
        yield f"{name}: its gain cannot be reckoned: {error}"
        return
    found = find(kind, gain, level_of(place))
    expected = trailers_of(place, (said["Tip"], said.get("Against", "")), found, ours, theirs)
    for key, value in expected.items():
        if not _alike(said.get(key), value):
            told = one_line(said.get(key, "nothing"), 40)
            yield f"{name}: {key} is told as {told}; its record comes to {value or 'nothing'}"


def _unfair(
    chain: Chain, commit: Commit, said: dict[str, str], ours: Measurement, theirs: Measurement
) -> Iterator[str]:
    """Yield in what the two sides are not what the opening says, or not measured alike."""
    tip, against = said["Tip"], said.get("Against", "")
    if against not in chain.commits:
        yield f"it compares with {one_line(against, 40)[:7] or 'no commit'}, which no branch holds"
        return
    for side, sha, measured in (("tip", tip, ours), ("against", against, theirs)):
        if chain.key(chain.files(sha), measured, tip) != measured["key"]:
            yield f"what was measured as {side} is not {sha[:7]} on these images"
    used = [{k: v for k, v in side["settings"].items() if k != "seed"} for side in (ours, theirs)]
    if used[0] != used[1] or any(ours[key] != theirs[key] for key in _SAME):
        yield "its two sides were not measured alike"
    openings = {one.commit: one for one in read_openings(chain.repo)}
    this = openings.get(commit.sha)
    earlier = [one for one in openings.values() if this and one.number < this.number]
    if again := {seed for one in earlier for seed in one.seeds} & {*ours["seeds"]}:
        yield f"it took the seed {min(again)}, which an earlier opening had"
    passed = [one.tip for one in earlier if one.passed]  # the newest first
    baseline = chain.on_main[0].commit.sha if chain.on_main else ""
    certifies = said.get("Kind") == "certification"
    if against != (passed[0] if certifies and passed else baseline):
        wanted = "what was certified last" if certifies and passed else "the baseline"
        yield f"it compares with {against[:7]}, which is not {wanted}"


def _alike(told: str | None, expected: str | None) -> bool:
    """Compare two trailers: figures by their value."""
    if told is None or expected is None or told == expected:
        return told == expected
    try:
        return math.isclose(float(told), float(expected), rel_tol=_CLOSE, abs_tol=_CLOSE)
    except ValueError:
        return False
