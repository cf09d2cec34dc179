"""Calls through litellm to a real server, with all that can go wrong on the way."""

import base64
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from chat_server import (
    Answer,
    ChatServer,
    completion,
    drips,
    refuses,
    resets,
    says,
    send,
    serving,
    stalls,
    streams,
)
from hypothesis import given
from hypothesis import strategies as st
from listening import Listening, request

from improve_git.errors import LlmError, SettingsError
from improve_git.llm import faults
from improve_git.llm.base import MaybeCharged, NotCharged, Reply
from improve_git.llm.hosted import Hosted
from improve_git.llm.reckoning import MAX_REPLY, prompt_tokens
from improve_git.settings.compose import compose
from improve_git.settings.schema import LlmSettings, ModelSettings, PriceSettings

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True, scope="module")
def _loaded() -> None:
    """Have litellm load the rest of itself, which takes longer than the deadlines below."""
    with serving(says("x")) as server:
        Hosted(settings(server), Listening()).complete(request())


@pytest.fixture
def observer() -> Listening:
    return Listening()


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def stream(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def settings(server: ChatServer | None, **more: object) -> LlmSettings:
    url = server.url if server else "http://127.0.0.1:9/v1"
    values = {"name": "openai_compatible", "model": "served", "api_base": url, "timeout": 60.0}
    return LlmSettings(**(values | more))  # type: ignore[arg-type]


class Opened:
    """Makes backends that do not wait long between tries."""

    def __init__(self, observer: Listening) -> None:
        self.observer = observer

    def __call__(self, settings: LlmSettings) -> Hosted:
        return Hosted(settings, self.observer, pause=0.001)


@pytest.fixture
def opened(observer: Listening) -> Opened:
    return Opened(observer)


def timeless(reply: Reply) -> tuple[object, ...]:
    return (reply.text, reply.model, reply.cut_off, reply.prompt_tokens, reply.completion_tokens,
            reply.cost_usd, reply.estimated)  # fmt: skip


def test_a_plain_answer(opened: Opened) -> None:
    usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18,
             "prompt_tokens_details": {"cached_tokens": 5}}  # fmt: skip
    with serving(says("the answer", usage=usage)) as server:
        reply = opened(settings(server, temperature=0.5)).complete(request())
    assert timeless(reply) == ("the answer", "served", False, 11, 7, None, False)
    assert reply.cached_tokens == 5
    assert 0 < reply.seconds < 60
    [call] = server.calls
    assert call == {
        "model": "served",
        "messages": [
            {"role": "system", "content": "You are an analyst."},
            {"role": "user", "content": "Which component?"},
        ],
        "max_tokens": 16_000,
        "temperature": 0.5,
    }
    assert server.headers[0]["authorization"] == "Bearer none"


def test_an_answer_in_pieces(opened: Opened) -> None:
    with serving(streams("the ", "answer")) as server:
        reply = opened(settings(server, stream=True)).complete(request())
    assert timeless(reply) == ("the answer", "served", False, 11, 7, None, False)
    assert server.calls[0]["stream"] is True


def test_the_key_comes_from_the_environment(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-user")
    with serving(says("x")) as server:
        opened(settings(server)).complete(request())
    assert server.headers[0]["authorization"] == "Bearer sk-of-the-user"


def test_tokens_that_nobody_told_are_reckoned(opened: Opened, stream: bool) -> None:
    answer = streams("four byte", usage=None) if stream else says("four byte", usage=None)
    with serving(answer) as server:
        reply = opened(settings(server, stream=stream)).complete(request())
    prompt = prompt_tokens(request())
    assert timeless(reply) == ("four byte", "served", False, prompt, 3, None, True)


def test_a_price_of_ones_own_counts(opened: Opened) -> None:
    with serving(says("x")) as server:
        hosted = opened(settings(server, price=PriceSettings(1.0, 10.0), max_tokens=100))
        assert hosted.complete(request()).cost_usd == pytest.approx((11 + 7 * 10) / 1e6)
        tokens, usd = hosted.worst_case(request())
        assert tokens == prompt_tokens(request()) + 100
        assert usd == pytest.approx((prompt_tokens(request()) + 100 * 10) / 1e6)
        assert hosted.price("data", 10**6, 10**6) == pytest.approx(11)


def test_prices_and_abilities_of_listed_models_are_known(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-user")
    with serving(says("x")) as server:
        hosted = opened(settings(server, name="openai", model="openai/gpt-4o-mini"))
        assert hosted.model_of("data") == "gpt-4o-mini"
        assert hosted.sees_images("analyst")
        reply = hosted.complete(request(schema=SCHEMA))
        assert reply.cost_usd == pytest.approx(11 * 0.15e-6 + 7 * 0.6e-6)
        usd = hosted.worst_case(request())[1]
    assert usd == pytest.approx(prompt_tokens(request()) * 0.15e-6 + 16_000 * 0.6e-6)
    sent = server.calls[0]
    assert sent["model"] == "gpt-4o-mini"
    assert sent["response_format"]["json_schema"]["schema"] == SCHEMA


def test_an_unknown_price_is_none_and_never_zero(opened: Opened) -> None:
    with serving(says("x")) as server:
        # The name of a listed model says nothing of what another server takes for it.
        hosted = opened(settings(server, model="gpt-4o-mini"))
        assert hosted.complete(request()).cost_usd is None
        assert hosted.worst_case(request())[1] is None
        assert hosted.price("train", 1, 1) is None


FIXES = {
    "key": "check OPENAI_API_KEY in the environment",
    "model": "check llm.model",
    "context": "set llm.model to one with a larger context",
    "credit": "top up",
    "settings": "improve-git run --cfg",
}


@pytest.mark.parametrize(
    ("answer", "words", "fix"),
    [
        (refuses(401, "Incorrect API key: sk-abcdefgh1234567890xyz"), "refuses the key", "key"),
        (send(b'{"message": "no such person"}', 401), "refuses the key: no such person", "key"),
        (refuses(403, "not for you"), "refuses the key: not for you", "key"),
        (refuses(404, "The model `served` does not exist"), "is not known there", "model"),
        (
            refuses(400, "maximum context length is 5 tokens", "context_length_exceeded"),
            "the prompt is too long",
            "context",
        ),
        (refuses(413, "request entity too large"), "the prompt is too long", "context"),
        (refuses(402, "pay first"), "no credit: pay first", "credit"),
        (refuses(429, "You have insufficient_quota", "insufficient_quota"), "no credit", "credit"),
        (refuses(400, "odd\x1b[31m value\nand more"), "refuses the call: odd", "settings"),
    ],
)
def test_what_another_try_would_not_mend_stops_at_once(
    opened: Opened, stream: bool, answer: Answer, words: str, fix: str
) -> None:
    with serving(answer) as server, pytest.raises(NotCharged) as caught:
        opened(settings(server, stream=stream, fallback="second")).complete(request())
    assert words in caught.value.message
    assert caught.value.message.startswith("openai_compatible (served)")
    assert FIXES[fix] in caught.value.fix
    assert caught.value.message.isprintable()
    assert "sk-abc" not in str(caught.value)
    assert len(server.calls) == 1


PASSING = {
    "429": refuses(429, "slow down", "rate_limit_exceeded", {"Retry-After": "0"}),
    "500": refuses(500, "oops"),
    "503": refuses(503, "overloaded"),
    "529": refuses(529, "overloaded"),
    "408": refuses(408, "too slow"),
    "reset": resets,
}


@pytest.mark.parametrize("fault", PASSING)
def test_what_passes_is_tried_again(
    opened: Opened, observer: Listening, stream: bool, fault: str
) -> None:
    with serving(PASSING[fault], PASSING[fault], streams("x") if stream else says("x")) as server:
        reply = opened(settings(server, stream=stream)).complete(request())
    assert (reply.text, len(server.calls), len(observer.said)) == ("x", 3, 2)
    assert all("; again in 0 s" in line for line in observer.said)
    if fault == "reset":  # whether that was charged nobody knows
        assert (reply.prompt_tokens, reply.estimated) == (11 + 2 * prompt_tokens(request()), True)
    else:
        assert (reply.prompt_tokens, reply.estimated) == (11, False)


@pytest.mark.parametrize("body", [b"{nope", b"<html>busy</html>", b"[1]", b'{"choices": null}'])
def test_a_body_that_is_no_answer_is_asked_for_again(opened: Opened, body: bytes) -> None:
    with serving(send(body), says("x")) as server:
        reply = opened(settings(server)).complete(request())
    assert (reply.text, len(server.calls), reply.estimated) == ("x", 2, True)


def test_a_stream_that_is_no_answer_is_asked_for_again(opened: Opened) -> None:
    def garbage(handler: object) -> None:
        streams("a", finish=None)(handler)  # type: ignore[arg-type]
        handler.wfile.write(b"data: {nope\n\n")  # type: ignore[attr-defined]

    with serving(garbage, streams("x")) as server:
        reply = opened(settings(server, stream=True)).complete(request())
    assert (reply.text, len(server.calls)) == ("x", 2)


def test_tries_end(opened: Opened) -> None:
    with serving(refuses(500, "oops")) as server, pytest.raises(NotCharged) as caught:
        opened(settings(server)).complete(request())
    assert len(server.calls) == 8
    assert "no answer within 60 s, after 8 tries: oops" in caught.value.message
    assert "the run carries on where it was" in caught.value.fix


def test_a_server_that_is_not_there(opened: Opened, observer: Listening) -> None:
    with pytest.raises(NotCharged) as caught:
        opened(settings(None)).complete(request())
    assert "cannot be reached at http://127.0.0.1:9/v1" in caught.value.message
    assert "start that server" in caught.value.fix
    assert len(observer.said) == 3


def test_a_wait_beyond_the_deadline_is_not_begun(opened: Opened) -> None:
    began = time.monotonic()
    busy = refuses(429, "slow down", None, {"Retry-After": "3600"})
    with serving(busy) as server, pytest.raises(NotCharged, match="after 1 try: slow down"):
        opened(settings(server)).complete(request())
    assert time.monotonic() - began < 50
    assert len(server.calls) == 1


@pytest.mark.parametrize("answer", [drips, stalls])
def test_the_deadline_is_hard(opened: Opened, stream: bool, answer: Answer) -> None:
    began = time.monotonic()
    with serving(answer) as server:
        hosted = opened(settings(server, stream=stream, timeout=1.5))
        with pytest.raises(LlmError, match=r"no answer within 1.5 s, after 1 try") as caught:
            hosted.complete(request())
    assert time.monotonic() - began < 15  # the server would go on for a minute
    assert not isinstance(caught.value, NotCharged)
    assert "llm.timeout" in caught.value.fix


def test_the_fallback_answers_where_the_first_does_not(
    opened: Opened, observer: Listening, stream: bool
) -> None:
    with serving(stalls, streams("x") if stream else says("x")) as server:
        hosted = opened(settings(server, stream=stream, timeout=8.0, fallback="second"))
        reply = hosted.complete(request())
        assert hosted.worst_case(request())[0] == 2 * (prompt_tokens(request()) + 16_000)
    assert server.models == ["served", "second"]
    lost = prompt_tokens(request())
    assert timeless(reply) == ("x", "second", False, 11 + lost, 7, None, True)
    assert observer.warned == [
        "openai_compatible (served): no answer within 4 s, after 1 try; asking second"
    ]


def test_what_the_first_may_have_been_charged_outlives_the_fallbacks_refusal(
    opened: Opened,
) -> None:
    with serving(stalls, refuses(401, "who are you")) as server:
        hosted = opened(settings(server, timeout=8.0, fallback="second"))
        with pytest.raises(MaybeCharged, match="refuses the key: who are you") as caught:
            hosted.complete(request())
    assert server.models == ["served", "second"]
    assert caught.value.times == 1
    assert "check OPENAI_API_KEY" in caught.value.fix


@pytest.mark.parametrize(("charges", "calls"), [(1, 1), (3, 3), (None, 8)])
def test_tries_that_may_be_charged_end_before_a_cap_breaks(
    opened: Opened, charges: int | None, calls: int
) -> None:
    with serving(refuses(500, "oops"), resets) as server, pytest.raises(MaybeCharged) as caught:
        opened(settings(server)).complete(request(charges=charges))
    # The first was refused with an answer, and so is free.
    assert len(server.calls) == min(8, calls + 1)
    assert caught.value.times == len(server.calls) - 1
    assert ("for a cap may break with more" in caught.value.message) is (charges is not None)


def test_each_model_may_be_charged_as_often(opened: Opened) -> None:
    with serving(resets) as server, pytest.raises(MaybeCharged) as caught:
        opened(settings(server, fallback="second")).complete(request(charges=2))
    assert server.models == ["served", "served", "second", "second"]
    assert caught.value.times == 2  # of a worst case that counts both


def test_a_fallback_that_sees_no_images_gets_none(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-user")
    with serving(refuses(503, "overloaded")) as server:
        hosted = opened(settings(server, name="openai", model="gpt-4o-mini", fallback="blind"))
        assert hosted.answers("analyst") == ["gpt-4o-mini", "blind"]
        with pytest.raises(NotCharged):
            hosted.complete(request(images=(b"png",)))
        shown = {call["model"]: call["messages"][-1]["content"] for call in server.calls}
    assert shown["gpt-4o-mini"][1]["type"] == "image_url"
    assert shown["blind"] == "Which component?"


def test_answers_without_a_text_are_empty(opened: Opened) -> None:
    with serving(says(None), send(completion("x") | {"choices": []})) as server:
        hosted = opened(settings(server))
        found = [timeless(hosted.complete(request()))[:5] for _ in range(2)]
    assert found == [("", "served", False, 11, 7)] * 2


def test_an_answer_cut_off_says_so(opened: Opened, stream: bool) -> None:
    answer = streams("x", finish="length") if stream else says("x", finish="length")
    with serving(answer) as server:
        assert opened(settings(server, stream=stream)).complete(request()).cut_off


def test_a_stream_that_breaks_off_is_cut_off(opened: Opened) -> None:
    with serving(streams("half an ans", finish=None)) as server:
        reply = opened(settings(server, stream=True)).complete(request())
    assert (reply.text, reply.cut_off, reply.estimated) == ("half an ans", True, True)


def test_a_reply_of_5_mb_is_cut(opened: Opened, stream: bool) -> None:
    pieces = [f"{n:09} é" * 1000 for n in range(420)]
    with serving(streams(*pieces) if stream else says("".join(pieces))) as server:
        reply = opened(settings(server, stream=stream)).complete(request())
    assert reply.cut_off
    assert MAX_REPLY - 2 < len(reply.text.encode()) <= MAX_REPLY
    assert "".join(pieces).startswith(reply.text)


def test_thoughts_are_no_part_of_the_answer(opened: Opened, stream: bool) -> None:
    pieces = ("<think>{a", "}\n</think>\n", "\nanswer")
    with serving(streams(*pieces) if stream else says("".join(pieces))) as server:
        reply = opened(settings(server, stream=stream)).complete(request())
    assert reply.text.strip() == "answer"


@pytest.mark.parametrize("status", [400, 500])  # llama.cpp's Python server says 500
def test_a_refused_schema_is_left_out_from_then_on(opened: Opened, status: int) -> None:
    refused = refuses(status, "1 validation error: body, response_format, type: literal_error")
    with serving(refused, says("x"), says("y")) as server:
        hosted = opened(settings(server, json_schema=True))
        assert hosted.complete(request(schema=SCHEMA)).text == "x"
        assert hosted.complete(request(schema=SCHEMA)).text == "y"
    assert ["response_format" in call for call in server.calls] == [True, False, False]


def test_no_schema_goes_to_a_server_that_nothing_is_known_of(opened: Opened) -> None:
    with serving(says("x")) as server:
        opened(settings(server)).complete(request(schema=SCHEMA))
    assert "response_format" not in server.calls[0]


def test_images_go_with_the_last_message(opened: Opened) -> None:
    png = b"\x89PNG\r\n\x1a\n"
    with serving(says("x")) as server:
        assert not opened(settings(server)).sees_images("analyst")
        hosted = opened(settings(server, vision=True))
        assert hosted.sees_images("analyst")
        hosted.complete(request(images=(png,)))
    url = "data:image/png;base64," + base64.b64encode(png).decode()
    assert server.calls[0]["messages"][-1]["content"] == [
        {"type": "text", "text": "Which component?"},
        {"type": "image_url", "image_url": {"url": url}},
    ]


def test_each_role_may_have_its_model(opened: Opened) -> None:
    with serving(says("x")) as server:
        hosted = opened(settings(server, models=ModelSettings(analyst="other")))
        assert [hosted.complete(request(role=role)).model for role in ("analyst", "data")] == [
            "other",
            "served",
        ]
        assert (hosted.model_of("analyst"), hosted.model_of("train")) == ("other", "served")
    assert server.models == ["other", "served"]


def test_reasoning_effort_reaches_a_server_of_ones_own(opened: Opened) -> None:
    with serving(says("x")) as server:
        opened(settings(server, reasoning_effort="low")).complete(request())
    assert server.calls[0]["reasoning_effort"] == "low"


def test_what_is_missing_is_told_before_any_call(opened: Opened) -> None:
    with pytest.raises(LlmError, match="llm=anthropic needs a key: ANTHROPIC_API_KEY is not set"):
        opened(LlmSettings("anthropic", "claude-sonnet-5-5"))
    with pytest.raises(LlmError, match="GEMINI_API_KEY or GOOGLE_API_KEY is not set"):
        opened(LlmSettings("gemini", "g"))
    with pytest.raises(SettingsError, match=r"needs llm.model and llm.api_base"):
        opened(LlmSettings("openai_compatible", "m"))
    with pytest.raises(SettingsError, match="no model is named for the role architect"):
        opened(LlmSettings("vllm", models=ModelSettings(analyst="m")))


@pytest.mark.parametrize("name", ["openai", "anthropic", "gemini", "mistral", "deepseek"])
def test_the_usual_models_have_known_prices(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(f"{name.upper()}_API_KEY", "a-key-of-the-user")
    price = opened(compose(f"llm: {name}").llm).price("data", 10**6, 10**6)
    assert price is not None
    assert 1 < price < 20


def test_claude_is_told_what_to_keep_in_its_cache(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-of-the-user")
    hosted = opened(LlmSettings("anthropic", "claude-sonnet-5-5"))
    sent = hosted._options(hosted._models["analyst"], request(), 9)
    assert sent["messages"][0]["content"][0]["cache_control"] == {"type": "ephemeral"}
    assert hosted.sees_images("data")
    assert hosted.price("data", 10**6, 10**6) == pytest.approx(2.5 + 10)  # written to the cache


class Told(Exception):
    def __init__(self, header: str) -> None:
        super().__init__("busy")
        self.litellm_response_headers = {"Retry-After": header}


def test_retry_after_is_a_number_or_a_date() -> None:
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert faults.retry_after(Told("2.5")) == 2.5
    assert faults.retry_after(Told(in_a_minute)) == pytest.approx(60, abs=20)
    assert faults.retry_after(Told("Wed, 21 Oct 2015 07:28:00 GMT")) == 0
    assert faults.retry_after(Told("-5")) == 0
    assert [faults.retry_after(Told(odd)) for odd in ("", "soon", "nan", "inf")] == [None] * 4


@given(st.text())
def test_any_header_and_any_message_can_be_read(text: str) -> None:
    found = faults.retry_after(Told(text))
    assert found is None or found >= 0
    assert faults.told(Exception(text)).isprintable()
