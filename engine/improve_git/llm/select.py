"""Opens what the settings name, after the user's consent to where prompts and keys go."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from improve_git.errors import LlmError, SettingsError
from improve_git.journal import Journal
from improve_git.llm.base import Backend, Llm
from improve_git.llm.desk import Desk
from improve_git.llm.transcripts import Transcripts
from improve_git.observer import Observer
from improve_git.settings import Settings, compose

_TRUSTED = "trusted"  # the file with the addresses that the user has agreed to, one a line


def open_llm(settings: Settings, journal: Journal, state: Path, observer: Observer) -> Llm | None:
    """Return the language model that the settings name; None for ``llm=none``.

    Args:
        settings: those in force; ``check_consent`` has seen them.
        journal: tells what was spent, and hears of each call.
        state: the pipeline's folder ``.improve``.
        observer: hears of waits and warnings.

    Raises:
        LlmError, SettingsError: it cannot be used as it is set.
    """
    backend = _backend(settings, state, observer)
    if backend is None:
        return None
    return Desk(backend, Transcripts(state / "transcripts"), journal, settings.budget, observer)


def check_consent(settings: Settings, words: Sequence[str], state: Path) -> None:
    """Raise LlmError where improve.yaml alone names a server: a clone may be anybody's.

    An address given as a word of this call is agreed to, for this pipeline from now on.
    """
    llm = settings.llm
    if not llm.api_base or llm.name in ("none", "inbox", "replay"):
        return
    if llm.api_base == compose(f"llm: {llm.name}").llm.api_base:
        return
    trusted = state / _TRUSTED
    known: list[str] = []
    with suppress(FileNotFoundError):
        known = trusted.read_text().splitlines()
    if llm.api_base in known:
        return
    if not any(word.partition("=")[0] == "llm.api_base" for word in words):
        raise LlmError(
            f"improve.yaml sends prompts and your key to {llm.api_base}",
            f"improve-git run 'llm.api_base={llm.api_base}' to agree to it, once",
        )
    state.mkdir(parents=True, exist_ok=True)
    with trusted.open("a") as file:
        file.write(f"{llm.api_base}\n")


def _backend(settings: Settings, state: Path, observer: Observer) -> Backend | None:
    llm = settings.llm
    # A path in improve.yaml starts at the pipeline; of words, settings has made it absolute.
    folder = state.parent / Path(llm.folder).expanduser() if llm.folder else None
    if llm.name == "none":
        return None
    if llm.name == "inbox":
        from improve_git.llm.inbox import Inbox

        return Inbox(folder or state / "inbox", llm.timeout, observer)
    if llm.name == "replay":
        from improve_git.llm.replay import Replay

        if folder is None:
            raise SettingsError(
                "llm=replay needs llm.from",
                "for instance: llm=replay llm.from=PIPELINE, or a folder of transcripts",
            )
        return Replay(folder, observer)
    from improve_git.llm.hosted import Hosted

    return Hosted(llm, observer)
