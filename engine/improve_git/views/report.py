"""The whole story of a search on one page, which needs neither a server nor a network.

All that agents, class names or records say is escaped by the page; see pages/report.html.j2.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from improve_git import __version__
from improve_git.domain import FILES, Attempt
from improve_git.errors import PipelineError
from improve_git.figures import (
    METRICS,
    OPTIMISTIC,
    better_text,
    duration,
    gain_text,
    interval_text,
    level_text,
    metric_text,
    score_text,
)
from improve_git.git import Repository
from improve_git.pipeline import Pipeline
from improve_git.templates import render_page
from improve_git.trail.history import FETCH_NOTES, ByHand, History, read_history
from improve_git.trail.story import Row as StoryRow
from improve_git.trail.story import story
from improve_git.views.account import Account, find
from improve_git.views.course import PICTURES, Picture, pictures
from improve_git.views.mistakes import data_uri, mistakes
from improve_git.views.overview import Overview, overview
from improve_git.views.plots import draw
from improve_git.views.side_by_side import Row, side_by_side

MARK = '<meta name="generator" content="improve-git">'
MOST_IN_FULL = 200  # iterations; of more, the newest
MOST_ROWS = 300  # of a difference
MOST_IN_ALL = 10_000  # rows of differences on the page
_COMPARED = (*FILES.values(), "improve.yaml")
_TITLES = {
    "score": "Score over the iterations",
    "gain": "What each component brought",
    "curves": "Learning curves, the baseline's and main's",
    "confusion": "Confusion, before and after",
}


@dataclass(frozen=True)
class Plot:
    """A picture of the page."""

    title: str
    uri: str


@dataclass(frozen=True)
class FileChange:
    """How one file changed; ``left_out`` says how many rows there are besides."""

    path: str
    stretches: tuple[tuple[Row, ...], ...]
    left_out: int


@dataclass(frozen=True)
class Chapter:
    """One row of the story, with all that is known of it."""

    name: str  # the iteration's number, or main's commit
    component: str
    verdict: str
    score: str
    gain: str
    title: str
    account: Account | None  # None: by hand, or told in short
    changes: tuple[FileChange, ...]
    seeds: str
    costs: str


def render(pipeline: Pipeline) -> str:
    """Return the page.

    Raises:
        PipelineError: nothing is measured yet.
        ImproveError: matplotlib is not installed.
    """
    history, found = read_history(pipeline.repo), overview(pipeline)
    if found.main is None:
        raise PipelineError("nothing is measured yet", "improve-git run")
    drawn = pictures(pipeline.repo, history, found)
    return render_page(
        "report.html.j2",
        version=__version__,
        mark=MARK,
        name=found.pipeline.name,
        facts=_facts(found),
        plots=_plots(drawn),
        missing=[_TITLES[name].lower() for name in PICTURES[2:] if name not in drawn],
        chapters=_chapters(pipeline.repo, history),
        mistakes=mistakes(pipeline, found.main),
        fetch=FETCH_NOTES,
        gain_text=gain_text,
    )


def _facts(found: Overview) -> list[tuple[str, str, str]]:
    """Return what stands at the head of the page: a label, what is told, and what it means."""
    data = found.data
    images = "" if data.images is None else f"{data.images:,} images in {len(data.classes)} classes"
    judged = metric_text(found.metric)
    on = "" if data.val_images is None else f", on the {data.val_images:,} images of val"
    facts = [("data", data.source, images), ("judged by", judged + on, "")]
    if found.main and found.baseline and found.gain is not None:
        verdicts = {"merged": f"merge of {found.main.number or 0:04d}", "baseline": "the baseline"}
        at = verdicts.get(found.main.verdict, "as changed by hand")
        facts += [
            ("main", score_text(found.metric, found.main.score), f"{found.main.commit[:10]}, {at}"),
            ("baseline", score_text(found.metric, found.baseline.score), ""),
            ("gain", gain_text(found.metric, found.gain),
             OPTIMISTIC),
        ]  # fmt: skip
    if found.luck is not None:
        luck = found.luck if METRICS[found.metric] else -found.luck
        facts.append(("luck", gain_text(found.metric, luck),
                      "what the best of as many idle changes would show"))  # fmt: skip
    facts += _sealed(found)
    counts = ", ".join(f"{count} {verdict}" for verdict, count in found.counts.items())
    facts.append(("iterations", f"{found.spent.iterations}", counts))
    facts.append(("looks", f"{found.looks:,}", "trainings judged on val"))
    facts.append(("took", f"{found.spent.hours:.2f} hours", "of training and predicting"))
    if found.spent.tokens:
        usd = found.spent.usd
        paid = "price unknown" if usd is None else f"{usd:.2f} US dollars"
        facts.append(("agents", f"{found.spent.tokens:,} tokens", paid))
    return facts


def _sealed(found: Overview) -> list[tuple[str, str, str]]:
    """Return what the sealed images said: the newest opening of each kind."""
    facts = []
    if made := found.opened("certification"):
        by = f"by {made.tip[:10]} on the sealed images, opening {made.number}"
        facts.append(("certified", "passed" if made.passed else "not passed", by))
    if made := found.opened("evaluation"):
        high = made.low if made.high is None else made.high
        interval = interval_text(made.metric, made.low, high)
        told = f"{level_text(made.level)} {interval}; by {made.tip[:10]}, opening {made.number}"
        facts.append(("on test", better_text(made.metric, made.gain), told))
    return facts or [("on test", "not yet", "nothing here was checked on sealed images")]


def _plots(drawn: Mapping[str, Picture]) -> list[Plot]:
    return [
        Plot(_TITLES[name], data_uri("image/svg+xml", draw({name: picture}, "", "svg")))
        for name, picture in drawn.items()
    ]


def _chapters(repo: Repository, history: History) -> list[Chapter]:
    """Return the story, the newest first."""
    told: list[Chapter] = []
    rows = 0
    for place, (row, metric) in enumerate(reversed(story(history))):
        in_full = place < MOST_IN_FULL and not isinstance(row, ByHand)
        account = find(repo, history, _word(row)) if in_full else None
        changes = _changes(repo, account) if account and rows < MOST_IN_ALL else ()
        rows += sum(len(stretch) for change in changes for stretch in change.stretches)
        told.append(_chapter(row, metric, account, changes))
    return told


def _word(row: StoryRow) -> str:
    return str(row.number) if isinstance(row, Attempt) else row.commit


def _chapter(
    row: StoryRow, metric: str, account: Account | None, changes: tuple[FileChange, ...]
) -> Chapter:
    if isinstance(row, ByHand):
        return Chapter(row.commit[:7], "", "by hand", "", "", row.subject, None, (), "", "")
    gained = row.score is not None and row.main_score is not None
    is_attempt = isinstance(row, Attempt)
    return Chapter(
        name=f"{row.number:04d}" if is_attempt else row.commit[:7],
        component=row.component if isinstance(row, Attempt) else "",
        verdict=row.verdict or "open",
        score="" if row.score is None else f"{row.score:.4f}",
        gain=gain_text(metric, row.score - row.main_score) if gained else "",  # type: ignore[operator]
        title=row.slug if isinstance(row, Attempt) else row.subject,
        account=account,
        changes=changes,
        seeds=_seeds(account) if account else "",
        costs=_costs(account) if account else "",
    )


def _seeds(account: Account) -> str:
    """Return the scores by seed, where there are several or a first look besides."""
    told = []
    for one in account.seeds:
        if one.score is not None:
            main = "" if one.main_score is None else f", main {one.main_score:.4f}"
            told.append(f"{one.seed}: {one.score:.4f}{main if one.counted else ', a first look'}")
    return "; ".join(told) if len(account.seeds) > 1 else ""


def _costs(account: Account) -> str:
    seconds, cost = account.cost.train_seconds, account.cost
    told = [f"{duration(sum(seconds))} of training"] if seconds else []
    told += [f"over {len(seconds)} seeds"] if len(seconds) > 1 else []
    told += [f"{cost.tokens:,} tokens"] if cost.tokens else []
    told += [f"{cost.usd:.4f} US dollars"] if cost.usd else []
    return ", ".join(told)


def _changes(repo: Repository, account: Account) -> tuple[FileChange, ...]:
    """Return how the files changed, those that are scored."""
    if not account.base:
        return ()
    old, new = repo.blobs(account.base), repo.blobs(account.commit)
    return tuple(
        _change(path, *(repo.read_blob(side[path]) if path in side else "" for side in (old, new)))
        for path in _COMPARED
        if old.get(path) != new.get(path)
    )


def _change(path: str, old: str, new: str) -> FileChange:
    kept: list[tuple[Row, ...]] = []
    room, left_out = MOST_ROWS, 0
    for stretch in side_by_side(path, old, new):
        kept.append(tuple(stretch[:room]))
        left_out += len(stretch) - len(kept[-1])
        room -= len(kept[-1])
    return FileChange(path, tuple(filter(None, kept)), left_out)
