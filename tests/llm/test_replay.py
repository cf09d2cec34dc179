from dataclasses import replace
from pathlib import Path

import pytest
from listening import Listening, request

from improve_git.errors import LlmError, SettingsError
from improve_git.journal import Journal
from improve_git.llm.base import Reply
from improve_git.llm.desk import Desk
from improve_git.llm.replay import Replay
from improve_git.llm.transcripts import Transcripts
from improve_git.settings.schema import BudgetSettings

REPLY = Reply("the answer", "some-model", False, 11, 7, 0, 0.25, 1.5)


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    folder = Transcripts(tmp_path / ".improve" / "transcripts")
    folder.add(request(), REPLY)
    folder.add(request(role="data", ordinal=2, images=(b"png",)), REPLY)
    return tmp_path


def test_a_recording_answers_again(recorded: Path) -> None:
    observer = Listening()
    for folder in (recorded, recorded / ".improve" / "transcripts"):
        replay = Replay(folder, observer)
        assert replay.complete(request()) == REPLY
        assert replay.worst_case(request()) == (0, 0.0)
        assert (replay.model_of("analyst"), replay.model_of("train")) == ("some-model", "replay")
        assert (replay.sees_images("data"), replay.sees_images("analyst")) == (True, False)
    assert observer.warned == []


def test_another_prompt_is_answered_with_a_warning(recorded: Path) -> None:
    observer = Listening()
    assert Replay(recorded, observer).complete(request("It took 3 s.")) == REPLY
    assert observer.warned == ["replay: 0007-analyst-1 answered another prompt than this run's"]


def test_a_call_after_a_crash_is_found_under_its_own_ordinal(tmp_path: Path) -> None:
    folder, observer = Transcripts(tmp_path / "transcripts"), Listening()
    folder.add(request("rewrite: 3 s", "data"), replace(REPLY, text="rewritten"))
    recorded = Replay(tmp_path / "transcripts", observer)
    resumed = request("repair: 5 s", "data", ordinal=2, asked_as=1)
    assert recorded.complete(resumed).text == "rewritten"  # nothing better is there
    folder.add(request("repair: 4 s", "data", ordinal=2), replace(REPLY, text="repaired"))
    assert recorded.complete(resumed).text == "repaired"
    assert observer.warned == [
        "replay: 0007-data-1 answered another prompt than this run's",
        "replay: 0007-data-2 answered another prompt than this run's",
    ]


def test_the_very_prompt_is_found_under_any_ordinal(tmp_path: Path) -> None:
    folder, observer = Transcripts(tmp_path / "transcripts"), Listening()
    folder.add(request("rewrite", "data"), replace(REPLY, text="rewritten"))
    folder.add(request("repair", "data", ordinal=3), replace(REPLY, text="repaired"))
    folder.add(request("repair", "model"), replace(REPLY, text="of another role"))
    assert Replay(folder.folder, observer).complete(request("repair", "data")).text == "repaired"
    assert observer.warned == []


def test_a_desk_replays_a_repair_after_a_crash(tmp_path: Path) -> None:
    folder = Transcripts(tmp_path / "old")
    folder.add(request("rewrite: 3 s", "data", 3), replace(REPLY, text="rewritten"))
    folder.add(request("repair: 3 s", "data", 3, 2), replace(REPLY, text="repaired"))

    def desk() -> Desk:
        return Desk(
            Replay(folder.folder, Listening()),
            Transcripts(tmp_path / "new"),
            Journal(tmp_path / "journal"),
            BudgetSettings(),
            Listening(),
        )

    assert desk().ask(request("rewrite: 5 s", "data", 3)).text == "rewritten"
    assert desk().ask(request("repair: 5 s", "data", 3)).text == "repaired"


def test_where_the_recording_ends_the_file_is_named(recorded: Path) -> None:
    replay = Replay(recorded, Listening())
    with pytest.raises(LlmError, match=r"the recording ends here: .*/0008-analyst-1\.json"):
        replay.complete(request(iteration=8))
    path = recorded / ".improve" / "transcripts" / "0007-analyst-1.json"
    path.write_text("{torn")
    with pytest.raises(LlmError, match=r"0007-analyst-1\.json is damaged"):
        replay.complete(request())
    assert Replay(recorded, Listening()).model_of("analyst") == "replay"


def test_nothing_to_replay(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"llm.from: .* has no transcripts"):
        Replay(tmp_path, Listening())
    with pytest.raises(SettingsError, match="is not there"):
        Replay(tmp_path / "none", Listening())
