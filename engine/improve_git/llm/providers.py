"""The providers behind the settings' group ``llm``: how a model is called, which key it takes."""

import os
from dataclasses import dataclass

from improve_git.domain import ROLES, Role
from improve_git.errors import LlmError, SettingsError
from improve_git.settings.schema import LlmSettings


@dataclass(frozen=True)
class Provider:
    """What a choice of ``llm`` means to litellm."""

    prefix: str  # of model names
    keys: tuple[str, ...] = ()  # environment variables, one of which holds the key
    own_server: bool = False  # run by the user: needs no key, and has no price list


PROVIDERS = {
    "openai": Provider("openai/", ("OPENAI_API_KEY",)),
    "anthropic": Provider("anthropic/", ("ANTHROPIC_API_KEY",)),
    "gemini": Provider("gemini/", ("GEMINI_API_KEY", "GOOGLE_API_KEY")),
    "mistral": Provider("mistral/", ("MISTRAL_API_KEY",)),
    "deepseek": Provider("deepseek/", ("DEEPSEEK_API_KEY",)),
    "openrouter": Provider("openrouter/", ("OPENROUTER_API_KEY",)),
    "ollama": Provider("ollama_chat/", ("OLLAMA_API_KEY",), own_server=True),
    "vllm": Provider("hosted_vllm/", ("HOSTED_VLLM_API_KEY",), own_server=True),
    "openai_compatible": Provider("openai/", ("OPENAI_API_KEY",), own_server=True),
}
# Where a name such as anthropic/... is a model of the provider's own catalogue.
_CATALOGUES = ("openrouter", "ollama", "vllm", "openai_compatible")


@dataclass(frozen=True)
class Model:
    """A model that can be asked."""

    group: str  # of PROVIDERS
    name: str  # as the provider calls it

    @property
    def provider(self) -> Provider:
        """Who serves it."""
        return PROVIDERS[self.group]

    @property
    def full_name(self) -> str:
        """The name that litellm knows it by."""
        return self.provider.prefix + self.name

    def require_key(self) -> None:
        """Raise LlmError where the environment holds no key that this model needs."""
        if self.provider.own_server or any(os.environ.get(name) for name in self.provider.keys):
            return
        raise LlmError(
            f"llm={self.group} needs a key: {' or '.join(self.provider.keys)} is not set",
            f"export {self.provider.keys[0]}=..., or connect otherwise: docs/llm.md",
        )


def model_named(group: str, name: str) -> Model:
    """Return the model of a group that ``name`` means.

    The prefix of the group itself may stand before it or not. Where providers have plain names,
    another provider's prefix leads there: ``llm=openai llm.fallback=anthropic/...``.
    """
    if group not in _CATALOGUES:
        for other, provider in PROVIDERS.items():
            if name.startswith(provider.prefix) and not provider.own_server:
                return Model(other, name.removeprefix(provider.prefix))
    elif group != "openai_compatible":
        # openai/gpt-oss-20b is what such a server itself calls a model.
        name = name.removeprefix(PROVIDERS[group].prefix)
    return Model(group, name)


def models_of(settings: LlmSettings) -> dict[Role, Model]:
    """Return each role's model.

    Raises:
        SettingsError: a setting is missing that says whom to ask, and where.
    """
    if settings.name == "openai_compatible" and not (settings.api_base and settings.model):
        raise SettingsError(
            "llm=openai_compatible needs llm.model and llm.api_base",
            "for instance: llm.model=NAME llm.api_base=http://localhost:8080/v1",
        )
    found: dict[Role, Model] = {}
    for role in ROLES:
        name = getattr(settings.models, role) or settings.model
        if not name:
            raise SettingsError(
                f"llm={settings.name}: no model is named for the role {role}",
                f"set llm.model, or llm.models.{role}",
            )
        found[role] = model_named(settings.name, name)
    return found
