"""The one module that speaks to LLM providers, through litellm's chat call."""

import asyncio
import atexit
import base64
import functools
import logging
import math
import os
import time
import warnings
from dataclasses import replace
from typing import Any

from improve_git.domain import Role
from improve_git.errors import LlmError
from improve_git.llm.base import MaybeCharged, Reply, Request
from improve_git.llm.calls import Answer, Call, NoAnswer
from improve_git.llm.providers import Model, model_named, models_of
from improve_git.llm.reckoning import prompt_tokens, shortened, tokens
from improve_git.observer import Observer
from improve_git.settings.schema import LlmSettings

_CONTEXT_STEP = 8192  # Ollama loads a model anew for each size of context, so sizes are few


class Hosted:
    """A backend of any provider, or server of one's own, that litellm can speak to."""

    def __init__(self, settings: LlmSettings, observer: Observer, pause: float = 1.0) -> None:
        """Check that models and keys are named; nothing is called yet.

        Args:
            settings: which models, where, and how they are to answer.
            observer: hears of waits and of the fallback.
            pause: seconds before the second try; it doubles from try to try.

        Raises:
            LlmError: a key is missing, or litellm is not installed.
            SettingsError: it is not said whom to ask.
        """
        self._settings = settings
        self._observer = observer
        self._pause = pause
        self._models = models_of(settings)
        second = settings.fallback
        self._fallback = model_named(settings.name, second) if second else None
        for model in dict.fromkeys([*self._models.values(), self._fallback]):
            if model:
                model.require_key()
        self._without_schema: set[Model] = set()  # those whose server refused one
        self._litellm = _load()

    def model_of(self, role: Role) -> str:
        """Return the name of a role's model, as its provider calls it."""
        return self._models[role].name

    def sees_images(self, role: Role) -> bool:
        """Say whether images may go along: ``llm.vision``, else what is known of the model."""
        return self._sees(self._models[role])

    def answers(self, role: Role) -> list[str]:
        """Return the names of a role's model and of the fallback."""
        return [model.name for model in self._in_turn(role)]

    def price(self, role: Role, prompt_tokens: int, completion_tokens: int) -> float | None:
        """Return the US dollars that a call of this size costs at most; None: no price is known."""
        return self._price(self._models[role], prompt_tokens, completion_tokens)

    def worst_case(self, request: Request) -> tuple[int, float | None]:
        """Return the most that a call can take, with the fallback asked too where there is one."""
        prompt, reply = prompt_tokens(request), self._settings.max_tokens
        models = self._in_turn(request.role)
        costs = [self._price(model, prompt, reply) for model in models]
        known = [cost for cost in costs if cost is not None]
        total = sum(known) if len(known) == len(costs) else None
        return (prompt + reply) * len(models), total

    def complete(self, request: Request) -> Reply:
        """Answer within ``llm.timeout``, with tries again where that may help.

        A fallback gets the second half of the time.

        Raises:
            LlmError: no answer can be had, and no other call would do better now.
        """
        began = time.monotonic()
        models = self._in_turn(request.role)
        lost: list[int] = []  # of each model the tries that may have been charged for nothing
        problem: LlmError | None = None
        for model in models:
            if problem:
                self._observer.warn(f"{problem.message}; asking {model.name}")
            seconds = self._settings.timeout / len(models)
            call = Call(
                self._litellm.acompletion,
                model,
                self._options(model, self._shown(model, request), seconds),
                seconds=seconds,
                pause=self._pause,
                say=self._observer.say,
                charges=request.charges,
            )
            try:
                answer = _runner().run(call.persist())
            except NoAnswer as none:
                problem = none.problem
                continue
            except LlmError as error:
                problem = error
                break
            finally:
                lost.append(call.lost)
            if call.schema_refused:
                self._without_schema.add(model)
            shown = self._shown(model, request)
            reply = self._as_reply(model, shown, answer, time.monotonic() - began)
            return self._with_lost(reply, request, models, sum(lost))
        assert problem
        # An earlier model may have been charged, although the last one was not. The worst case
        # counts each model once.
        if any(lost):
            raise MaybeCharged(problem.message, problem.fix, max(lost)) from problem
        raise problem

    def _in_turn(self, role: Role) -> list[Model]:
        first = self._models[role]
        return [first] + [m for m in [self._fallback] if m and m != first]

    def _sees(self, model: Model) -> bool:
        if self._settings.vision is not None:
            return self._settings.vision
        return self._listed(model).get("supports_vision") is True

    def _shown(self, model: Model, request: Request) -> Request:
        """Return the request without images where the model, such as a fallback, sees none."""
        return request if self._sees(model) else replace(request, images=())

    def _options(self, model: Model, request: Request, seconds: float) -> dict[str, Any]:
        """Return the arguments of litellm's chat call."""
        settings, listed = self._settings, self._listed(model)
        limit = listed.get("max_output_tokens")
        most = min(settings.max_tokens, limit) if isinstance(limit, int) else settings.max_tokens
        options: dict[str, Any] = {
            "model": model.full_name,
            "messages": _as_messages(model, request),
            "max_tokens": most,
            "timeout": seconds,
            "num_retries": 0,
            "max_retries": 0,
            "drop_params": True,  # what a model does not support is left out
        }
        if settings.temperature is not None:
            options["temperature"] = settings.temperature
        if settings.reasoning_effort is not None:
            options["reasoning_effort"] = settings.reasoning_effort
            if model.group == "openai_compatible":  # litellm cannot know what that supports
                options["allowed_openai_params"] = ["reasoning_effort"]
        if model.group == settings.name and settings.api_base:
            options["api_base"] = settings.api_base
        if model.group == "openai_compatible":
            options["api_key"] = os.environ.get("OPENAI_API_KEY") or "none"
        if model.group == "ollama":  # which cuts longer prompts without a word
            whole = prompt_tokens(request) + most
            options["num_ctx"] = math.ceil(whole / _CONTEXT_STEP) * _CONTEXT_STEP
        if settings.stream:
            options |= {"stream": True, "stream_options": {"include_usage": True}}
        wanted = settings.json_schema
        if wanted is None:
            wanted = listed.get("supports_response_schema") is True
        if request.schema is not None and wanted and model not in self._without_schema:
            options["response_format"] = {
                "type": "json_schema",
                "json_schema": {
                    "name": "answer",
                    "schema": request.schema,
                    "strict": request.schema.get("additionalProperties") is False,
                },
            }
        return options

    def _listed(self, model: Model) -> dict[str, Any]:
        """Return what litellm's own list, which comes with it, knows of a model; {}: nothing.

        Its functions for this would ask an Ollama server over the network. A server of one's own
        is in no list, whatever its models are called.
        """
        prices = self._litellm.model_cost
        found = prices.get(model.full_name) or prices.get(model.name) or {}
        return found if found.get("litellm_provider") == model.group else {}

    def _price(self, model: Model, prompt: int, reply: int, usage: Any = None) -> float | None:
        """Return US dollars; None where no price is known. Without ``usage``: the most."""
        price, listed = self._settings.price, self._listed(model)
        if price.input is not None and price.output is not None:
            return (prompt * price.input + reply * price.output) / 1e6
        if model.group == "openrouter" and (cost := _number(getattr(usage, "cost", None))):
            return cost
        each = [_number(listed.get(f"{way}_cost_per_token")) for way in ("input", "output")]
        if each[0] is None or each[1] is None:
            return None
        if usage is not None:
            told = self._litellm.cost_per_token(model=model.full_name, usage_object=usage)
            return float(sum(told))
        written = _number(listed.get("cache_creation_input_token_cost")) or 0.0
        return prompt * max(each[0], written) + reply * each[1]

    def _as_reply(self, model: Model, request: Request, answer: Answer, seconds: float) -> Reply:
        text, too_long = shortened(answer.text)
        usage = answer.usage
        prompt = _count(getattr(usage, "prompt_tokens", None))
        reply = _count(getattr(usage, "completion_tokens", None))
        estimated = not prompt or (not reply and bool(text))
        if estimated:
            usage, prompt, reply = None, prompt_tokens(request), tokens(text)
        cached = getattr(getattr(usage, "prompt_tokens_details", None), "cached_tokens", None)
        return Reply(
            text,
            model.name,
            answer.cut_off or too_long,
            prompt,
            reply,
            _count(cached),
            self._price(model, prompt, reply, usage),
            seconds,
            estimated,
        )

    def _with_lost(self, reply: Reply, request: Request, models: list[Model], lost: int) -> Reply:
        """Add the prompts of tries that may have been charged and brought no answer."""
        if not lost:
            return reply
        prompt = lost * prompt_tokens(request)
        costs = [reply.cost_usd, *(self._price(model, prompt, 0) for model in models)]
        known = [cost for cost in costs if cost is not None]
        return replace(
            reply,
            prompt_tokens=reply.prompt_tokens + prompt,
            cost_usd=known[0] + max(known[1:]) if len(known) == len(costs) else None,
            estimated=True,
        )


def _as_messages(model: Model, request: Request) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = [
        {"role": message.role, "content": message.text} for message in request.messages
    ]
    # Others find the stable beginning of a prompt in their cache by themselves.
    if "claude" in model.full_name and messages[0]["role"] == "system":
        cached = {"type": "text", "text": messages[0]["content"]}
        messages[0]["content"] = [cached | {"cache_control": {"type": "ephemeral"}}]
    if request.images:
        text = {"type": "text", "text": messages[-1]["content"]}
        urls = [f"data:image/png;base64,{base64.b64encode(i).decode()}" for i in request.images]
        shown = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        messages[-1]["content"] = [text, *shown]
    return messages


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _number(value: Any) -> float | None:
    known = isinstance(value, int | float) and 0 <= value < math.inf
    return float(value) if known else None


@functools.cache
def _runner() -> asyncio.Runner:
    """Return the event loop of all calls: connections and litellm's own tasks outlive a call."""
    runner = asyncio.Runner()
    atexit.register(runner.close)
    return runner


def _load() -> Any:
    """Import litellm, quiet and without the network."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # the list that comes with it
    # What litellm's own data classes are warned of is nothing to the user.
    warnings.filterwarnings("ignore", category=UserWarning, module="pydantic")
    try:
        import litellm
    except ImportError as error:
        raise LlmError(
            f"litellm cannot be loaded: {error}", "pip install 'improve-git[llm]'"
        ) from error
    litellm.telemetry = False
    litellm.suppress_debug_info = True
    litellm.disable_aiohttp_transport = True  # httpx tells a refused connection from a lost one
    logging.getLogger("LiteLLM").setLevel(logging.CRITICAL)
    return litellm
