from functools import partial
from pathlib import Path

import pytest
from listening import Listening, answer, reader, request

from improve_git.errors import SettingsError
from improve_git.journal import Journal
from improve_git.llm.base import Llm, Reply
from improve_git.llm.select import open_llm
from improve_git.llm.transcripts import Transcripts
from improve_git.settings.compose import compose


def opened(state: Path, text: str, *words: str) -> Llm | None:
    return open_llm(compose(text, words), Journal(state / "journal"), state, Listening())


def test_the_playbook_needs_none(tmp_path: Path) -> None:
    assert opened(tmp_path / ".improve", "") is None


def test_the_inbox_is_beside_the_journal_unless_told(tmp_path: Path) -> None:
    state = tmp_path / ".improve"
    places = [
        ("llm: inbox", state / "inbox"),
        ("llm: {name: inbox, folder: box}", tmp_path / "box"),
        (f"llm: {{name: inbox, folder: {tmp_path}/other}}", tmp_path / "other"),
    ]
    for n, (text, folder) in enumerate(places, 1):
        llm = opened(state, text)
        assert llm
        with reader(partial(answer, folder, "the reply", f"0007-analyst-{n}")):
            assert llm.ask(request(text)).text == "the reply"
        assert list(folder.iterdir()) == []
    assert len(Transcripts(state / "transcripts").of(7)) == 3
    assert compose("llm: inbox").llm.timeout == 86_400


def test_a_replay_from_a_pipeline(tmp_path: Path) -> None:
    Transcripts(tmp_path / "old" / ".improve" / "transcripts").add(
        request(), Reply("the answer", "m", False, 11, 7, 0, 0.25, 1.5)
    )
    state = tmp_path / "new" / ".improve"
    llm = opened(state, "", "llm=replay", f"llm.from={tmp_path}/old", "budget.usd=0")
    assert llm
    assert llm.ask(request()).cost_usd == 0.25
    with pytest.raises(SettingsError, match=r"llm=replay needs llm\.from"):
        opened(state, "llm: replay")
