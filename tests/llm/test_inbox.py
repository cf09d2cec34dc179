"""Questions as files, answered by another thread as a person would."""

from collections.abc import Callable
from pathlib import Path

import pytest
from listening import Listening, answer, reader, request, soon, wait_for

from improve_git.journal import Journal
from improve_git.llm.base import NotCharged
from improve_git.llm.desk import Desk
from improve_git.llm.inbox import Inbox
from improve_git.llm.ledger import Spend, spend
from improve_git.llm.reckoning import MAX_REPLY, prompt_tokens
from improve_git.llm.transcripts import Transcripts
from improve_git.settings.schema import BudgetSettings


class Killed(BaseException):
    """As kill -9 would end the process here."""


def interrupted() -> None:
    raise KeyboardInterrupt


def keep_question(folder: Path, **asked: object) -> None:
    """Ask, and be interrupted."""
    with pytest.raises(KeyboardInterrupt):
        Inbox(folder, 60, Listening(), wait=interrupted).complete(request(**asked))  # type: ignore[arg-type]


def desk(folder: Path, wait: Callable[[], None] = soon, **budget: int) -> Desk:
    """Return a desk, as a new process would open it."""
    return Desk(
        Inbox(folder / "inbox", 60, Listening(), wait=wait),
        Transcripts(folder / "transcripts"),
        Journal(folder / "journal"),
        BudgetSettings(**budget),
        Listening(),
    )


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_reader_answers(tmp_path: Path) -> None:
    folder, observer = tmp_path / "in" / "box", Listening()
    seen: dict[str, str | bytes] = {}

    def act() -> None:
        seen["question"] = wait_for(folder / "0007-analyst-1.md")
        seen["image"] = (folder / "0007-analyst-1-image-1.png").read_bytes()
        (folder / "0007-analyst-1.reply.md").write_bytes(b"\xef\xbb\xbfThe model \xc3\xbc\r\n\xff")

    asked = request(images=(b"png",))
    with reader(act):
        inbox = Inbox(folder, 60, observer, wait=soon)
        reply = inbox.complete(asked)
    assert reply.text == "The model ü\r\n�"
    assert (reply.model, reply.cost_usd, reply.estimated) == ("inbox", 0.0, True)
    assert (reply.prompt_tokens, reply.completion_tokens) == (prompt_tokens(asked), 6)
    assert reply.seconds > 0
    assert seen == {
        "question": """\
> Please answer what follows. Write the answer alone to `0007-analyst-1.reply.md`, in this folder.
> The run waits for that file, takes it, and carries on by itself.

# system

You are an analyst.

# user

Which component?

![0007-analyst-1-image-1.png](0007-analyst-1-image-1.png)
""",
        "image": b"png",
    }
    assert observer.said == [
        f"waiting for a reply to {folder}/0007-analyst-1.md: "
        "write it to 0007-analyst-1.reply.md there"
    ]
    assert len(names(folder)) == 3  # until the reply is written down
    inbox.clear(request("asked by another pipeline here"))
    assert len(names(folder)) == 3
    inbox.clear(asked)
    assert names(folder) == set()


def test_a_reply_that_is_being_written_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "0007-analyst-1.reply.md"
    looks = iter(["", " \n", "half", "half of", "the whole"])
    keep_question(tmp_path)
    inbox = Inbox(tmp_path, 60, Listening(), wait=lambda: path.write_text(next(looks, "the whole")))
    assert inbox.complete(request()).text == "the whole"


def test_a_reply_given_meanwhile_is_taken_at_once(tmp_path: Path) -> None:
    keep_question(tmp_path)
    (tmp_path / "0007-analyst-1.reply.md").write_text("written while nothing ran")
    assert Inbox(tmp_path, 60, Listening(), wait=soon).complete(request()).text == (
        "written while nothing ran"
    )


@pytest.mark.parametrize("kept", [True, False])
def test_a_reply_to_another_question_is_moved_aside(tmp_path: Path, kept: bool) -> None:
    if kept:
        keep_question(tmp_path, text="Which colour?")
    (tmp_path / "0007-analyst-1.reply.md").write_text("blue")
    (tmp_path / "0007-analyst-1.reply.md.old").write_text("older")
    observer = Listening()
    moved = tmp_path / "0007-analyst-1.reply.md.old1"
    with reader(lambda: (wait_for(moved), answer(tmp_path, "the head"))):
        reply = Inbox(tmp_path, 60, observer, wait=soon).complete(request())
    assert reply.text == "the head"
    assert moved.read_text() == "blue"
    assert observer.warned == [
        f"{tmp_path}/0007-analyst-1.reply.md is no reply to the question asked now: "
        "it is 0007-analyst-1.reply.md.old1 now"
    ]


def test_a_repair_that_was_answered_while_nothing_ran(tmp_path: Path) -> None:
    with reader(lambda: answer(tmp_path / "inbox", "rewritten", "0003-data-1")):
        assert desk(tmp_path).ask(request("rewrite", "data", 3)).text == "rewritten"
    with pytest.raises(KeyboardInterrupt):
        desk(tmp_path, interrupted).ask(request("repair", "data", 3, 2))
    assert names(tmp_path / "inbox") == {"0003-data-2.md"}
    (tmp_path / "inbox" / "0003-data-2.reply.md").write_text("repaired")
    # The ordinals of a new process begin at 1.
    assert desk(tmp_path).ask(request("repair", "data", 3)).text == "repaired"
    assert names(tmp_path / "inbox") == set()


@pytest.mark.parametrize("where", ["add", "_close"])
def test_a_persons_reply_survives_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def die(*_: object) -> None:
        raise Killed

    dying = monkeypatch.context()
    with (
        dying as patched,
        pytest.raises(Killed),
        reader(lambda: answer(tmp_path / "inbox", "much work")),
    ):
        patched.setattr(Transcripts if where == "add" else Desk, where, die)
        desk(tmp_path).ask(request())
    assert names(tmp_path / "inbox") == {"0007-analyst-1.md", "0007-analyst-1.reply.md"}
    assert desk(tmp_path).ask(request()).text == "much work"
    assert names(tmp_path / "inbox") == set()


def test_a_question_without_a_reply_takes_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        desk(tmp_path, interrupted).ask(request())
    slow = desk(tmp_path, tokens=1)
    slow._backend._timeout = 0.05  # type: ignore[attr-defined]
    with pytest.raises(NotCharged):
        slow.ask(request())
    assert spend(Journal(tmp_path / "journal").events()) == Spend()


def test_no_reply_in_time_keeps_the_question(tmp_path: Path) -> None:
    with pytest.raises(NotCharged, match=r"no reply within 0\.05 s") as caught:
        Inbox(tmp_path, 0.05, Listening(), wait=soon).complete(request())
    assert "the question is kept" in caught.value.fix
    assert [path.name for path in tmp_path.iterdir()] == ["0007-analyst-1.md"]


def test_an_interrupt_keeps_the_question(tmp_path: Path) -> None:
    keep_question(tmp_path)
    assert (tmp_path / "0007-analyst-1.md").exists()


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotCharged, match="the question cannot be written to"):
        Inbox(tmp_path / "file", 60, Listening()).complete(request())


def test_a_reply_beyond_all_measure_is_cut(tmp_path: Path) -> None:
    keep_question(tmp_path)
    (tmp_path / "0007-analyst-1.reply.md").write_bytes(b"x" * (MAX_REPLY + 5))
    reply = Inbox(tmp_path, 60, Listening(), wait=soon).complete(request())
    assert (len(reply.text), reply.cut_off) == (MAX_REPLY, True)


def test_a_reader_sees_images_and_takes_no_money(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path, 60, Listening())
    assert inbox.sees_images("data")
    assert inbox.price("data", 1, 1) == 0.0
    assert inbox.worst_case(request()) == (0, 0.0)
