"""The loop: assign, rewrite, train, judge, merge or not; one file at a time, until a budget ends.

All state is in Git and the journal, so each step looks there for what is already done. After a
crash the same code simply carries on.
"""

from improve_git import gate, trail, words
from improve_git.domain import FILES, Attempt, Context, Outcome, Verdict
from improve_git.git import RefMoved
from improve_git.history import History, branch_of, next_number, read_history
from improve_git.incumbent import Incumbent, Main
from improve_git.landing import land, recover
from improve_git.messages import compose
from improve_git.observer import Observer
from improve_git.pipeline import Pipeline, scored_difference
from improve_git.teams.base import Team
from improve_git.trial import Bench, Measurement


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
        while not (ending := self.spent(main)):
            attempt = self.history().open() or self.assign(main)
            if attempt is None:
                return "nothing is left to try: the team knows no further move from this main"
            self.rewrite(attempt, main)
            self.conclude(attempt)
            main = self.incumbent.measured()
        return ending

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

    def rewrite(self, attempt: Attempt, main: Main) -> None:
        """Let the engineer rewrite its file on the branch, unless that is done already."""
        ref = branch_of(attempt.number, attempt.component, attempt.slug)
        if trail.rewrites(self.repo, attempt):
            return
        assignment = trail.read_assignment(self.repo, attempt)
        context = self.context(main, attempt.number, self.history())
        change = self.team.rewrite(assignment, context)
        self.observer.say(words.attempt_line(attempt, change.subject))
        trail.rewrite(self.repo, ref, attempt.component, change,
                      number=attempt.number, team=self.team.name)  # fmt: skip

    def conclude(self, attempt: Attempt) -> None:
        """Measure a candidate against the main of this moment and give the verdict.

        The user may move main at any time, so what was looked at is looked at again before
        anything lands; measurements are remembered, so a second look costs nothing.
        """
        ref = branch_of(attempt.number, attempt.component, attempt.slug)
        while True:
            main = self.incumbent.measured()
            moved = self.moved_since_base(ref, main)
            if FILES[attempt.component] in moved:
                reason = f"superseded: {FILES[attempt.component]} was changed on main meanwhile"
                return self.close(
                    attempt,
                    "rejected",
                    reason,
                    self.bench.refused(main.snapshot, Outcome("invalid", reason)),
                    main,
                )
            if moved:
                trail.take_in_main(self.repo, ref, attempt.number, attempt.component, main.commit)
            measured = self.measure(attempt, main)
            if self.pipeline.main() != main.commit:
                continue
            if measured["status"] != "ok":
                return self.close(attempt, "failed", words.failure(measured), measured, main)
            decision = gate.decide(
                words.scores(measured),
                words.scores(main.measurement),
                main.snapshot.settings.accept.name,
            )
            if decision.kind != "merge":
                return self.close(attempt, "rejected", decision.reason, measured, main)
            try:
                return self.merge(attempt, decision.reason, measured, main)
            except RefMoved:
                continue

    def moved_since_base(self, ref: str, main: Main) -> set[str]:
        """Return what of the scored content main has changed since the candidate's base."""
        base = self.repo.merge_base(ref, main.commit) or main.commit
        return scored_difference(self.pipeline.snapshot(base), main.snapshot)

    def measure(self, attempt: Attempt, main: Main) -> Measurement:
        """Measure a candidate; let its engineer repair it while that is allowed and it helps."""
        ref = branch_of(attempt.number, attempt.component, attempt.slug)
        budget = main.snapshot.settings.budget
        while True:
            base = self.repo.merge_base(ref, main.commit) or main.commit
            changed = trail.changed_paths(self.repo, base, ref)
            if changed != [FILES[attempt.component]]:
                names = ", ".join(changed) or "nothing"
                reason = f"changes {names}, not {FILES[attempt.component]} alone"
                return self.bench.refused(self.pipeline.snapshot(ref), Outcome("invalid", reason))
            candidate = self.pipeline.snapshot(ref)
            title = f"{attempt.number:04d} {attempt.component}: {attempt.slug}"
            measured = self.bench.measure(candidate, title, main.usual_seconds)
            if measured["status"] == "ok":
                return measured
            if len(trail.rewrites(self.repo, attempt)) > budget.repairs:
                return measured
            context = self.context(main, attempt.number, self.history())
            source = candidate.files[FILES[attempt.component]]
            assignment = trail.read_assignment(self.repo, attempt)
            change = self.team.repair(assignment, source, words.outcome(measured), context)
            if change is None or change.source == source:
                return measured
            self.observer.say(
                words.attempt_line(attempt, f"{measured['status']}: {change.subject}")
            )
            trail.rewrite(self.repo, ref, attempt.component, change,
                          number=attempt.number, team=self.team.name)  # fmt: skip

    def merge(self, attempt: Attempt, reason: str, measured: Measurement, main: Main) -> None:
        """Land an accepted candidate on main.

        Raises:
            RefMoved: main moved meanwhile.
            LandingWaits: the file that would land has uncommitted edits.
        """
        ref = branch_of(attempt.number, attempt.component, attempt.slug)
        message, blob = self.verdict(attempt, "merged", reason, measured, main)
        commit = trail.prepare_merge(self.repo, ref, attempt.component, main.commit, message)
        changed = trail.changed_paths(self.repo, main.commit, commit)
        if changed != [FILES[attempt.component]]:
            raise AssertionError(
                f"a merge would change {changed}"
            )  # never: checked before training
        land(self.repo, self.journal, commit, main.commit)
        self.repo.add_note(commit, blob)
        self.observer.verdict("merged", message.split("\n", 1)[0])

    def close(
        self, attempt: Attempt, verdict: Verdict, reason: str, measured: Measurement, main: Main
    ) -> None:
        """Record a verdict that merges nothing at the tip of the branch."""
        ref = branch_of(attempt.number, attempt.component, attempt.slug)
        message, blob = self.verdict(attempt, verdict, reason, measured, main)
        self.repo.add_note(trail.close(self.repo, ref, message), blob)
        self.observer.verdict(verdict, message.split("\n", 1)[0])

    def verdict(
        self, attempt: Attempt, verdict: Verdict, reason: str, measured: Measurement, main: Main
    ) -> tuple[str, str]:
        """Store an attempt's record; return the verdict's commit message and the record's blob."""
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
        branch = branch_of(attempt.number, attempt.component, attempt.slug)
        labels = trail.verdict_trailers(
            verdict, reason, record, blob, main_score=main.score,
            attempt=(attempt.number, attempt.component, branch.removeprefix("refs/heads/")),
        )  # fmt: skip
        subject = words.verdict_subject(attempt, verdict, reason, record)
        return compose(subject, attempt.hypothesis, labels), blob

    def context(self, main: Main, number: int, history: History) -> Context:
        """Return what the team is told for one iteration."""
        return self.incumbent.context(main.snapshot, number, history.decided)
