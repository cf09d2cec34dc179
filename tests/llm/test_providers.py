"""Each provider in its own format, through litellm to a real server; and how models are named."""

import json
import subprocess
import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from chat_server import USAGE, Answer, refuses, resets, says, send, serving
from listening import Listening, request

from improve_git.llm.base import NotCharged
from improve_git.llm.hosted import Hosted
from improve_git.llm.providers import PROVIDERS, Model, model_named
from improve_git.settings.schema import LlmSettings

SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}
OLLAMA = {
    "model": "m",
    "created_at": "2024-01-01T00:00:00Z",
    "message": {"role": "assistant", "content": "hi"},
    "done": True,
    "done_reason": "stop",
    "prompt_eval_count": 11,
    "eval_count": 7,
}
ANTHROPIC = {
    "id": "m",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "content": [{"type": "text", "text": "hi"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 11, "output_tokens": 7},
}
GEMINI = {
    "candidates": [
        {"content": {"parts": [{"text": "hi"}], "role": "model"}, "finishReason": "STOP"}
    ],
    "usageMetadata": {"promptTokenCount": 11, "candidatesTokenCount": 7, "totalTokenCount": 18},
}


def ollama_in_pieces(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "application/x-ndjson")
    handler.send_header("Connection", "close")
    handler.end_headers()
    for letter in "hi":
        message = {"role": "assistant", "content": letter}
        piece = {"model": "m", "created_at": "", "message": message, "done": False}
        handler.wfile.write(json.dumps(piece).encode() + b"\n")
    end = OLLAMA | {"message": {"role": "assistant", "content": ""}}
    handler.wfile.write(json.dumps(end).encode() + b"\n")
    handler.close_connection = True


@pytest.mark.parametrize(
    ("group", "model", "answer", "cost"),
    [
        ("vllm", "org/m", says("hi"), None),
        ("openrouter", "org/m", says("hi", usage=USAGE | {"cost": 0.125}), 0.125),
        ("deepseek", "deepseek-v4-pro", says("hi"), 11 * 1.32e-6 + 7 * 3.96e-6),
        ("mistral", "mistral-medium-3-5", says("hi"), 11 * 1.5e-6 + 7 * 7.5e-6),
        ("ollama", "m", send(OLLAMA), None),
        ("ollama", "m", ollama_in_pieces, None),
        ("anthropic", "claude-sonnet-5-5", send(ANTHROPIC), 11 * 2e-6 + 7 * 10e-6),
        ("gemini", "gemini-3.8-flash", send(GEMINI), 11 * 0.75e-6 + 7 * 3.75e-6),
    ],
)
def test_every_provider_answers_and_fails_alike(
    monkeypatch: pytest.MonkeyPatch, group: str, model: str, answer: Answer, cost: float | None
) -> None:
    monkeypatch.setenv(PROVIDERS[group].keys[0], "the-key-of-the-user")
    script = (resets, refuses(503, "busy"), answer, refuses(401, "bad key"))
    with serving(*script) as server:
        openai_format = group in ("vllm", "openrouter", "deepseek", "mistral")
        base = server.url if openai_format else server.url.removesuffix("/v1")
        hosted = Hosted(
            LlmSettings(
                group, model, api_base=base, timeout=60, stream=answer is ollama_in_pieces,
                temperature=0.3, reasoning_effort="low", json_schema=True,
            ),
            Listening(), pause=0.001,
        )  # fmt: skip
        listed = sys.modules["litellm"].model_cost.get(f"{group}/{model}", {})
        monkeypatch.delitem(listed, "off_peak_pricing", raising=False)  # or the clock sets the cost
        reply = hosted.complete(request(schema=SCHEMA))
        lost = reply.prompt_tokens - 11  # of the reset
        assert (reply.text, reply.model, reply.completion_tokens) == ("hi", model, 7)
        assert lost > 0
        if cost is None or group == "openrouter":
            assert reply.cost_usd is None
        else:
            price = hosted.price("analyst", lost, 0)
            assert price
            assert reply.cost_usd == pytest.approx(cost + price)
        assert "Which component?" in json.dumps(server.calls[0])
        if answer is not ollama_in_pieces:  # after which litellm asks Ollama for its model's size
            with pytest.raises(NotCharged, match=rf"{group} \({model}\) refuses the key: bad key"):
                hosted.complete(request())


def test_openrouter_tells_the_cost_with_the_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", "the-key-of-the-user")
    with serving(says("hi", usage=USAGE | {"cost": 0.125})) as server:
        settings = LlmSettings("openrouter", "org/m", api_base=server.url)
        hosted = Hosted(settings, Listening())
        assert hosted.complete(request()).cost_usd == 0.125
        assert hosted.price("analyst", 1, 1) is None  # beforehand nobody knows


def test_ollama_is_given_room_for_the_prompt() -> None:
    with serving(send(OLLAMA)) as server:
        base = server.url.removesuffix("/v1")
        hosted = Hosted(LlmSettings("ollama", "m", api_base=base, max_tokens=100), Listening())
        hosted.complete(request("x" * 3 * 8192))
    assert server.calls[0]["options"]["num_ctx"] == 2 * 8192


@pytest.mark.parametrize(
    ("group", "name", "expected"),
    [
        ("openai", "gpt-x", Model("openai", "gpt-x")),
        ("openai", "openai/gpt-x", Model("openai", "gpt-x")),
        ("openai", "anthropic/claude", Model("anthropic", "claude")),
        ("gemini", "mistral/m", Model("mistral", "m")),
        ("openrouter", "anthropic/claude", Model("openrouter", "anthropic/claude")),
        ("openrouter", "openrouter/org/m", Model("openrouter", "org/m")),
        ("vllm", "openai/gpt-oss-20b", Model("vllm", "openai/gpt-oss-20b")),
        ("vllm", "hosted_vllm/org/m", Model("vllm", "org/m")),
        ("ollama", "ollama_chat/qwen", Model("ollama", "qwen")),
        ("openai_compatible", "openai/m", Model("openai_compatible", "openai/m")),
    ],
)  # fmt: skip
def test_a_prefix_may_stand_there_or_not(group: str, name: str, expected: Model) -> None:
    assert model_named(group, name) == expected
    assert expected.full_name == PROVIDERS[expected.group].prefix + expected.name


def test_a_run_ends_without_noise() -> None:
    """Connections and tasks of litellm are still open when the program ends."""
    code = """
import sys
from improve_git.llm.hosted import Hosted
from improve_git.observer import Silent
from improve_git.settings.schema import LlmSettings
from listening import request
hosted = Hosted(LlmSettings("openai_compatible", "m", api_base=sys.argv[1]), Silent())
print(hosted.complete(request()).text)
"""
    with serving(says("hi")) as server:
        done = subprocess.run(
            [sys.executable, "-c", code, server.url],
            check=False, capture_output=True, text=True, cwd=Path(__file__).parent,
        )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "hi\n", "")
