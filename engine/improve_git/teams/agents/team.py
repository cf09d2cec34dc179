"""The five agents: asks a language model for each role, and takes only what passes the checks."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from improve_git.domain import (
    FILES,
    Assignment,
    Component,
    Context,
    Design,
    Outcome,
    Rewrite,
    Role,
    Status,
)
from improve_git.errors import TeamError
from improve_git.llm.base import Llm, Message, Reply, Request
from improve_git.messages import one_line
from improve_git.teams.agents import asking, checks
from improve_git.teams.agents.replies import Unusable, read_file, read_files
from improve_git.teams.agents.rounding import scale_of

QUOTED = 2_000  # characters of an unusable reply that it is reminded of

# Whose matter a failure is where no traceback names a file.
_USUAL_CAUSES: dict[Status, Component] = {
    "out-of-memory": "data",
    "timeout": "train",
    "diverged": "train",
}

T = TypeVar("T")


@dataclass(frozen=True)
class Question(Generic[T]):
    """One thing that is asked of a role until it is answered in a form that can be used."""

    role: Role
    task: str
    read: Callable[[str], T]  # raises Unusable
    form: str  # the prompt that tells the form again
    form_values: dict[str, Any] = field(default_factory=dict)
    schema: dict[str, Any] | None = None
    images: tuple[bytes, ...] = ()


class Agents:
    """Implements the Team protocol on a language model."""

    def __init__(
        self,
        llm: Llm,
        contact_sheet: Callable[[], bytes | None],
        history_tokens: int,
        tries: int = 3,
    ) -> None:
        """Make a team.

        Args:
            llm: who answers.
            contact_sheet: makes a PNG of labelled training images; None where there can be none.
            history_tokens: what past attempts may take in a prompt.
            tries: how often one thing is asked for until the reply can be used.
        """
        self.llm = llm
        self.name = llm.model_of("analyst")
        self._contact_sheet = contact_sheet
        self._history_tokens = history_tokens
        self._tries = tries
        self._calls: Counter[tuple[int, Role]] = Counter()

    def design(self, context: Context, epochs: int | None) -> Design:
        """Have the Project Architect write the first pipeline in one reply.

        Raises:
            TeamError: no reply can be used.
            LlmError, BudgetSpent: nothing can be asked.
        """
        images = self._sheet("architect")
        task = asking.design(context, epochs, bool(images))
        question = Question("architect", task, _read_design, "form_design.md.j2", images=images)
        (files, subject, body), by = self._ask(question, context)
        return Design(files, subject or "Start with a first pipeline", body, by)

    def assign(self, context: Context) -> Assignment | None:
        """Have the Performance Analyst choose what is tried next; None where nothing may change.

        Raises:
            TeamError: no reply can be used.
            LlmError, BudgetSpent: nothing can be asked.
        """
        if not context.components:
            return None
        # By the trail, not by the process: a run that carries on has to ask the same as before, or
        # the reply that is paid already is not found.
        images = () if context.attempts else self._sheet("analyst")
        scale = scale_of(context)
        question = Question(
            "analyst",
            asking.assign(context, self._history_tokens, bool(images)),
            lambda text: checks.read_assignment(text, context, scale),
            "form_assignment.md.j2",
            asking.assignment_form(context),
            checks.assignment_schema(context),
            images,
        )
        assignment, by = self._ask(question, context)
        return replace(assignment, by=by)

    def rewrite(self, assignment: Assignment, context: Context) -> Rewrite:
        """Have the component's engineer rewrite its file.

        Raises:
            TeamError: no reply can be used.
            LlmError, BudgetSpent: nothing can be asked.
        """
        task = asking.rewrite(assignment, context, self._history_tokens)
        return self._write(assignment, context, task)

    def repair(
        self, assignment: Assignment, failed_source: str, outcome: Outcome, context: Context
    ) -> Rewrite | None:
        """Have the same engineer mend its file; None where no reply can be used.

        Raises:
            LlmError, BudgetSpent: nothing can be asked.
        """
        component = assignment.component
        # A baseline's failure is shown to each engineer in turn, but one alone can mend it.
        if context.number == 0 and _blamed(outcome) not in (component, None):
            return None
        task = asking.repair(assignment, failed_source, outcome, context)
        try:
            return self._write(assignment, context, task, failed_source)
        except TeamError:
            return None

    def _write(
        self, assignment: Assignment, context: Context, task: str, failed: str = ""
    ) -> Rewrite:
        component = assignment.component

        def read(text: str) -> Rewrite:
            source, subject, body = read_file(text, FILES[component])
            checks.check_new(source, component, context, failed)
            return Rewrite(source, subject or _subject(assignment, failed), body)

        form = asking.file_form(component)
        question = Question(component, task, read, "form_file.md.j2", form)
        change, by = self._ask(question, context)
        return replace(change, by=by)

    def _ask(self, question: Question[T], context: Context) -> tuple[T, str]:
        """Ask until a reply can be used; return what was read from it, and who wrote it."""
        role = question.role
        messages: tuple[Message, ...] = (
            Message("system", asking.system(role, context)),
            Message("user", question.task),
        )
        reason = ""
        for _ in range(self._tries):
            self._calls[context.number, role] += 1
            ordinal = self._calls[context.number, role]
            reply = self.llm.ask(
                Request(context.number, role, ordinal, messages, question.schema, question.images)
            )
            try:
                _check_whole(reply)
                return question.read(reply.text), reply.model
            except Unusable as error:
                reason = one_line(str(error), 600)
            said = asking.clean(reply.text[:QUOTED]).strip() or "(nothing)"
            again = asking.again(question.form, reason, **question.form_values)
            messages = (*messages, Message("assistant", said), Message("user", again))
        raise TeamError(f"no usable reply after {self._tries}: {reason}")

    def _sheet(self, role: Role) -> tuple[bytes, ...]:
        if not self.llm.sees_images(role):
            return ()
        sheet = self._contact_sheet()
        return (sheet,) if sheet else ()


def _check_whole(reply: Reply) -> None:
    if not reply.text.strip():
        raise Unusable("cut off before it began" if reply.cut_off else "empty")
    if reply.cut_off:
        raise Unusable("cut off at the limit of tokens: write less")


def _read_design(text: str) -> tuple[dict[str, str], str, str]:
    files, subject, body = read_files(text)
    checks.check_contract(files, *files)
    return files, subject, body


def _subject(assignment: Assignment, failed: str) -> str:
    what = assignment.slug.replace("-", " ")
    return f"Repair {what}" if failed else f"Try {what}"


def _blamed(outcome: Outcome) -> Component | None:
    """Return whose file a failure comes from; None where nothing tells."""
    told = re.findall(r"\b(data|model|train)\.py\b", f"{outcome.detail}\n{outcome.reason}")
    if told:
        last = told[-1]
        return next(component for component, name in FILES.items() if name == f"{last}.py")
    return _USUAL_CAUSES.get(outcome.status)
