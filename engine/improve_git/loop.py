"""The loop: assign, rewrite, train, judge, merge or not; one file at a time, until a budget ends.

All state is in Git and the journal, so each step looks there for what is already done. After a
crash the same code simply carries on.
"""

import math
from contextlib import suppress
from dataclasses import replace

from improve_git.domain import FILES, UNASSIGNED, Assignment, Attempt, Context, Outcome
from improve_git.errors import BudgetSpent, RunPaused, TeamError
from improve_git.files import clear_abandoned
from improve_git.git import RefMoved
from improve_git.iteration import words
from improve_git.iteration.briefing import context_of
from improve_git.iteration.examination import Examined, examine
from improve_git.iteration.incumbent import Incumbent, Main
from improve_git.iteration.measurement import Measurement
from improve_git.iteration.trial import RUN, Bench
from improve_git.iteration.verdicts import Verdicts
from improve_git.observer import Observer
from improve_git.pipeline import Pipeline, Snapshot, scored_difference
from improve_git.teams.base import Team
from improve_git.trail import writing
from improve_git.trail.history import History, next_number, read_history
from improve_git.trail.landing import has_landed, recover


class Loop:
    """Improves one pipeline."""

    def __init__(self, pipeline: Pipeline, team: Team, bench: Bench, observer: Observer) -> None:
        self.pipeline = pipeline
        self.repo = pipeline.repo
        self.journal = pipeline.journal
        self.team = team
        self.bench = bench
        self.observer = observer
        self.incumbent = Incumbent(pipeline, team, bench, observer)
        self.verdicts = Verdicts(pipeline, team.name, observer)

    def run(self) -> str:
        """Improve main until a budget is spent or nothing is left to try; return why it ended.

        Raises:
            LandingWaits: an accepted candidate cannot land on uncommitted edits.
            LlmError: the language model cannot be used; no iteration is lost by it.
            PipelineError: main itself cannot be trained.
            RunPaused: too many iterations failed in a row.
            SandboxError: the sandbox failed repeatedly.
        """
        try:
            return self.improve()
        except BudgetSpent as end:
            return end.message + (f"; to go on: {end.fix}" if end.fix else "")

    def improve(self) -> str:
        """Go on until there is a reason to end, and return it."""
        self.recover()
        main = self.incumbent.measured()
        failures: list[Attempt] = []  # in a row, in this run
        while True:
            attempt = self.history().open()
            if attempt is None:  # an open one may have weights that wait to be judged
                self.bench.keep_weights(main.snapshot)
            if not (attempt and self.is_free(attempt, main)) and (ending := self.spent(main)):
                return ending
            attempt = attempt or self.assign(main)
            if attempt is None:
                return "nothing is left to try: the team knows no further move from this main"
            if self.rewrite(attempt, main):
                self.conclude(attempt)
            main = self.incumbent.measured()
            failures = self.failures(failures, attempt.number, main)

    def history(self) -> History:
        """Read the trail."""
        return read_history(self.repo)

    def recover(self) -> None:
        """Finish or drop what a crash cut short."""
        clear_abandoned(self.pipeline.state)
        recover(self.repo, self.journal)
        self.bench.sandbox.clear_leftovers(f"{self.pipeline.label}-{RUN}-")
        writing.attach_missing_notes(self.repo, self.history())

    def spent(self, main: Main) -> str:
        """Say which budget is spent; empty while none is."""
        budget = main.snapshot.settings.budget
        done = len(self.history().decided)
        hours = sum(event["seconds"] for event in self.journal.events("result")) / 3600
        if done >= budget.iterations:
            return f"{done} of {budget.iterations} iterations are done"
        if budget.hours is not None and hours >= budget.hours:
            return f"{hours:.2f} of {budget.hours:g} hours of training are spent"
        return ""

    def assign(self, main: Main) -> Attempt | None:
        """Let the analyst choose what to try next, and claim a number for it."""
        history = self.history()
        number = self.next_number(history)
        try:
            assignment = self.team.assign(self.context(main, number, history))
        except TeamError as error:
            self.observer.warn(f"{number:04d} no assignment: {error.message}")
            changeable = main.snapshot.settings.agents.components
            component = next(c for c in FILES if c == changeable[number % len(changeable)])
            assignment = Assignment(component, UNASSIGNED, error.message)
        if assignment is None:
            return None
        writing.assign(self.repo, number, assignment, main.commit, self.team.name)
        # The branch is the claim; the journal remembers it in case the user deletes the branch.
        self.journal.append("claim", number=number)
        return self.history().of(number)

    def next_number(self, history: History) -> int:
        """Return the number of the next attempt."""
        claims = self.journal.events("claim")
        return next_number(self.repo, history, max([e["number"] for e in claims], default=0))

    def failures(self, before: list[Attempt], number: int, main: Main) -> list[Attempt]:
        """Return the attempts of this run that failed in a row, up to the newest.

        Raises:
            RunPaused: there are so many that something other than the candidates may be wrong.
        """
        newest = self.history().of(number)
        if newest is None or newest.verdict != "failed":
            return []
        failed = [*before, newest]
        if len(failed) >= (main.snapshot.settings.budget.failures or math.inf):
            raise RunPaused(*words.pause(failed))
        return failed

    def is_free(self, attempt: Attempt, main: Main) -> bool:
        """Say whether no budget holds an open attempt up.

        It is a person's own, or only waits for its verdict, which costs nothing any more.
        """
        if attempt.proposer:
            return True
        written = len(writing.rewrites(self.repo, attempt, attempt.commit))
        if not written:
            return False
        candidate, groups = self.candidate(attempt.commit, main), self.history().seed_groups()
        known = examine(candidate, main, groups, self.bench.recall)
        repairs = main.snapshot.settings.budget.repairs
        return known is not None and (known.decision is not None or written > repairs)

    def rewrite(self, attempt: Attempt, main: Main) -> bool:
        """Let the engineer rewrite its file on the branch, unless that is done already.

        Returns False where nothing usable was written, which is then the verdict.
        """
        tip = self.repo.resolve(writing.ref_of(attempt))
        if tip is None or attempt.proposer or self.overtaken(attempt, tip, main):
            return True
        if writing.rewrites(self.repo, attempt, tip):
            return True
        assignment = writing.read_assignment(self.repo, attempt, tip)
        context = self.context(main, attempt.number, self.history())
        try:
            if assignment.slug == UNASSIGNED:
                raise TeamError(f"no assignment: {assignment.hypothesis}")
            change = self.team.rewrite(assignment, context)
        except TeamError as error:
            measured = self.bench.refused(main.snapshot, Outcome("no-rewrite", error.message))
            with suppress(RefMoved):  # by the user meanwhile: it is looked at again
                self.verdicts.fail(attempt, tip, measured, main)
            return False
        self.observer.say(words.attempt_line(attempt, change.subject))
        with suppress(RefMoved):  # the user's own commit there stands
            writing.rewrite(self.repo, attempt, tip, change, self.team.name)
        return True

    def conclude(self, attempt: Attempt) -> None:
        """Measure a candidate against the main of this moment and give the verdict.

        The user may move main or the branch at any time, so what was looked at is looked at again
        before anything lands; measurements are remembered, so a second look costs nothing.
        """
        while True:
            main = self.incumbent.measured()
            tip = self.repo.resolve(writing.ref_of(attempt))
            if tip is None:
                return self.observer.warn(f"{writing.ref_of(attempt)} is gone, and its attempt")
            with suppress(RefMoved):
                if self.conclude_at(attempt, tip, main):
                    return None

    def conclude_at(self, attempt: Attempt, tip: str, main: Main) -> bool:
        """Give the verdict on one commit against one main; say whether it has been given.

        Raises:
            RefMoved: main or the branch has another tip by now.
        """
        if reason := self.overtaken(attempt, tip, main):
            unmeasured = self.bench.refused(main.snapshot, Outcome("invalid", reason))
            self.verdicts.reject(attempt, tip, reason, unmeasured, main)
            return True
        base = writing.base_of(self.repo, attempt, tip)
        if scored_difference(self.pipeline.snapshot(base), main.snapshot):
            writing.take_in_main(self.repo, writing.ref_of(attempt), tip, attempt, main.commit)
            return False
        examined = self.measure(attempt, tip, main)
        if examined is None or self.pipeline.main() != main.commit:
            return False
        decision, measured = examined.decision, examined.measured
        if decision is None:
            self.verdicts.fail(attempt, tip, measured, main)
        elif decision.kind == "merge":
            self.verdicts.merge(attempt, tip, decision.reason, measured, main)
        else:
            self.verdicts.reject(attempt, tip, decision.reason, measured, main)
        return True

    def measure(self, attempt: Attempt, tip: str, main: Main) -> Examined | None:
        """Put a candidate before the gate; None where its engineer repaired it meanwhile."""
        base = writing.base_of(self.repo, attempt, tip)
        changed = writing.changed_paths(self.repo, base, tip)
        candidate = self.candidate(tip, main)
        if changed != [FILES[attempt.component]]:
            names = ", ".join(changed) or "nothing"
            reason = f"changes {names}, not {FILES[attempt.component]} alone"
            return Examined(None, self.bench.refused(candidate, Outcome("invalid", reason)))

        def train(seeded: Snapshot) -> Measurement:
            title = words.training_title(attempt, seeded.settings.seed, main.rule)
            return self.bench.measure(seeded, title, main.usual_seconds)

        examined = examine(candidate, main, self.history().seed_groups(), train)
        repairs = len(writing.rewrites(self.repo, attempt, tip)) - 1
        done = bool(attempt.proposer) or repairs >= main.snapshot.settings.budget.repairs
        if examined is None or examined.decision or done:
            return examined
        measured = examined.measured
        context = self.context(main, attempt.number, self.history())
        source = candidate.files[FILES[attempt.component]]
        assignment = writing.read_assignment(self.repo, attempt, tip)
        change = self.team.repair(assignment, source, words.outcome(measured), context)
        if change is None or change.source == source:
            return examined
        self.observer.say(words.attempt_line(attempt, f"{measured['status']}: {change.subject}"))
        writing.rewrite(self.repo, attempt, tip, change, self.team.name)
        return None

    def candidate(self, rev: str, main: Main) -> Snapshot:
        """Return a candidate's files under main's settings: budgets and limits count as of now."""
        return replace(main.snapshot, files=self.pipeline.snapshot(rev).files)

    def overtaken(self, attempt: Attempt, tip: str, main: Main) -> str:
        """Say why an attempt need not be measured any more; empty where it has to be."""
        base = writing.base_of(self.repo, attempt, tip)
        moved = scored_difference(self.pipeline.snapshot(base), main.snapshot)
        if has_landed(self.journal, attempt.number):
            return "taken back: its merge is no longer on main"
        if FILES[attempt.component] in moved:
            return f"superseded: {FILES[attempt.component]} was changed on main meanwhile"
        allowed = main.snapshot.settings.agents.components
        if attempt.component not in allowed and not writing.rewrites(self.repo, attempt, tip):
            return f"taken back: {FILES[attempt.component]} may not change any more"
        return ""

    def context(self, main: Main, number: int, history: History) -> Context:
        """Return what the team is told for one iteration."""
        return context_of(
            self.pipeline, main.snapshot, history,
            number=number, measured=main.measurement, usual_seconds=main.usual_seconds,
        )  # fmt: skip
