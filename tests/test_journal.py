"""The journal survives torn lines; the lock tells a live run from a dead one."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from improve_git.errors import PipelineError
from improve_git.journal import Journal, only_prediction, only_run


def test_events_come_back_in_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path / ".improve" / "journal")
    assert journal.events() == []
    journal.append("claim", number=1)
    journal.append("result", key="k", record="b")
    assert [e["event"] for e in journal.events()] == ["claim", "result"]
    assert journal.events("claim")[0]["number"] == 1
    assert journal.last("claim", "result") == journal.events()[1]
    assert journal.last("landing") is None


def test_a_torn_line_is_passed_over_and_swallows_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.append("claim", number=1)
    with journal.path.open("ab") as file:
        file.write(b'{"event": "cla')
    journal.append("claim", number=2)
    assert [e["number"] for e in journal.events("claim")] == [1, 2]


def test_a_second_run_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c",
         "import sys, pathlib\nfrom improve_git.journal import only_run\n"
         "with only_run(pathlib.Path(sys.argv[1])):\n"
         "    print('held', flush=True)\n    sys.stdin.read()", str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        with (
            pytest.raises(PipelineError, match=f"process {holder.pid} on .*, since 20"),
            only_run(tmp_path),
        ):
            pass
    finally:
        holder.kill()
        holder.wait()
    with only_run(tmp_path):  # the dead one's lock is gone with it
        pass


def test_a_second_prediction_waits_for_the_first(tmp_path: Path) -> None:
    order, told = [], threading.Event()

    def second() -> None:
        with only_prediction(tmp_path, lambda _: told.set()):
            order.append("second")

    with only_prediction(tmp_path, pytest.fail):
        waiting = threading.Thread(target=second)
        waiting.start()
        assert told.wait(60)
        order.append("first")
    waiting.join()
    assert order == ["first", "second"]
