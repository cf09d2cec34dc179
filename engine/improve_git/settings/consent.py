"""What a pipeline's improve.yaml may not decide alone, since it may have been cloned from anywhere.

Whatever is given as a key=value word of a call is agreed to, for this pipeline from now on.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from improve_git.errors import ImproveError, LlmError, SandboxError
from improve_git.settings.compose import compose
from improve_git.settings.schema import Settings

_TRUSTED = "trusted"  # the file with what the user has agreed to, one a line


def check_consent(settings: Settings, words: Sequence[str], state: Path) -> None:
    """Raise where improve.yaml alone names what prompts are sent to, or what candidates run on.

    Args:
        settings: those in force.
        words: the key=value words of this call.
        state: the pipeline's folder ``.improve``, where what was agreed to is kept.

    Raises:
        LlmError: it names a server, which would get prompts and the user's key.
        SandboxError: it names an image, which would be pulled and built on.
    """
    for key, value, refusal in _asked_about(settings):
        trusted = state / _TRUSTED
        known: list[str] = []
        with suppress(FileNotFoundError):
            known = trusted.read_text().splitlines()
        if value in known:
            continue
        if not any(word.partition("=")[0] == key for word in words):
            raise refusal
        state.mkdir(parents=True, exist_ok=True)
        with trusted.open("a") as file:
            file.write(f"{value}\n")


def _asked_about(settings: Settings) -> Iterator[tuple[str, str, ImproveError]]:
    """Yield what has to be agreed to: its key, its value, the error where it was not."""
    llm, box = settings.llm, settings.sandbox
    speaks = llm.name not in ("none", "inbox", "replay")
    if llm.api_base and speaks and llm.api_base != compose(f"llm: {llm.name}").llm.api_base:
        refusal: ImproveError = LlmError(
            f"improve.yaml sends prompts and your key to {llm.api_base}",
            f"improve-git run 'llm.api_base={llm.api_base}' to agree to it, once",
        )
        yield "llm.api_base", llm.api_base, refusal
    if box.base_image and box.name in ("auto", "docker"):
        refusal = SandboxError(
            f"improve.yaml builds the sandbox on the image {box.base_image}",
            f"improve-git run 'sandbox.base_image={box.base_image}' to agree to it, once",
        )
        yield "sandbox.base_image", box.base_image, refusal
