"""What a cloned pipeline's settings decide only once the user has agreed."""

from pathlib import Path

import pytest

from improve_git.errors import LlmError, SandboxError
from improve_git.settings.compose import compose
from improve_git.settings.consent import check_consent

ELSEWHERE = "llm: {name: vllm, model: m, api_base: 'http://elsewhere.example/v1'}"
IMAGE = "sandbox: {name: docker, base_image: registry.example/evil}"


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


def test_a_clones_image_is_asked_about(tmp_path: Path) -> None:
    state = tmp_path / ".improve"
    with pytest.raises(SandboxError) as caught:
        check_consent(compose(IMAGE), [], state)
    assert caught.value.message == (
        "improve.yaml builds the sandbox on the image registry.example/evil"
    )
    word = "sandbox.base_image=registry.example/evil"
    assert f"improve-git run '{word}'" in caught.value.fix
    check_consent(compose(IMAGE, [word]), [word], state)
    check_consent(compose(IMAGE), [], state)  # remembered
    check_consent(compose(IMAGE.replace("docker", "process")), [], tmp_path / "other")
