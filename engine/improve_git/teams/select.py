"""Who proposes and writes: the playbook, or agents on the language model that the settings name."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from improve_git.journal import Journal
from improve_git.observer import Observer
from improve_git.teams.base import Team

if TYPE_CHECKING:
    from improve_git.settings.schema import Settings


def open_team(
    settings: "Settings",
    words: Sequence[str],
    state: Path,
    observer: Observer,
    contact_sheet: Callable[[], bytes | None],
) -> Team:
    """Return the team that the settings name.

    Args:
        settings: those in force.
        words: the key=value words of this call: what stands there the user has just agreed to.
        state: the pipeline's folder for the journal, transcripts and the inbox.
        observer: hears of waits and retries.
        contact_sheet: makes a PNG of labelled training images, for models that see.

    Raises:
        LlmError, SettingsError: the language model cannot be used as it is set.
        SandboxError: improve.yaml names an image that nobody has agreed to.
    """
    from improve_git.llm.select import open_llm
    from improve_git.settings.consent import check_consent

    check_consent(settings, words, state)
    llm = open_llm(settings, Journal(state / "journal"), state, observer)
    if llm is None:
        from improve_git.teams.playbook import Playbook

        return Playbook()
    from improve_git.teams.agents.team import Agents

    return Agents(llm, contact_sheet, settings.llm.history_tokens)
