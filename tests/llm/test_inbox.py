"""Questions as files, answered by another thread as a person would."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from listening import Listening, request

from improve_git.errors import LlmError
from improve_git.llm.inbox import Inbox
from improve_git.llm.reckoning import MAX_REPLY, prompt_tokens


def soon() -> None:
    time.sleep(0.01)


@contextmanager
def reader(act: Callable[[], None]) -> Iterator[None]:
    thread = threading.Thread(target=act)
    thread.start()
    yield
    thread.join()


def wait_for(path: Path) -> str:
    while not path.exists():
        soon()
    return path.read_text()


def test_a_reader_answers(tmp_path: Path) -> None:
    folder, observer = tmp_path / "in" / "box", Listening()
    seen: dict[str, str | bytes] = {}

    def answer() -> None:
        seen["question"] = wait_for(folder / "0007-analyst-1.md")
        seen["image"] = (folder / "0007-analyst-1-image-1.png").read_bytes()
        (folder / "0007-analyst-1.reply.md").write_bytes(b"\xef\xbb\xbfThe model \xc3\xbc\r\n\xff")

    asked = request(images=(b"png",))
    with reader(answer):
        reply = Inbox(folder, 60, observer, wait=soon).complete(asked)
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
    assert list(folder.iterdir()) == []


def test_a_reply_that_is_being_written_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "0007-analyst-1.reply.md"
    looks = iter(["", " \n", "half", "half of", "the whole"])
    inbox = Inbox(tmp_path, 60, Listening(), wait=lambda: path.write_text(next(looks, "the whole")))
    assert inbox.complete(request()).text == "the whole"


def test_a_reply_given_meanwhile_is_taken_at_once(tmp_path: Path) -> None:
    (tmp_path / "0007-analyst-1.reply.md").write_text("written while nothing ran")
    assert Inbox(tmp_path, 60, Listening(), wait=soon).complete(request()).text == (
        "written while nothing ran"
    )


def test_no_reply_in_time_keeps_the_question(tmp_path: Path) -> None:
    with pytest.raises(LlmError, match=r"no reply within 0\.05 s") as caught:
        Inbox(tmp_path, 0.05, Listening(), wait=soon).complete(request())
    assert "the question is kept" in caught.value.fix
    assert [path.name for path in tmp_path.iterdir()] == ["0007-analyst-1.md"]


def test_an_interrupt_keeps_the_question(tmp_path: Path) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Inbox(tmp_path, 60, Listening(), wait=interrupted).complete(request())
    assert (tmp_path / "0007-analyst-1.md").exists()


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LlmError, match="the question cannot be written to"):
        Inbox(tmp_path / "file", 60, Listening()).complete(request())


def test_a_reply_beyond_all_measure_is_cut(tmp_path: Path) -> None:
    (tmp_path / "0007-analyst-1.reply.md").write_bytes(b"x" * (MAX_REPLY + 5))
    reply = Inbox(tmp_path, 60, Listening(), wait=soon).complete(request())
    assert (len(reply.text), reply.cut_off) == (MAX_REPLY, True)


def test_a_reader_sees_images_and_takes_no_money(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path, 60, Listening(), max_tokens=100)
    assert inbox.sees_images("data")
    assert inbox.price("data", 1, 1) == 0.0
    assert inbox.worst_case(request()) == (prompt_tokens(request()) + 100, 0.0)
