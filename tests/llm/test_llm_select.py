from functools import partial
from pathlib import Path

import pytest
from listening import Listening, answer, reader, request

from improve_git.errors import LlmError, SettingsError
from improve_git.journal import Journal
from improve_git.llm.base import Llm, Reply
from improve_git.llm.select import check_consent, open_llm
from improve_git.llm.transcripts import Transcripts
from improve_git.settings import compose

ELSEWHERE = "llm: {name: vllm, model: m, api_base: 'http://elsewhere.example/v1'}"


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


def test_a_clones_address_is_asked_about(tmp_path: Path) -> None:
    state = tmp_path / ".improve"
    settings = compose(ELSEWHERE)
    with pytest.raises(LlmError) as caught:
        check_consent(settings, ["budget.iterations=3"], state)
    assert caught.value.message == (
        "improve.yaml sends prompts and your key to http://elsewhere.example/v1"
    )
    assert "improve-git run 'llm.api_base=http://elsewhere.example/v1'" in caught.value.fix
    word = "llm.api_base=http://elsewhere.example/v1"
    check_consent(compose(ELSEWHERE, [word]), [word], state)
    check_consent(settings, [], state)  # remembered
    other = compose(ELSEWHERE.replace("elsewhere", "else"))
    with pytest.raises(LlmError, match=r"http://else\.example/v1"):
        check_consent(other, [], state)


def test_a_usual_address_needs_no_consent(tmp_path: Path) -> None:
    for text in ("llm: vllm", "llm: ollama", "llm: openai", "", ELSEWHERE.replace("vllm", "inbox")):
        check_consent(compose(text), [], tmp_path / ".improve")
    assert not (tmp_path / ".improve").exists()
