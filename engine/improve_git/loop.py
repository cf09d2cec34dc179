"""The loop: assign, rewrite, train, judge, merge or not; one file at a time, until a budget ends.

All state is in Git and the journal, so each step looks there for what is already done. After a
crash the same code simply carries on.
"""

from contextlib import suppress
from dataclasses import dataclass, replace

from improve_git import gate, trail, words
from improve_git.domain import FILES, Attempt, Context, Outcome, Verdict
from improve_git.errors import TeamError
from improve_git.git import RefMoved
from improve_git.history import History, next_number, read_history
from improve_git.incumbent import Incumbent, Main, team_context
from improve_git.landing import land, recover
from improve_git.messages import compose
from improve_git.observer import Observer
from improve_git.pipeline import Pipeline, Snapshot, scored_difference
from improve_git.teams.base import Team
from improve_git.trial import Bench, Measurement


@dataclass(frozen=True)
class Ruling:
    """A verdict, ready to be written into the trail."""

    verdict: Verdict
    subject: str
    message: str  # of the commit
    record: str  # the blob


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

    def run(self) -> str:
        """Improve main until a budget is spent or nothing is left to try; return why it ended.

        Raises:
            LandingWaits: an accepted candidate cannot land on uncommitted edits.
            PipelineError: main itself cannot be trained.
            SandboxError: the sandbox failed repeatedly.
        """
        self.recover()
        main = self.incumbent.measured()
        while True:
            attempt = self.history().open()
            if not (attempt and self.is_measured(attempt, main)) and (ending := self.spent(main)):
                return ending
            attempt = attempt or self.assign(main)
            if attempt is None:
                return "nothing is left to try: the team knows no further move from this main"
            self.rewrite(attempt, main)
            self.conclude(attempt)
            main = self.incumbent.measured()
            self.bench.keep_weights(main.snapshot)

    def history(self) -> History:
        """Read the trail."""
        return read_history(self.repo)

    def recover(self) -> None:
        """Finish or drop what a crash cut short."""
        recover(self.repo, self.journal)
        self.bench.sandbox.clear_leftovers(self.pipeline.label)
        trail.attach_missing_notes(self.repo, self.history())

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
        claims = self.journal.events("claim")
        number = next_number(self.repo, history, max([e["number"] for e in claims], default=0))
        assignment = self.team.assign(self.context(main, number, history))
        if assignment is None:
            return None
        trail.assign(self.repo, number, assignment, main.commit, self.team.name)
        # The branch is the claim; the journal remembers it in case the user deletes the branch.
        self.journal.append("claim", number=number)
        return self.history().of(number)

    def is_measured(self, attempt: Attempt, main: Main) -> bool:
        """Say whether an open attempt only waits for its verdict: that costs nothing any more."""
        if not trail.rewrites(self.repo, attempt):
            return False
        return self.bench.recall(self.candidate(trail.ref_of(attempt), main)) is not None

    def rewrite(self, attempt: Attempt, main: Main) -> None:
        """Let the engineer rewrite its file on the branch, unless that is done already."""
        if trail.rewrites(self.repo, attempt):
            return
        assignment = trail.read_assignment(self.repo, attempt)
        context = self.context(main, attempt.number, self.history())
        try:
            change = self.team.rewrite(assignment, context)
        except TeamError as error:
            self.observer.warn(words.attempt_line(attempt, error.message))
            return  # nothing is rewritten, and that is the verdict's reason
        self.observer.say(words.attempt_line(attempt, change.subject))
        trail.rewrite(self.repo, trail.ref_of(attempt), attempt.component, change,
                      number=attempt.number, team=self.team.name)  # fmt: skip

    def conclude(self, attempt: Attempt) -> None:
        """Measure a candidate against the main of this moment and give the verdict.

        The user may move main or the branch at any time, so what was looked at is looked at again
        before anything lands; measurements are remembered, so a second look costs nothing.
        """
        while True:
            main = self.incumbent.measured()
            tip = self.repo.resolve(trail.ref_of(attempt))
            if tip is None:
                return self.observer.warn(f"{trail.ref_of(attempt)} is gone, and its attempt")
            with suppress(RefMoved):
                if self.conclude_at(attempt, tip, main):
                    return None

    def conclude_at(self, attempt: Attempt, tip: str, main: Main) -> bool:
        """Give the verdict on one commit against one main; say whether it has been given.

        Raises:
            RefMoved: main or the branch has another tip by now.
        """
        component, base = attempt.component, trail.base_of(self.repo, attempt, tip)
        moved = scored_difference(self.pipeline.snapshot(base), main.snapshot)
        if self.was_merged(attempt):
            return self.reject(attempt, tip, "taken back: its merge is no longer on main", main)
        if FILES[component] in moved:
            reason = f"superseded: {FILES[component]} was changed on main meanwhile"
            return self.reject(attempt, tip, reason, main)
        if moved:
            trail.take_in_main(self.repo, trail.ref_of(attempt), tip, attempt, main.commit)
            return False
        measured = self.measure(attempt, tip, main)
        if measured is None or self.pipeline.main() != main.commit:
            return False
        if measured["status"] != "ok":
            reason = words.failure(measured)
            self.close(attempt, tip, self.rule(attempt, "failed", reason, measured, main))
            return True
        rule = main.snapshot.settings.accept.name
        decision = gate.decide(words.scores(measured), words.scores(main.measurement), rule)
        if decision.kind == "merge":
            ruling = self.rule(attempt, "merged", decision.reason, measured, main)
            self.merge(attempt, tip, ruling, main)
        else:
            ruling = self.rule(attempt, "rejected", decision.reason, measured, main)
            self.close(attempt, tip, ruling)
        return True

    def measure(self, attempt: Attempt, tip: str, main: Main) -> Measurement | None:
        """Measure a candidate; None where its engineer repaired it, which makes it another one."""
        base = trail.base_of(self.repo, attempt, tip)
        changed = trail.changed_paths(self.repo, base, tip)
        candidate = self.candidate(tip, main)
        if changed != [FILES[attempt.component]]:
            names = ", ".join(changed) or "nothing"
            reason = f"changes {names}, not {FILES[attempt.component]} alone"
            return self.bench.refused(candidate, Outcome("invalid", reason))
        title = f"{attempt.number:04d} {attempt.component}: {attempt.slug}"
        measured = self.bench.measure(candidate, title, main.usual_seconds)
        repairs = len(trail.rewrites(self.repo, attempt)) - 1
        if measured["status"] == "ok" or repairs >= main.snapshot.settings.budget.repairs:
            return measured
        context = self.context(main, attempt.number, self.history())
        source = candidate.files[FILES[attempt.component]]
        assignment = trail.read_assignment(self.repo, attempt)
        change = self.team.repair(assignment, source, words.outcome(measured), context)
        if change is None or change.source == source:
            return measured
        self.observer.say(words.attempt_line(attempt, f"{measured['status']}: {change.subject}"))
        trail.rewrite(self.repo, trail.ref_of(attempt), attempt.component, change,
                      number=attempt.number, team=self.team.name)  # fmt: skip
        return None

    def candidate(self, rev: str, main: Main) -> Snapshot:
        """Return a candidate's files under main's settings: budgets and limits count as of now."""
        return replace(main.snapshot, files=self.pipeline.snapshot(rev).files)

    def was_merged(self, attempt: Attempt) -> bool:
        """Say whether an attempt that is open now had landed before, and main was moved back."""
        return any(e["number"] == attempt.number for e in self.journal.events("merged"))

    def merge(self, attempt: Attempt, tip: str, ruling: Ruling, main: Main) -> None:
        """Land an accepted candidate on main.

        Raises:
            RefMoved: main moved meanwhile.
            LandingWaits: the file that would land has uncommitted edits.
        """
        commit = trail.prepare_merge(self.repo, tip, attempt.component, main.commit, ruling.message)
        changed = trail.changed_paths(self.repo, main.commit, commit)
        if changed != [FILES[attempt.component]]:
            raise AssertionError(f"a merge would change {changed}")
        land(self.repo, self.journal, commit, main.commit)
        self.journal.append("merged", number=attempt.number)
        self.repo.add_note(commit, ruling.record)
        self.observer.verdict("merged", ruling.subject)

    def close(self, attempt: Attempt, tip: str, ruling: Ruling) -> None:
        """Record a verdict that merges nothing at the tip of the branch.

        Raises:
            RefMoved: the branch has another tip by now.
        """
        commit = trail.close(self.repo, trail.ref_of(attempt), tip, ruling.message)
        self.repo.add_note(commit, ruling.record)
        self.observer.verdict(ruling.verdict, ruling.subject)

    def reject(self, attempt: Attempt, tip: str, reason: str, main: Main) -> bool:
        """Close an attempt that main has overtaken, without measuring it; return True."""
        measured = self.bench.refused(main.snapshot, Outcome("invalid", reason))
        self.close(attempt, tip, self.rule(attempt, "rejected", reason, measured, main))
        return True

    def rule(
        self, attempt: Attempt, verdict: Verdict, reason: str, measured: Measurement, main: Main
    ) -> Ruling:
        """Store an attempt's record and put its verdict into words."""
        if measured["stopped_by"]:
            reason += f"; its training was stopped by the {measured['stopped_by']}"
        record = measured | {
            "iteration": attempt.number,
            "component": attempt.component,
            "move": attempt.slug,
            "hypothesis": attempt.hypothesis,
            "team": self.team.name,
            "verdict": verdict,
            "verdict_reason": reason,
            "main_score": main.score,
            "main_commit": main.commit,
        }
        blob = trail.write_record(self.repo, record)
        branch = trail.ref_of(attempt).removeprefix("refs/heads/")
        labels = trail.verdict_trailers(
            verdict, reason, record, blob, main_score=main.score,
            attempt=(attempt.number, attempt.component, branch),
        )  # fmt: skip
        subject = words.verdict_subject(attempt, verdict, reason, record)
        return Ruling(verdict, subject, compose(subject, attempt.hypothesis, labels), blob)

    def context(self, main: Main, number: int, history: History) -> Context:
        """Return what the team is told for one iteration."""
        return team_context(main.snapshot, number, history.decided)
