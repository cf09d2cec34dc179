"""What main holds and what it scores: the baseline, and commits of the user's that change it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from improve_git.domain import COMPONENTS, FILES, Assignment, Verdict
from improve_git.errors import PipelineError
from improve_git.git import ENGINE, RefMoved
from improve_git.iteration import words
from improve_git.iteration.briefing import ABOUT, first_context
from improve_git.iteration.measurement import Measurement, combine, evidence, read_measurement
from improve_git.iteration.trial import Bench
from improve_git.judging.gate import Evidence, Rule
from improve_git.llm.ledger import llm_account
from improve_git.messages import compose
from improve_git.observer import Observer
from improve_git.pipeline import Pipeline, Snapshot
from improve_git.teams.base import Team
from improve_git.trail import writing
from improve_git.trail.history import FETCH_NOTES, Scored, read_history
from improve_git.trail.landing import land


@dataclass(frozen=True)
class Main:
    """The incumbent: what main holds, with its measured score."""

    commit: str
    snapshot: Snapshot
    measurement: Measurement
    usual_seconds: float  # what the baseline's training took

    @property
    def score(self) -> float:
        """The value of the configured metric on val, a mean where there are several seeds."""
        return float(self.measurement["score"])

    @property
    def rule(self) -> Rule:
        """What it takes to be merged."""
        return rule_of(self.snapshot)

    @property
    def evidence(self) -> Evidence:
        """What the gate is told of it."""
        return evidence(self.snapshot.data_set, [self.measurement])


def rule_of(snapshot: Snapshot) -> Rule:
    """Return the rule that the settings choose."""
    settings = snapshot.settings
    accept = settings.accept
    return Rule(accept.name, settings.seed, accept.seeds, accept.confidence)


class Incumbent:
    """Keeps main's score true to what main holds."""

    def __init__(self, pipeline: Pipeline, team: Team, bench: Bench, observer: Observer) -> None:
        self.pipeline = pipeline
        self.repo = pipeline.repo
        self.team = team
        self.bench = bench
        self.observer = observer

    def measured(self) -> Main:
        """Return main with its score; measure it first where what is scored has none yet.

        Raises:
            PipelineError: main cannot be trained (a baseline only after its repairs).
        """
        while True:
            commit = self.pipeline.main()
            snapshot = self.pipeline.snapshot(commit)
            scores = read_history(self.repo).main
            newest = scores[-1] if scores else None
            usual = _train_seconds(scores[0]) if scores else None
            record = newest.trailers.get("Record") if newest else None
            known = read_measurement(self.repo, record)
            known_seeds = set(known["seeds"]) if known else set()
            seeds = rule_of(snapshot).main_seeds
            if known and known.get("key") == self.bench.key(snapshot) and known_seeds >= {*seeds}:
                return Main(commit, snapshot, known, usual or known["train_seconds"])
            if newest and known is None:
                lacks = "the record of main's score is not at hand, so main is measured again"
                self.observer.warn(f"{lacks}; in a clone, this brings the records: {FETCH_NOTES}")
            title = "measure main" if newest else "measure the baseline"
            measured = self._measure(snapshot, seeds, title, usual)
            if self.pipeline.main() != commit:
                continue
            try:
                if measured["status"] == "ok":
                    self._record(commit, measured, newest)
                elif newest or not self._repair(commit, snapshot, measured):
                    raise _cannot_train(commit, measured)
            except RefMoved:
                continue

    def _measure(
        self, snapshot: Snapshot, seeds: Sequence[int], title: str, usual: float | None
    ) -> Measurement:
        """Measure on each of the seeds, up to the first failure."""
        runs = []
        for number, seed in enumerate(seeds, 1):
            which = f"{title}, seed {number} of {len(seeds)}" if len(seeds) > 1 else title
            runs.append(self.bench.measure(snapshot.seeded(seed), which, usual))
            if runs[-1]["status"] != "ok":
                return runs[-1]
        return combine(runs)

    def _record(self, commit: str, measured: Measurement, before: Scored | None) -> None:
        verdict: Verdict = "measured" if before else "baseline"
        about: dict[str, Any] = {"verdict": verdict}
        if before is None:  # what the architect took, and the repairs of its pipeline
            about["llm"] = llm_account(self.pipeline.journal.events(), 0)
        record = measured | about
        blob = writing.write_record(self.repo, record)
        main_score = before.score if before and before.metric == measured["metric"] else None
        labels = writing.verdict_trailers(verdict, "", record, blob, main_score=main_score)
        subject = words.main_subject(verdict, measured, main_score)
        message = compose(subject, "", labels)
        tip = self.repo.commit(f"{commit}^{{tree}}", [commit], message, ENGINE)
        land(self.repo, self.pipeline.journal, tip, commit)
        self.repo.add_note(tip, blob)
        self.observer.verdict(verdict, subject)
        if main_score is not None and words.is_worse(measured, main_score):
            self.observer.warn(words.worse_main(measured, main_score))
        if not before:
            for line in words.outlook(self.pipeline.snapshot(tip), measured):
                self.observer.say(line)

    def _repair(self, commit: str, snapshot: Snapshot, measured: Measurement) -> bool:
        """Let an engineer repair a failing baseline; say whether main has changed."""
        engineers = {writing.author(component, "").email for component in COMPONENTS}
        done = sum(c.author.email in engineers for c in self.repo.log("--first-parent", commit))
        if done >= snapshot.settings.budget.repairs:
            return False
        context = first_context(snapshot, self.pipeline.text(ABOUT))
        for component in COMPONENTS[::-1]:
            source = snapshot.files[FILES[component]]
            asked = Assignment(component, "repair", words.failure(measured))
            change = self.team.repair(asked, source, words.outcome(measured), context)
            if change and change.source != source:
                self.observer.say(f"baseline {measured['status']}: {change.subject}")
                tip = writing.repair_main(self.repo, commit, component, change, self.team.name)
                land(self.repo, self.pipeline.journal, tip, commit)
                return True
        return False


def _train_seconds(scored: Scored) -> float | None:
    text = scored.trailers.get("Train-Seconds")
    return float(text) if text else None


def _cannot_train(commit: str, measured: Measurement) -> PipelineError:
    detail = measured["detail"] or measured["log_tail"]
    where = f"\n{detail}" if detail else ""
    return PipelineError(
        f"main at {commit[:10]} cannot be trained: {words.failure(measured)}{where}",
        "mend the file and commit it, or: git revert; then: improve-git run",
    )
