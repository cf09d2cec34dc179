"""The settings as typed data, with their defaults."""

from dataclasses import dataclass, field
from typing import Any

from improve_git.domain import COMPONENTS
from improve_git.figures import METRICS

CHOICES: dict[str, tuple[str, ...]] = {
    "llm": (
        "none",
        "openai",
        "anthropic",
        "gemini",
        "mistral",
        "deepseek",
        "openrouter",
        "ollama",
        "vllm",
        "openai_compatible",
        "inbox",
        "replay",
    ),
    "sandbox": ("auto", "docker", "process"),
    "accept": ("improves", "confirmed"),
    "budget": ("default",),
    "metric": tuple(METRICS),
}
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
LABEL_PRESERVING = ("hflip", "vflip", "rot90", "rotate")


# Hydra refuses frozen dataclasses as schemas.
@dataclass
class SplitSettings:
    """Fractions of the images; what is left is the training part."""

    tune: float = 0.1
    val: float = 0.15
    test: float = 0.15


@dataclass
class DataSettings:
    """The images and how they are divided and stored."""

    images: str = ""  # absolute path, or "digits"
    split: SplitSettings = field(default_factory=SplitSettings)
    split_seed: int = 0
    cache_side: int = 512  # pixels; longer sides are scaled down in the packs
    label_preserving: list[str] = field(default_factory=list)  # of LABEL_PRESERVING
    max_unreadable: float = 0.05  # fraction of the files above which reading is an error
    max_pixels: int = 100_000_000  # an image above this is not decoded


@dataclass
class ModelSettings:
    """A model for a role, where it is not to be ``llm.model``."""

    architect: str | None = None
    analyst: str | None = None
    data: str | None = None  # the Data Engineer
    model: str | None = None
    train: str | None = None


@dataclass
class PriceSettings:
    """US dollars for a million tokens, where the provider's price list has none. 0: free."""

    input: float | None = None
    output: float | None = None


@dataclass
class LlmSettings:
    """Who proposes and writes the changes. Keys come from the providers' environment variables."""

    name: str = "none"
    model: str | None = None
    models: ModelSettings = field(default_factory=ModelSettings)
    fallback: str | None = None  # a second model, where the first does not answer in time
    api_base: str | None = None  # of a server of one's own
    temperature: float | None = None  # None: the provider's default
    reasoning_effort: str | None = None  # of EFFORTS, where supported
    max_tokens: int = 16_000  # of one reply
    history_tokens: int = 4_000  # that past attempts may take in a prompt
    timeout: float = 600.0  # seconds a call may take, retries included
    stream: bool = False
    json_schema: bool | None = None  # None: where the provider is known to support it
    vision: bool | None = None  # whether to show images; None: as for json_schema
    price: PriceSettings = field(default_factory=PriceSettings)
    folder: str | None = None  # of the inbox's questions; of the transcripts to replay (llm.from)


@dataclass
class AgentsSettings:
    """What the agents may do."""

    components: list[str] = field(default_factory=lambda: list(COMPONENTS))  # that may change


@dataclass
class SandboxSettings:
    """Where candidates run and what they may use. Sizes are text such as ``8g``."""

    name: str = "auto"
    base_image: str | None = None  # None: $IMPROVE_GIT_BASE_IMAGE, else the Dockerfile's own
    memory: str = "8g"
    cpus: float | None = None  # None: all
    processes: int = 1024
    scratch: str = "2g"
    shm: str = "1g"
    output: str = "2g"
    gpus: str = "all"  # all, none, or numbers such as "0,1"
    # Whether files that are not the playbook's own run where no isolation can be established.
    allow_unisolated: bool = False
    runtime: str | None = None  # Docker's, such as runsc (gVisor); None: the engine's default


@dataclass
class AcceptSettings:
    """Which candidates are merged. Seeds and confidence are for ``confirmed``."""

    name: str = "confirmed"
    seeds: int = 3  # that a candidate is confirmed on, and main is measured on
    confidence: float = 0.8  # that its gain is above zero
    certify: bool = False  # at the end of a run that merged something, by any rule


@dataclass
class BudgetSettings:
    """What a run may spend."""

    name: str = "default"
    iterations: int = 40
    hours: float | None = None  # None: no limit
    train_seconds: float | None = None  # None: four times the baseline's time, at least 60 s
    predict_seconds: float = 600.0
    repairs: int = 2  # of one candidate
    usd: float | None = None  # for LLM calls
    tokens: int | None = None  # of LLM calls, prompts and replies
    failures: int | None = 5  # in a row, after which a run pauses; None: never


@dataclass
class MetricSettings:
    """What is judged."""

    name: str = "accuracy"

    @property
    def higher_is_better(self) -> bool:
        """The metric's direction; not a setting of its own."""
        return METRICS[self.name]


@dataclass
class Settings:
    """All settings in force."""

    llm: LlmSettings = field(default_factory=LlmSettings)
    agents: AgentsSettings = field(default_factory=AgentsSettings)
    sandbox: SandboxSettings = field(default_factory=SandboxSettings)
    accept: AcceptSettings = field(default_factory=AcceptSettings)
    metric: MetricSettings = field(default_factory=MetricSettings)
    budget: BudgetSettings = field(default_factory=BudgetSettings)
    data: DataSettings = field(default_factory=DataSettings)
    seed: int = 0
    epochs: int | None = None  # None: the team chooses for the profile
    weights: Any = "auto"  # "auto": all that are at hand; or a list of timm names
