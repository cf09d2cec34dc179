"""Where a pipeline stands, as plain data. Reads Git and the journal; loads nothing heavy.

A pipeline may have been cloned from anywhere, so its files are looked at with suspicion: whatever
is not as expected counts as absent here, and is told by `improve-git run`.
"""

import json
import math
import shlex
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from improve_git.domain import COMPONENTS, Attempt, Component
from improve_git.errors import ImproveError
from improve_git.figures import METRICS
from improve_git.git import Repository
from improve_git.journal import run_under_way
from improve_git.live import Live, read_live
from improve_git.llm.ledger import spend
from improve_git.pipeline import OWN_FILES, Pipeline
from improve_git.trail.history import History, Scored, read_history
from improve_git.trail.openings import Kind, Opening, read_openings
from improve_git.trail.progress import Step, failures, steps
from improve_git.trail.writing import changed_paths

_LARGEST_SETTINGS = 1 << 20  # bytes of an improve.yaml that is looked at
# Events of the journal.
_SPENDING = ("result", "asking", "asked", "failed-call")
_LANDING = ("landing", "landed", "landing-dropped")


@dataclass(frozen=True)
class Data:
    """What dataset.json and improve.yaml say of the data set."""

    source: str
    images: int | None
    classes: tuple[str, ...]
    val_images: int | None


@dataclass(frozen=True)
class Share:
    """What one component brought to main."""

    tried: int
    merged: int
    gain: float  # sum over its merges of the score's rise; in a loss, of its fall, negative


@dataclass(frozen=True)
class Spent:
    """What was spent against each budget; None: no limit."""

    iterations: int
    iterations_budget: int
    hours: float
    hours_budget: float | None
    tokens: int  # of language models
    tokens_budget: int | None
    usd: float | None  # None: a price is unknown
    usd_budget: float | None


@dataclass(frozen=True)
class Wait:
    """Something that the user should know or do; ``fix`` is the command, where there is one."""

    what: str
    fix: str = ""


@dataclass(frozen=True)
class Overview:
    """All that `improve-git status` tells."""

    pipeline: Path
    data: Data
    metric: str
    tip: str  # the commit that main holds
    main: Scored | None  # main's newest score
    baseline: Scored | None  # the first score by the same metric
    unmeasured: tuple[str, ...]  # what of the scored content main has changed since its score
    counts: dict[str, int]  # verdict -> attempts
    failures: dict[str, int]  # in which way -> attempts, the most frequent first
    steps: tuple[Step, ...]  # the iterations, by main's metric
    shares: dict[Component, Share]
    openings: tuple[Opening, ...]  # of the sealed test part, the newest first
    looks: int  # trainings whose score on val was looked at
    luck: float | None  # the best gain that as many candidates of no merit would show by chance
    by_hand: float | None  # the gain of the user's measured commits; None: there are none
    spent: Spent
    open: Attempt | None
    run: str  # who is running; empty: nobody
    live: Live | None  # what that run is doing; None: nobody is running
    waits: tuple[Wait, ...]

    @property
    def gain(self) -> float | None:
        """Main's score less the baseline's: a search estimate, for the best of many was kept."""
        return self.main.score - self.baseline.score if self.main and self.baseline else None

    def opened(self, kind: Kind) -> Opening | None:
        """Return the newest opening of a kind; None where there is none."""
        return next((opening for opening in self.openings if opening.kind == kind), None)


def overview(pipeline: Pipeline, history: History | None = None) -> Overview:
    """Look at a pipeline, whose trail may have been read already.

    Raises:
        PipelineError, GitError: the repository cannot be read.
    """
    history = history or read_history(pipeline.repo)
    run = run_under_way(pipeline.state) or ""
    names = [f"{history.tip}:{name}" for name in ("improve.yaml", "dataset.json")]
    text, data_set = pipeline.repo.texts(names)
    settings = _settings(text)
    comparable = [s for s in history.main if s.metric == history.metric and math.isfinite(s.score)]
    newest = comparable[-1] if comparable else None
    hand = [s for s in comparable if s.verdict == "measured" and s.main_score is not None]
    changed = []
    if newest and newest.commit != history.tip:
        changed = changed_paths(pipeline.repo, newest.commit, history.tip)
    events = pipeline.journal.events(*_SPENDING, *_LANDING)
    verdicts = Counter(attempt.verdict for attempt in history.decided)
    return Overview(
        pipeline=pipeline.repo.folder,
        data=_data(data_set, settings),
        metric=newest.metric if newest else _metric(settings),
        tip=history.tip,
        main=newest,
        baseline=comparable[0] if comparable else None,
        unmeasured=tuple(path for path in changed if path in OWN_FILES),
        counts={verdict: verdicts[verdict] for verdict in ("merged", "rejected", "failed")},
        failures=failures(history),
        steps=steps(history),
        shares={name: _share(name, history, comparable) for name in COMPONENTS},
        openings=read_openings(pipeline.repo),
        looks=sum(attempt.looks for attempt in history.decided) + _own_looks(history),
        luck=_luck(history),
        by_hand=math.fsum(_rise(scored) for scored in hand) if hand else None,
        spent=_spent(events, history, settings),
        open=history.open(),
        run=run,
        live=read_live(pipeline.state) if run else None,
        waits=(
            *_unusable(pipeline, history.tip, newest is None or "improve.yaml" in changed),
            *_landing(pipeline, history.tip, events),
            *_edits(pipeline.repo),
        ),
    )


def _settings(text: str) -> dict[str, Any]:
    """Return improve.yaml's content without Hydra; {} where it cannot be read."""
    import yaml

    tree: Any = None
    if len(text) <= _LARGEST_SETTINGS:
        # yaml lets a ValueError of a date or number through.
        with suppress(yaml.YAMLError, ValueError, RecursionError):
            tree = yaml.safe_load(text)
    return tree if isinstance(tree, dict) else {}


def _setting(settings: dict[str, Any], group: str, key: str) -> Any:
    section = settings.get(group)
    inner = section.get(key) if isinstance(section, dict) else None
    return settings.get(f"{group}.{key}") if inner is None else inner


def _metric(settings: dict[str, Any]) -> str:
    named = [settings.get("metric"), _setting(settings, "metric", "name")]
    return next((name for name in named if isinstance(name, str) and name in METRICS), "accuracy")


def _data(text: str, settings: dict[str, Any]) -> Data:
    content: Any = None
    with suppress(ValueError, RecursionError):
        content = json.loads(text)
    content = content if isinstance(content, dict) else {}
    profile = content.get("profile")
    profile = profile if isinstance(profile, dict) else {}
    parts = profile.get("parts")
    classes = content.get("classes")
    source = _setting(settings, "data", "images") or content.get("source")
    return Data(
        source=source if isinstance(source, str) else "",
        images=_count(profile.get("images")),
        classes=tuple(map(str, classes)) if isinstance(classes, list) else (),
        val_images=_count(parts.get("val")) if isinstance(parts, dict) else None,
    )


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _share(component: Component, history: History, comparable: Sequence[Scored]) -> Share:
    tried = [attempt for attempt in history.decided if attempt.component == component]
    numbers = {attempt.number for attempt in tried if attempt.verdict == "merged"}
    merges = [scored for scored in comparable if scored.number in numbers]
    return Share(len(tried), len(numbers), math.fsum(map(_rise, merges)))


def _rise(scored: Scored) -> float:
    return scored.score - scored.main_score if scored.main_score is not None else 0.0


def _own_looks(history: History) -> int:
    """Count the looks at val for main's scores that are no attempt's."""
    return sum(scored.looks for scored in history.main if scored.number is None)


def _luck(history: History) -> float | None:
    errors = [a.luck for a in history.decided if a.luck is not None and a.metric == history.metric]
    fine = sorted(error for error in errors if math.isfinite(error) and error > 0)
    if not fine:
        return None
    from improve_git.judging.luck import luck_line

    # What breaks a pipeline is no idle change, and its noise no measure: all get the middle one's.
    return luck_line([fine[len(fine) // 2]] * len(fine))


def _spent(events: list[dict[str, Any]], history: History, settings: dict[str, Any]) -> Spent:
    seconds = [event.get("seconds") for event in events if event["event"] == "result"]
    llm = spend(events)
    return Spent(
        iterations=len(history.decided),
        iterations_budget=_iterations(settings),
        hours=math.fsum(s for s in seconds if isinstance(s, int | float)) / 3600,
        hours_budget=_limit(settings, "hours"),
        tokens=llm.tokens,
        tokens_budget=_count(_setting(settings, "budget", "tokens")),
        usd=None if llm.unpriced else llm.usd,
        usd_budget=_limit(settings, "usd"),
    )


def _iterations(settings: dict[str, Any]) -> int:
    told = _count(_setting(settings, "budget", "iterations"))
    if told is None:
        from improve_git.settings.schema import BudgetSettings

        return BudgetSettings.iterations
    return told


def _limit(settings: dict[str, Any], name: str) -> float | None:
    value = _setting(settings, "budget", name)
    return float(value) if isinstance(value, int | float) else None


def _unusable(pipeline: Pipeline, tip: str, is_new: bool) -> list[Wait]:
    """Say what is wrong with improve.yaml, if it is new: what was scored under it was right."""
    if is_new:
        try:
            pipeline.settings(tip)
        except ImproveError as error:
            return [Wait(error.message, error.fix)]
    return []


def _landing(pipeline: Pipeline, tip: str, events: list[dict[str, Any]]) -> list[Wait]:
    """Say whether a merge waits for the user's edits; the next run tries it again."""
    told = [event for event in events if event["event"] in _LANDING]
    last: dict[str, Any] = told[-1] if told else {}
    landings = [event for event in told if event["event"] == "landing"]
    landing: dict[str, Any] = landings[-1] if landings else {}
    old, new = landing.get("old"), landing.get("new")
    if last.get("event") in (None, "landed") or tip != old or not isinstance(new, str):
        return []
    if pipeline.repo.resolve(new) is None:
        return []
    for folder in pipeline.repo.work_trees("main"):
        edited = _edited(pipeline.repo, folder, changed_paths(pipeline.repo, tip, new))
        if edited:
            names = ", ".join(edited)
            return [Wait(f"a merge waits: {names} has uncommitted edits in {folder}",
                         "commit or stash them, then: improve-git run")]  # fmt: skip
    return [Wait("a merge is ready to land", "improve-git run")]


def _edits(repo: Repository) -> list[Wait]:
    """Name the pipeline's files whose edits a run does not see."""
    waits = []
    for folder in repo.work_trees("main"):
        for name in _edited(repo, folder, OWN_FILES):
            what = f"{name} has uncommitted edits: runs use what is committed"
            waits.append(Wait(what, shlex.join(["git", "-C", str(folder), "commit", name])))
    return waits


def _edited(repo: Repository, folder: Path, names: Sequence[str]) -> list[str]:
    """Return which of a work tree's files differ from its HEAD; takes no lock of the user's."""
    said = repo.git("diff", "--name-only", "--no-ext-diff", "-z", "HEAD", "--", *names,
                    env={"GIT_OPTIONAL_LOCKS": "0"}, cwd=folder)  # fmt: skip
    return [name for name in said.split("\0") if name]
