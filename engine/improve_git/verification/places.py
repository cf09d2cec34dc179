"""What commits and their trees tell by themselves: who ruled, where, on what, in which order."""

from collections.abc import Iterator, Set
from itertools import pairwise

from improve_git.domain import FILES
from improve_git.git import ENGINE, Commit
from improve_git.messages import one_line, trailers
from improve_git.trail.history import BRANCH, ON_MAIN, read_record
from improve_git.verification.chain import Chain, Ruled, changed
from improve_git.verification.findings import Finding

_VERDICTS = (*ON_MAIN, "rejected", "failed")
# Nothing was trained: the candidate broke the rules, or there was none.
UNTRAINED = ("invalid", "no-rewrite")
MOST_MISSING = 50  # iterations in a row that are named one by one
_DROPPED = "its branch was deleted or its verdict dropped"


def objects(chain: Chain) -> Iterator[Finding]:
    """Find objects that are not what their names say, and what shows others in their place."""
    for line in chain.repo.damages():
        yield Finding("objects", "Git", one_line(line, 200))
    if chain.repo.git("for-each-ref", "--count=1", "refs/replace"):
        yield Finding("objects", "Git", "refs/replace shows other commits than those that are "
                      "there; see: git replace --list")  # fmt: skip
    if (chain.repo.common_dir() / "info" / "grafts").exists():
        yield Finding("objects", "Git", "info/grafts gives commits other parents than they have")


def hands(chain: Chain) -> Iterator[Finding]:
    """Find verdicts by another author or committer than the engine."""
    for commit in chain.commits.values():
        if trailers(commit.message).get("Verdict") not in _VERDICTS:
            continue  # a project's own commits may speak of other verdicts
        for role, person in (
            ("author", commit.author),
            ("committer", chain.committers[commit.sha]),
        ):
            if person != ENGINE:
                who = one_line(f"{person.name} <{person.email}>", 80)
                what = f"its {role} is {who}: {one_line(commit.subject, 60)}"
                yield Finding("hand", "a verdict", what, commit.sha)
                break


def places(chain: Chain) -> Iterator[Finding]:
    """Find verdicts that stand where the engine puts none."""
    for one in chain.ruled:
        for what in _misplaced(chain, one):
            yield Finding("place", one.name, what, one.commit.sha)
    first = chain.on_main[0] if chain.on_main else None
    if first and first.verdict != "baseline":
        yield Finding("place", first.name, "main's first verdict is no baseline", first.commit.sha)


def _misplaced(chain: Chain, one: Ruled) -> Iterator[str]:
    commit, parents = one.commit, one.commit.parents
    if one.verdict not in _VERDICTS:
        yield f"no verdict is called {one_line(one.verdict, 20)!r}"
        return
    if len(parents) != (2 if one.verdict == "merged" else 1):
        yield f"it has {len(parents)} parents"
        return
    if one.verdict in ON_MAIN and commit.sha not in chain.reachable:
        yield f"it says {one.verdict}, and main does not hold it"
    if one.verdict != "merged" and commit.tree != chain.commits[parents[0]].tree:
        yield "it changes files: " + ", ".join(_changed(chain, parents[0], commit.sha))
    if one.verdict == "baseline" and chain.on_main and one != chain.on_main[0]:
        yield "it is not main's first verdict"
    if one.verdict in ("baseline", "measured"):
        if "Branch" in one.said:
            yield f"it names a branch of an attempt: {one_line(one.said['Branch'], 60)}"
        return
    if one.attempt is None:
        yield "it names no branch of an attempt"
    elif chain.assignment(one) is None:
        yield f"what it judges did not grow from the assignment of {one.said['Branch']}"


def components(chain: Chain) -> Iterator[Finding]:
    """Find candidates that change more than their file, and merges of something else."""
    for one in chain.attempts:
        if one.attempt is None or one.candidate not in chain.commits:
            continue
        file, base = FILES[one.attempt[1]], chain.base(one)
        status = one.record["status"] if one.record else ""
        trained = status not in UNTRAINED if one.record else one.verdict != "failed"
        if trained and base in chain.commits:
            names = _changed(chain, base, one.candidate)
            if names != [file]:
                what = f"its candidate changes {', '.join(names) or 'nothing'}, not {file} alone"
                yield Finding("component", one.name, what, one.commit.sha)
            elif one.main in chain.commits:
                others = {*changed(chain.files(one.main), chain.files(one.candidate))} - {file}
                if others:
                    what = f"{', '.join(sorted(others))} of its candidate is not that of main"
                    yield Finding("component", one.name, what, one.commit.sha)
        if one.verdict == "merged" and len(one.commit.parents) == 2:
            main, tip = (chain.entries(parent) for parent in one.commit.parents)
            mode = main.get(file, "100644 blob").split()[0]
            landed = main | {file: f"{mode} blob {tip.get(file, '').rpartition(' ')[2]}"}
            names = list(changed(landed, chain.entries(one.commit.sha)))
            if names:
                what = f"{', '.join(names)} landed as neither main nor the branch had it"
                yield Finding("component", one.name, what, one.commit.sha)


def orders(chain: Chain) -> Iterator[Finding]:
    """Find verdicts out of their order, and attempts that were judged on another main."""
    highest = 0
    for before, one in zip((None, *chain.on_main), chain.on_main, strict=False):
        below = chain.incumbent(one.commit.parents[0]) if one.commit.parents else None
        if below != before:
            what = f"on main it does not follow {before.name if before else 'the beginning'}"
            yield Finding("order", one.name, what, one.commit.sha)
        if one.number is not None:
            if one.number <= highest:
                yield Finding("order", one.name, f"it comes after {highest:04d}", one.commit.sha)
            highest = max(highest, one.number)
    place, last = -1, ""
    for one in chain.attempts:
        opened = chain.assignment(one)
        if opened and opened.parents and opened.parents[0] not in chain.reachable:
            what = f"it started from {opened.parents[0][:7]}, which main does not hold"
            yield Finding("order", one.name, what, one.commit.sha)
        if not one.main:
            continue
        judged_on = chain.incumbent(one.main) if one.main in chain.reachable else None
        if judged_on is None:
            what = f"it was judged on {one_line(one.main, 40)[:7]}, which main does not hold"
            yield Finding("order", one.name, what, one.commit.sha)
        elif one.verdict == "merged" and one.commit.parents[0] != one.main:
            what = f"it was judged on {one.main[:7]} and merged into {one.commit.parents[0][:7]}"
            yield Finding("order", one.name, what, one.commit.sha)
        elif chain.on_main.index(judged_on) < place:
            what = f"it was judged on an older main than {last}"
            yield Finding("order", one.name, what, one.commit.sha)
        else:
            place, last = chain.on_main.index(judged_on), one.name


def gaps(chain: Chain) -> Iterator[Finding]:
    """Find iterations that are nowhere, or there twice, and records of verdicts that are gone."""
    counted: dict[int, list[Ruled]] = {}
    for one in chain.attempts:
        counted.setdefault(one.number or 0, []).append(one)
    for same in counted.values():
        for one in same[1:]:
            what = f"a second verdict beside {same[0].commit.sha[:7]}"
            yield Finding("gap", one.name, what, one.commit.sha)
    numbers = {*counted, *_branched(chain)}
    lost = _lost(chain)
    highest = max([0, *numbers, *(number for number in lost.values() if number)])
    for first, last in _missing({*numbers, highest + 1}):
        if last - first >= MOST_MISSING:
            what = f"it is nowhere, nor is any up to {last:04d}: {_DROPPED}"
            yield Finding("gap", f"{first:04d}", what)
            continue
        for number in range(first, last + 1):
            noted = [sha[:7] for sha, its in lost.items() if its == number]
            rest = f"; its record is still attached to {noted[0]}" if noted else ""
            yield Finding("gap", f"{number:04d}", f"it is nowhere: {_DROPPED}{rest}")
    for sha, its in lost.items():
        if its is None or its in numbers:
            what = f"a record is attached to {sha[:7]}, which no branch holds any more"
            yield Finding("gap", "main" if its is None else f"{its:04d}", what)


def _missing(numbers: Set[int]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last of each row of numbers from 1 on that are not there."""
    for before, number in pairwise(sorted({0, *numbers})):
        if number > before + 1:
            yield before + 1, number - 1


def unfinished(chain: Chain) -> list[int]:
    """Return the numbers that have a branch and no verdict, below the newest that has one."""
    decided = {one.number or 0 for one in chain.attempts}
    newest = max(decided, default=0)
    return sorted(number for number in _branched(chain) - decided if number < newest)


def _branched(chain: Chain) -> set[int]:
    names = [BRANCH.search(ref) for ref in chain.repo.branches()]
    return {int(match[2]) for match in names if match}


def _lost(chain: Chain) -> dict[str, int | None]:
    """Return commits that have records and are in no branch, with the number of the iteration."""
    found: dict[str, int | None] = {}
    for sha, blob in chain.notes.items():
        if sha not in chain.commits:
            number = (read_record(chain.repo, blob) or {}).get("iteration")
            fits = isinstance(number, int) and 0 < number < 10**6
            found[sha] = number if fits else None
    return found


def _changed(chain: Chain, old: str, new: str) -> list[str]:
    return list(changed(chain.entries(old), chain.entries(new)))


def is_unscored(chain: Chain, commit: Commit) -> bool:
    """Say whether a commit holds other files than the verdict before it is about."""
    before = chain.incumbent(commit.sha)
    if before is None:
        return True
    ours, theirs = chain.entries(commit.sha), chain.entries(before.commit.sha)
    scored = (*FILES.values(), "dataset.json")
    return any(ours.get(name) != theirs.get(name) for name in scored)
