"""Whose files may run where nothing isolates: the playbook's own, others by the user's word."""

from collections.abc import Mapping

from improve_git.domain import FILES
from improve_git.errors import SandboxError
from improve_git.sandboxes.base import UNISOLATED, Sandbox
from improve_git.teams.rendering import read


def check_trust(files: Mapping[str, str], sandbox: Sandbox, allow_unisolated: bool) -> None:
    """Refuse files that anybody may have written where the sandbox does not isolate.

    A file is the playbook's own if its settings, rendered again, give it back: an author's name in
    Git proves nothing.

    Raises:
        SandboxError: such files are there, and the user has not allowed them.
    """
    if sandbox.name != UNISOLATED or allow_unisolated:
        return
    foreign = [name for part, name in FILES.items() if read(part, files[name]) is None]
    if foreign:
        raise SandboxError(
            f"nothing isolates candidates here, and not the playbook's own: {', '.join(foreign)}",
            "install Docker or bubblewrap (improve-git doctor says more), or trust whoever wrote "
            "that: sandbox.allow_unisolated=true",
        )
