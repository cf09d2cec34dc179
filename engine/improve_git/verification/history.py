"""Verifying all of a history without training: every check, and what could not be checked."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from improve_git.errors import DataError
from improve_git.judging.gate import Rule
from improve_git.pipeline import Pipeline
from improve_git.settings.schema import Settings
from improve_git.trail.history import FETCH_NOTES
from improve_git.verification import decisions, opened, places, records, scores
from improve_git.verification.chain import Chain
from improve_git.verification.findings import Finding, Report, Unchecked

if TYPE_CHECKING:
    from improve_git.datasets.audit import Progress


def verify_history(
    pipeline: Pipeline, against: str = "", progress: "Progress | None" = None
) -> Report:
    """Check all of main and the attempts' branches; train nothing, change nothing.

    Args:
        pipeline: whose; ``data.images`` of its settings says where the images are.
        against: the full name of a commit that main was known to hold; "" for none.
        progress: of reading the images.

    Raises:
        PipelineError: there is no main, or only the end of its history.
    """
    chain = Chain(pipeline)
    report = Report(chain.tip)
    report.findings += list(_tip(chain, against)) if against else []
    report.findings += [*places.objects(chain), *inconsistencies(chain)]
    report.verdicts = len(chain.ruled)
    report.merges = sum(one.verdict == "merged" for one in chain.on_main)
    report.records = sum(one.record is not None for one in chain.ruled)
    report.predictions = sum(scores.predictions(one.record) for one in chain.ruled)
    lacking = [one for one in chain.ruled if one.record is None and not one.fault]
    if lacking:
        what = f"{len(lacking)} of {len(chain.ruled)} records are not at hand"
        report.unchecked.append(Unchecked(what, FETCH_NOTES))
    _images(chain, report, progress)
    report.remarks += _remarks(chain)
    return report


def inconsistencies(chain: Chain) -> list[Finding]:
    """Return all in which commits, trees, trailers and records contradict each other."""
    found: list[Finding] = []
    for check in (places.hands, places.places, places.components, places.orders, places.gaps,
                  records.attached, records.told, records.contents, opened.opened):  # fmt: skip
        found += check(chain)
    misscored = list(scores.scores(chain))
    return found + misscored + list(decisions.decisions(chain, {one.commit for one in misscored}))


def _tip(chain: Chain, against: str) -> Iterator[Finding]:
    if against not in chain.reachable:
        known = "" if against in chain.commits else ", nor does any branch"
        yield Finding("tip", "main", f"main does not hold {against[:10]}{known}", against)


def _images(chain: Chain, report: Report, progress: "Progress | None") -> None:
    """Compare the images with the data set that main's newest score is about."""
    from improve_git.datasets.audit import differences
    from improve_git.datasets.store import places_of

    newest = chain.on_main[-1].commit.sha if chain.on_main else chain.tip
    data_set, settings = chain.data_set(newest), chain.settings(chain.tip).data
    if data_set is None:  # told by the check of the data
        return
    read, lacking = 0, ""

    def count(done: int, total: int) -> None:
        nonlocal read
        read = done
        if progress:
            progress(done, total)

    for place in places_of(settings, chain.pipeline.state):
        try:
            found = differences(data_set, settings, place, count)
        except DataError as error:
            lacking = lacking or f"; {error.message}"
            continue
        report.images = min(read, len(data_set.entries))
        report.findings += [Finding("data", "the images", what) for what in found]
        break
    else:
        what = f"the {len(data_set.entries):,} images: bytes, labels and parts of dataset.json"
        what += lacking
        report.unchecked.append(Unchecked(what, "improve-git verify --history data.images=FOLDER"))
    others = sum(one.record is not None and one.record["dataset"] != data_set.fingerprint
                 for one in chain.ruled)  # fmt: skip
    if others:
        told = f"{others} verdicts are about other images than main holds now, which were not read"
        report.remarks.append(told)


def _is_other(rule: Rule, settings: Settings) -> bool:
    """Say whether a rule asks for something else than the settings do."""
    accept = settings.accept
    committed = Rule(accept.name, settings.seed, accept.seeds, accept.confidence)
    if rule.name == committed.name == "improves":
        return rule.seed != committed.seed
    return rule != committed


def _remarks(chain: Chain) -> Iterator[str]:
    """Yield what is allowed, and what whoever reads the scores should know."""
    from improve_git.settings.compose import scored

    for one in chain.ruled:
        if one.record is None or (one.main or one.candidate) not in chain.commits:
            continue
        settings = chain.settings(one.main or one.candidate)
        committed, used = scored(settings), one.record["settings"]
        keys = {*committed, *used} - {"seed"}
        if names := ", ".join(sorted(k for k in keys if committed.get(k) != used.get(k))):
            yield f"{one.name} was measured under a {names} that improve.yaml does not have"
        if one.number is not None and _is_other(decisions.rule_of(chain, one), settings):
            yield f"{one.name} was decided by another rule than that of improve.yaml"
    for number in places.unfinished(chain):
        yield f"{number:04d} has a branch and no verdict, and later ones have theirs"
    if chain.on_main and places.is_unscored(chain, chain.commits[chain.tip]):
        yield f"main holds files since {chain.tip[:7]} that no verdict is about"
