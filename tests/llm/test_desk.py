"""Caps, the journal around each call, and replies that survive a crash."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from listening import Listening, request

from improve_git.domain import Role
from improve_git.errors import BudgetSpent, LlmError
from improve_git.journal import Journal
from improve_git.llm.base import MaybeCharged, NotCharged, Reply, Request
from improve_git.llm.desk import Desk
from improve_git.llm.ledger import Spend, spend
from improve_git.llm.transcripts import Transcripts, prompt_hash
from improve_git.settings.schema import BudgetSettings


class Killed(BaseException):
    """As kill -9 would end the process here."""


@dataclass
class Counted:
    """A backend that counts its calls, and may fail."""

    cost: float | None = 0.25
    worst: tuple[int, float | None] = (100, 1.0)
    fault: BaseException | None = None
    calls: list[Request] = field(default_factory=list)

    def model_of(self, role: Role) -> str:
        return "counted"

    def sees_images(self, role: Role) -> bool:
        return False

    def price(self, role: Role, prompt_tokens: int, completion_tokens: int) -> float | None:
        return self.cost

    def worst_case(self, request: Request) -> tuple[int, float | None]:
        return self.worst

    def complete(self, request: Request) -> Reply:
        self.calls.append(request)
        if self.fault:
            raise self.fault
        return Reply(f"reply {len(self.calls)}", "counted", False, 11, 7, 0, self.cost, 1.23456)


@dataclass
class Office:
    """A desk and all around it."""

    folder: Path
    backend: Counted = field(default_factory=Counted)
    observer: Listening = field(default_factory=Listening)

    @property
    def journal(self) -> Journal:
        return Journal(self.folder / "journal")

    @property
    def transcripts(self) -> Transcripts:
        return Transcripts(self.folder / "transcripts")

    def desk(self, **budget: Any) -> Desk:
        budgeted = BudgetSettings(**budget)
        return Desk(self.backend, self.transcripts, self.journal, budgeted, self.observer)

    def told(self, *kinds: str) -> list[dict[str, Any]]:
        return [{k: v for k, v in e.items() if k != "time"} for e in self.journal.events(*kinds)]

    def spent(self, iteration: int | None = None) -> Spend:
        return spend(self.journal.events(), iteration)


@dataclass
class Second(Counted):
    """Another model, which others may stand in for."""

    others: list[str] = field(default_factory=list)

    def model_of(self, role: Role) -> str:
        return "better"

    def answers(self, role: Role) -> list[str]:
        return ["better", *self.others]

    def complete(self, request: Request) -> Reply:
        reply = super().complete(request)
        return replace(reply, model="better", text=f"better {len(self.calls)}")


@dataclass
class Better(Office):
    """The same place with another model."""

    backend: Second = field(default_factory=Second)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_the_observer_hears_which_agent_is_asked(office: Office) -> None:
    desk = office.desk()
    desk.ask(request())
    desk.ask(request(role="model", ordinal=2))
    desk.ask(request(role="architect", iteration=0))
    assert office.observer.did == [
        "0007 analyst (counted) chooses what to try", "",
        "0007 model engineer (counted) repairs model.py", "",
        "0000 architect (counted) writes the first pipeline", "",
    ]  # fmt: skip


def test_a_call_is_told_before_and_after(office: Office) -> None:
    reply = office.desk().ask(request())
    assert (reply.text, reply.cost_usd) == ("reply 1", 0.25)
    [written] = office.transcripts.of(7)
    about = {"call": "0007-analyst-1", "iteration": 7, "role": "analyst"}
    assert office.told() == [
        {"event": "asking", **about, "tokens": 100, "usd": 1.0},
        {
            "event": "asked",
            **about,
            "model": "counted",
            "tokens": 18,
            "prompt_tokens": 11,
            "completion_tokens": 7,
            "usd": 0.25,
            "seconds": 1.235,
            "prompt": prompt_hash(request()),
            "transcript": written.sha256,
        },
    ]
    assert office.spent() == Spend(18, 0.25, 1, 0)


def test_secrets_are_neither_sent_nor_kept(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER_TOKEN", "hunter2hunter2")
    reply = office.desk().ask(request("the key is hunter2hunter2"))
    [sent] = office.backend.calls
    assert sent.messages[1].text == "the key is [secret removed]"
    assert reply.text == "reply 1"
    [written] = office.transcripts.of(7)
    assert "hunter2" not in office.transcripts.path(7, "analyst", 1).read_text()
    assert written.prompt_sha256 == prompt_hash(sent)


def test_a_secret_in_a_reply_goes_before_the_team_sees_it(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_SECRET", "a reply with a secret")
    office.backend.complete = (  # type: ignore[method-assign]
        lambda request: Reply("see: a reply with a secret", "counted")
    )
    assert office.desk().ask(request()).text == "see: [secret removed]"
    assert "with a secret" not in office.transcripts.path(7, "analyst", 1).read_text()


def test_a_paid_reply_survives_a_crash(office: Office) -> None:
    first = office.desk().ask(request())
    again = office.desk(usd=0.0).ask(request())  # which no cap stops: it costs nothing more
    assert again == first
    assert len(office.backend.calls) == 1
    assert office.spent() == Spend(18, 0.25, 1, 0)


def test_a_crash_between_the_transcript_and_the_journal(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(desk: Desk, transcript: object) -> None:
        raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(Desk, "_close", dies)
        office.desk().ask(request())
    assert office.spent() == Spend(100, 1.0, 1, 0)
    assert office.desk().ask(request()).text == "reply 1"
    assert office.spent() == Spend(18, 0.25, 1, 0)
    assert len(office.backend.calls) == 1


def test_a_call_that_a_crash_cut_short_counts_with_its_worst_case(office: Office) -> None:
    office.backend.fault = Killed()
    with pytest.raises(Killed):
        office.desk().ask(request())
    assert office.spent() == Spend(100, 1.0, 1, 0)
    office.backend.fault = None
    assert office.desk().ask(request()).text == "reply 2"
    assert office.spent() == Spend(118, 1.25, 2, 0)
    assert office.spent(7) == office.spent()
    assert office.spent(8) == Spend()


def test_another_prompt_under_the_same_name_is_another_call(office: Office) -> None:
    desk = office.desk()
    desk.ask(request("before the crash"))
    changed = desk.ask(request("after it"))
    assert changed.text == "reply 2"
    assert office.backend.calls[1] == request("after it", ordinal=2, asked_as=1)
    assert {t.ordinal for t in office.transcripts.of(7)} == {1, 2}
    assert office.desk().ask(request("after it")) == changed
    assert office.desk().ask(request("and then", ordinal=2)).text == "reply 3"
    assert {t.ordinal for t in office.transcripts.of(7)} == {1, 2, 3}
    assert office.spent().calls == len(office.backend.calls) == 3


def test_a_damaged_transcript_is_passed_over(office: Office) -> None:
    office.desk().ask(request())
    office.transcripts.path(7, "analyst", 1).write_text("{torn")
    assert office.desk().ask(request()).text == "reply 2"
    assert [t.ordinal for t in office.transcripts.of(7)] == [2]


@pytest.mark.parametrize(
    ("fault", "counted"),
    [
        (NotCharged("refused"), Spend()),
        (LlmError("no answer"), Spend(100, 1.0, 1, 0)),
        (MaybeCharged("no answer", "later", 3), Spend(300, 3.0, 1, 0)),
    ],
)
def test_a_failed_call_counts_unless_it_was_refused(
    office: Office, fault: LlmError, counted: Spend
) -> None:
    office.backend.fault = fault
    with pytest.raises(LlmError) as caught:
        office.desk().ask(request())
    assert caught.value is fault
    assert office.spent() == counted
    assert office.told("failed-call")[0]["tokens"] == counted.tokens


def test_a_cap_of_tokens_holds(office: Office) -> None:
    office.desk(tokens=118).ask(request("1"))
    office.desk(tokens=118).ask(request("2", ordinal=2))
    with pytest.raises(BudgetSpent) as caught:
        office.desk(tokens=135).ask(request("3", ordinal=3))
    assert caught.value.message == (
        "36 tokens are spent, and the next call may take 100: more than budget.tokens=135"
    )
    assert caught.value.fix == "improve-git run budget.tokens=1100"
    assert len(office.backend.calls) == 2
    assert len(office.told("asking")) == 2


def test_a_cap_of_money_holds(office: Office) -> None:
    office.desk(usd=1.0).ask(request("1"))
    with pytest.raises(BudgetSpent) as caught:
        office.desk(usd=1.2).ask(request("2", ordinal=2))
    assert caught.value.message == (
        "$0.2500 is spent, and the next call may take $1.0000: more than budget.usd=1.2"
    )
    assert caught.value.fix == "improve-git run budget.usd=10.25"
    assert office.desk(usd=1.25).ask(request("2", ordinal=2)).text == "reply 2"


@pytest.mark.parametrize(
    ("budget", "charges"),
    [
        ({}, None),
        ({"tokens": 518}, 5),
        ({"tokens": 517}, 4),
        ({"usd": 2.3}, 2),
        ({"tokens": 1000, "usd": 1.25}, 1),
        ({"tokens": 250, "usd": 50.0}, 2),
    ],
)
def test_a_backend_hears_how_often_it_may_be_charged(
    office: Office, budget: dict[str, Any], charges: int | None
) -> None:
    office.desk().ask(request("1"))
    office.desk(**budget).ask(request("2", ordinal=2))
    assert office.backend.calls[1].charges == charges


@pytest.mark.parametrize("fault", [KeyboardInterrupt(), Killed()])
def test_an_interrupted_call_that_costs_nothing_counts_nothing(
    office: Office, fault: BaseException
) -> None:
    office.backend.fault, office.backend.worst = fault, (0, 0.0)
    with pytest.raises(type(fault)):
        office.desk().ask(request())
    assert office.spent() == Spend()


def test_another_model_is_asked_anew(office: Office) -> None:
    first = office.desk().ask(request())
    better = Better(office.folder)
    assert better.desk().ask(request()).text == "better 1"
    assert {t.ordinal: t.reply.model for t in office.transcripts.of(7)} == {
        1: "counted",
        2: "better",
    }
    assert better.desk().ask(request()).text == "better 1"
    assert office.desk().ask(request()) == first
    better.backend.others = ["counted"]  # such as a fallback: what it was paid for is not lost
    assert better.desk().ask(request()) == first
    assert len(better.backend.calls) == len(office.backend.calls) == 1


def test_an_unknown_price_is_no_zero(office: Office) -> None:
    office.backend.worst, office.backend.cost = (100, None), None
    office.desk(tokens=200).ask(request("1"))
    assert office.spent() == Spend(18, 0.0, 1, 1)
    with pytest.raises(LlmError, match=r"the price of counted is unknown") as caught:
        office.desk(usd=5.0).ask(request("2", ordinal=2))
    assert "llm.price.input" in caught.value.fix
    office.backend.worst = (100, 1.0)
    desk = office.desk(usd=5.0)
    desk.ask(request("2", ordinal=2))
    desk.ask(request("3", ordinal=3))
    assert office.observer.warned == [
        "budget.usd leaves out 1 earlier calls: their price is unknown"
    ]


def test_what_costs_nothing_breaks_no_cap(office: Office) -> None:
    office.backend.worst, office.backend.cost = (0, 0.0), 0.0
    desk = office.desk(tokens=0, usd=0.0)
    assert desk.ask(request("1")).text == "reply 1"
    assert desk.ask(request("2", ordinal=2)).text == "reply 2"


def events(calls: list[tuple[int, str]]) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = [{"event": "claim", "number": 1}]
    for call, end in calls:
        about = {"call": f"{call:04}-data-1", "iteration": call}
        made.append({"event": "asking", **about, "tokens": 100, "usd": 1.0})
        if end:
            tokens = {"asked": 10, "failed-call": 0}[end]
            made.append({"event": end, **about, "tokens": tokens, "usd": tokens / 100})
    return made


@given(st.lists(st.tuples(st.integers(1, 3), st.sampled_from(["", "asked", "failed-call"]))))
def test_every_call_counts_once(calls: list[tuple[int, str]]) -> None:
    found = spend(events(calls))
    asked = sum(end == "asked" for _, end in calls)
    lost = sum(not end for _, end in calls)
    assert (found.tokens, found.calls) == (10 * asked + 100 * lost, asked + lost)
    assert found.usd == pytest.approx(asked / 10 + lost)
    each: list[Callable[[Spend], float]] = [lambda s: s.tokens, lambda s: s.usd, lambda s: s.calls]
    for part in each:
        parts = sum(part(spend(events(calls), iteration)) for iteration in (1, 2, 3))
        assert part(found) == pytest.approx(parts)


def test_an_unchanged_request_is_what_the_backend_gets(office: Office) -> None:
    asked = request(schema={"type": "object"}, images=(b"png",))
    office.desk().ask(asked)
    assert office.backend.calls == [asked]
    assert office.desk().price("data", 1, 1) == 0.25
    assert office.desk().model_of("data") == "counted"
