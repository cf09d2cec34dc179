"""Reading the trail: attempts and main's scores, from one `git log`."""

import json
import math
import re
from dataclasses import dataclass
from typing import Any, cast

from improve_git.domain import Attempt, Component, Verdict
from improve_git.figures import LARGEST
from improve_git.git import ENGINE, Commit, GitFailed, Repository
from improve_git.messages import trailers

MAIN = "refs/heads/main"
BRANCH = re.compile(r"(?:^|/)(improve/(\d{4,9})-(data|model|train)-([a-z0-9-]+))$")
TITLES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced-Accuracy",
    "macro_f1": "Macro-F1",
    "log_loss": "Log-Loss",
    "roc_auc": "ROC-AUC",
    "quadratic_kappa": "Quadratic-Kappa",
}
# What a plain clone leaves out: the records.
FETCH_NOTES = "git fetch origin '+refs/notes/*:refs/notes/*'"
ON_MAIN = ("baseline", "measured", "merged")
_PROPOSED = {"Iteration", "Branch", "Proposed-By"}  # trailers of a person's attempt
# What a trailer with a score is called -> its metric.
_SCORES = {f"Val-{title}": name for name, title in TITLES.items()}
_MAIN_SCORES = {f"Main-{title}": name for name, title in TITLES.items()}


@dataclass(frozen=True)
class Scored:
    """A verdict that `main` carries: the baseline, a merge, or a measured commit of the user's."""

    commit: str
    verdict: Verdict
    metric: str
    score: float
    main_score: float | None
    number: int | None  # of the iteration that was merged
    subject: str
    date: str
    trailers: dict[str, str]

    @property
    def train_seconds(self) -> float | None:
        """How long its training took inside the sandbox."""
        return _number(self.trailers.get("Train-Seconds"))

    @property
    def seed_scores(self) -> tuple[float, ...]:
        """The scores of its seeds, where the score is a mean over several."""
        return _numbers(self.trailers.get("Seed-Scores"))

    @property
    def looks(self) -> int:
        """How often val was looked at for it."""
        return _looks(self.trailers)


@dataclass(frozen=True)
class ByHand:
    """A commit of the user's on main, measured or not."""

    commit: str
    subject: str
    date: str
    before: str  # the verdict on main that it follows, "" where there is none
    after: str  # the verdict on main that follows it, "" where there is none yet


@dataclass(frozen=True)
class History:
    """All that the trail tells."""

    attempts: tuple[Attempt, ...]  # by number
    main: tuple[Scored, ...]  # oldest first
    tip: str  # of main
    by_hand: tuple[ByHand, ...] = ()  # oldest first

    @property
    def metric(self) -> str:
        """The metric of the newest score."""
        return self.main[-1].metric if self.main else "accuracy"

    @property
    def decided(self) -> list[Attempt]:
        """The attempts that have a verdict."""
        return [attempt for attempt in self.attempts if attempt.verdict]

    def seed_groups(self) -> list[tuple[float, ...]]:
        """Return the scores by seed, by main's metric, of every pipeline before main's newest."""
        rejected = (attempt for attempt in self.decided if attempt.verdict == "rejected")
        earlier: list[Scored | Attempt] = [*self.main[:-1], *rejected]
        told = [one.seed_scores for one in earlier if one.metric == self.metric]
        return [scores for scores in told if len(scores) > 1]

    def open(self) -> Attempt | None:
        """Return the attempt that has no verdict yet, None where there is none."""
        return next((attempt for attempt in self.attempts if attempt.verdict is None), None)

    def of(self, number: int) -> Attempt | None:
        """Return the attempt of that number, None where there is none."""
        return next((attempt for attempt in self.attempts if attempt.number == number), None)


def branch_of(number: int, component: str, slug: str) -> str:
    """Return the full reference name of an attempt's branch."""
    return f"refs/heads/improve/{number:04d}-{component}-{slug}"


def read_history(repo: Repository) -> History:
    """Read all verdicts and open attempts from the local and remote branches."""
    branches = repo.branches()
    tip = branches.get(MAIN) or branches.get("refs/remotes/origin/main") or ""
    found: list[Commit] = []
    said: dict[str, dict[str, str]] = {}
    for one in repo.commits("--topo-order", "--branches", "--remotes") if branches else ():
        found.append(one)
        # Only the engine gives verdicts: nobody else's message counts, whatever its trailers say.
        if is_of_project(one):
            said[one.sha] = trailers(one.message)
    commits = {c.sha: c for c in found}
    verdicts = {sha: t for sha, t in said.items()
                if "Verdict" in t and commits[sha].author == ENGINE}  # fmt: skip
    assigned = {t["Branch"]: commits[sha] for sha, t in said.items()
                if "Hypothesis" in t and "Branch" in t}  # fmt: skip
    # The newest commit of each attempt by its engineer, or by the person whose branch it tries:
    # the log has the newest first.
    written: dict[str, Commit] = {}
    tried = {t["Iteration"] for t in said.values() if t.keys() >= _PROPOSED}
    for one in found:
        its = said.get(one.sha) or (trailers(one.message) if tried else {})
        if "Iteration" not in its or {"Branch", "Verdict"} & its.keys():
            continue
        # The engine's own merges a moved main into the branch.
        if one.author != ENGINE and (one.sha in said or its["Iteration"] in tried):
            written.setdefault(its["Iteration"], one)
    decided = {t["Branch"]: sha for sha, t in verdicts.items() if "Branch" in t}
    tips = {ref.removeprefix("refs/heads/"): sha for ref, sha in branches.items()
            if ref.startswith("refs/heads/improve/")}  # fmt: skip

    attempts = []
    for name in {*assigned, *decided}:
        match = BRANCH.search(name)
        if not match or (name not in decided and name not in tips):
            continue
        verdict = verdicts.get(decided.get(name, ""), {})
        commit = decided.get(name) or tips[name]
        first = assigned.get(name)
        asked = said[first.sha] if first else {}
        change = written.get(asked.get("Iteration", ""))
        metric, score = _figure(verdict, _SCORES)
        attempts.append(
            Attempt(
                number=int(match[2]),
                component=cast(Component, match[3]),
                slug=match[4],
                verdict=cast("Verdict | None", verdict.get("Verdict")),
                reason=verdict.get("Reason", ""),
                metric=metric,
                score=score,
                main_score=_figure(verdict, _MAIN_SCORES)[1],
                train_seconds=_number(verdict.get("Train-Seconds")),
                hypothesis=asked.get("Hypothesis", ""),
                expected_effect=asked.get("Expected-Effect", ""),
                mechanism=asked.get("Mechanism", ""),
                subject=change.subject if change else "",
                body="\n\n".join(change.message.strip().split("\n\n")[1:-1]) if change else "",
                commit=commit,
                base=first.parents[0] if first and first.parents else "",
                date=commits[commit].date,
                record=verdict.get("Record", ""),
                seed_scores=_numbers(verdict.get("Seed-Scores")),
                looks=_looks(verdict),
                luck=_number(verdict.get("Luck")),
                proposer=asked.get("Proposed-By", ""),
                proposal=asked.get("Proposed-Commit", ""),
            )
        )
    reachable = _ancestors(commits, tip)
    main = [_scored(c, verdicts[c.sha]) for c in found if c.sha in reachable
            and verdicts.get(c.sha, {}).get("Verdict") in ON_MAIN]  # fmt: skip
    by_hand = _by_hand(commits, tip, {scored.commit for scored in main})
    return History(tuple(sorted(attempts, key=lambda a: a.number)), tuple(main[::-1]), tip, by_hand)


def next_number(repo: Repository, history: History, claimed: int) -> int:
    """Return one more than the highest number in branches, verdicts and the journal's claims."""
    matches = [BRANCH.search(ref) for ref in repo.branches()]
    numbers = [int(match[2]) for match in matches if match]
    return max([claimed, *numbers, *(attempt.number for attempt in history.attempts)]) + 1


def read_record(repo: Repository, blob: str | None) -> dict[str, Any] | None:
    """Return a record by its blob; None where it is not at hand (notes not fetched) or damaged."""
    try:
        record = json.loads(repo.read_blob(blob)) if blob else None
    except (GitFailed, ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _ancestors(commits: dict[str, Commit], tip: str) -> set[str]:
    """Return what is reachable from a commit by any parent: users merge in either direction."""
    seen: set[str] = set()
    todo = [tip]
    while todo:
        sha = todo.pop()
        if sha in commits and sha not in seen:
            seen.add(sha)
            todo += commits[sha].parents
    return seen


def _by_hand(commits: dict[str, Commit], tip: str, verdicts: set[str]) -> tuple[ByHand, ...]:
    """Return the user's commits among main's first parents, each between two verdicts."""
    found: list[ByHand] = []
    since: list[Commit] = []  # those whose verdict before is not known yet
    after = ""

    def close(before: str) -> None:
        found.extend(ByHand(c.sha, c.subject, c.date, before, after) for c in since)
        since.clear()

    commit = commits.get(tip)
    while commit:
        if commit.sha in verdicts:
            close(commit.sha)
            after = commit.sha
        elif not is_of_project(commit):
            since.append(commit)
        elif commit.author == ENGINE and not trailers(commit.message):
            break  # the pipeline was set up here: what is before is a project's own story
        commit = commits.get(commit.parents[0]) if commit.parents else None
    close("")
    return tuple(found[::-1])


def is_of_project(commit: Commit) -> bool:
    """Say whether a commit is by the engine or a team: nobody else's message counts."""
    return commit.author.email.endswith("@improve-git.invalid")


def _scored(commit: Commit, said: dict[str, str]) -> Scored:
    metric, score = _figure(said, _SCORES)
    branch = BRANCH.search(said.get("Branch", ""))
    return Scored(
        commit=commit.sha,
        verdict=cast(Verdict, said["Verdict"]),
        metric=metric,
        score=score if score is not None else float("nan"),
        main_score=_figure(said, _MAIN_SCORES)[1],
        number=int(branch[2]) if branch else None,
        subject=commit.subject,
        date=commit.date,
        trailers=said,
    )


def _figure(said: dict[str, str], names: dict[str, str]) -> tuple[str, float | None]:
    """Return the metric and the value of the trailer that has one of these names."""
    for key, metric in names.items():
        if key in said:
            return metric, _number(said[key])
    return "accuracy", None


def _looks(said: dict[str, str]) -> int:
    """Return how often val was looked at; each seed with a score is a look at least."""
    told = _number(said.get("Looks"))
    if told is not None and 0 <= told < 10**6:
        return int(told)
    return len(said.get("Seeds", "").split(",")) if _figure(said, _SCORES)[1] is not None else 0


def _numbers(text: str | None) -> tuple[float, ...]:
    found = [_number(part) for part in text.split(",")] if text else []
    fine = [number for number in found if number is not None]
    return tuple(fine) if len(fine) == len(found) else ()


def _number(text: str | None) -> float | None:
    try:
        found = float(text) if text else math.nan
    except ValueError:
        return None
    return found if abs(found) <= LARGEST else None
