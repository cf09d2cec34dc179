"""Giving a verdict: its record, its words, and where it lands: on main, or at the branch's tip."""

from dataclasses import asdict, dataclass

from improve_git.domain import BY_HAND, FILES, Attempt, Verdict
from improve_git.iteration import words
from improve_git.iteration.incumbent import Main
from improve_git.iteration.measurement import Measurement
from improve_git.llm.ledger import llm_account
from improve_git.messages import compose
from improve_git.observer import Observer
from improve_git.pipeline import Pipeline
from improve_git.trail import writing
from improve_git.trail.landing import land


@dataclass(frozen=True)
class Ruling:
    """A verdict, ready to be written into the trail."""

    verdict: Verdict
    subject: str
    message: str  # of the commit
    record: str  # the blob


class Verdicts:
    """Gives verdicts on candidates; decides nothing.

    Every method raises RefMoved where the branch, or main, has another tip by now.
    """

    def __init__(self, pipeline: Pipeline, team: str, observer: Observer) -> None:
        self.repo = pipeline.repo
        self.journal = pipeline.journal
        self.team = team
        self.observer = observer

    def merge(
        self, attempt: Attempt, tip: str, reason: str, measured: Measurement, main: Main
    ) -> None:
        """Land an accepted candidate on main.

        Raises:
            LandingWaits: the file that would land has uncommitted edits.
        """
        ruling = self._rule(attempt, "merged", reason, measured, main)
        commit = writing.prepare_merge(
            self.repo, tip, attempt.component, main.commit, ruling.message
        )
        changed = writing.changed_paths(self.repo, main.commit, commit)
        if changed != [FILES[attempt.component]]:
            raise AssertionError(f"a merge would change {changed}")
        land(self.repo, self.journal, commit, main.commit, attempt.number)
        self.repo.add_note(commit, ruling.record)
        self.observer.verdict("merged", ruling.subject)

    def reject(
        self, attempt: Attempt, tip: str, reason: str, measured: Measurement, main: Main
    ) -> None:
        """Record that a candidate is not better, or that main has overtaken it."""
        self._close(attempt, tip, self._rule(attempt, "rejected", reason, measured, main))

    def fail(self, attempt: Attempt, tip: str, measured: Measurement, main: Main) -> None:
        """Record that a candidate has no score."""
        reason = words.failure(measured)
        self._close(attempt, tip, self._rule(attempt, "failed", reason, measured, main))

    def _close(self, attempt: Attempt, tip: str, ruling: Ruling) -> None:
        commit = writing.close(self.repo, writing.ref_of(attempt), tip, ruling.message)
        self.repo.add_note(commit, ruling.record)
        self.observer.verdict(ruling.verdict, ruling.subject)

    def _rule(
        self, attempt: Attempt, verdict: Verdict, reason: str, measured: Measurement, main: Main
    ) -> Ruling:
        """Store an attempt's record and put its verdict into words."""
        if measured["stopped_by"]:
            reason += f"; its training was stopped by the {measured['stopped_by']}"
        main_score = measured.get("main_score", main.score)  # over the same seeds, where examined
        record = measured | {
            "iteration": attempt.number,
            "component": attempt.component,
            "move": attempt.slug,
            "hypothesis": attempt.hypothesis,
            "team": BY_HAND if attempt.proposer else self.team,
            "verdict": verdict,
            "verdict_reason": reason,
            "main_score": main_score,
            "main_commit": main.commit,
            "rule": asdict(main.rule),
            "llm": llm_account(self.journal.events(), attempt.number),
        }
        blob = writing.write_record(self.repo, record)
        branch = writing.ref_of(attempt).removeprefix("refs/heads/")
        labels = writing.verdict_trailers(
            verdict, reason, record, blob, main_score=main_score,
            attempt=(attempt.number, attempt.component, branch),
        )  # fmt: skip
        subject = words.verdict_subject(attempt, verdict, reason, record)
        return Ruling(verdict, subject, compose(subject, attempt.hypothesis, labels), blob)
