from pathlib import Path

import pytest
from listening import Listening, request

from improve_git.errors import LlmError, SettingsError
from improve_git.llm.base import Reply
from improve_git.llm.replay import Replay
from improve_git.llm.transcripts import Transcripts

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
