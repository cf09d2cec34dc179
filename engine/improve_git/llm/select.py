"""Opens the language model that the settings name."""

from pathlib import Path

from improve_git.errors import SettingsError
from improve_git.journal import Journal
from improve_git.llm.base import Backend, Llm
from improve_git.llm.desk import Desk
from improve_git.llm.transcripts import Transcripts
from improve_git.observer import Observer
from improve_git.settings.schema import Settings


def open_llm(settings: Settings, journal: Journal, state: Path, observer: Observer) -> Llm | None:
    """Return the language model that the settings name; None for ``llm=none``.

    Args:
        settings: those in force; ``consent.check_consent`` has seen them.
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
