"""Opens the sandbox that the settings ask for; ``auto`` takes the best one that works here."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from improve_git.errors import SandboxError
from improve_git.sandboxes.base import Sandbox

if TYPE_CHECKING:
    from improve_git.settings.schema import SandboxSettings


def open_sandbox(settings: "SandboxSettings", on_line: Callable[[str], None]) -> Sandbox:
    """Return a sandbox that is ready to run jobs.

    Args:
        settings: ``auto`` is Docker where an engine answers and the image is there or can be
            built, else a child process.
        on_line: takes one line on which sandbox it is and why, and lines of progress before it.

    Raises SandboxError where the wanted sandbox cannot be had.
    """
    if settings.name == "docker":
        return _docker(settings, on_line)
    if settings.name == "process":
        return _process(settings, on_line, "")
    try:
        return _docker(settings, on_line)
    except SandboxError as error:
        return _process(settings, on_line, f"; not docker: {error.message}")


def _docker(settings: "SandboxSettings", on_line: Callable[[str], None]) -> Sandbox:
    from improve_git.sandboxes.docker import DockerSandbox

    sandbox = DockerSandbox(settings.base_image, settings.gpus, on_line, settings.runtime)
    on_line(f"sandbox: docker ({sandbox.image})")
    return sandbox


def _process(settings: "SandboxSettings", on_line: Callable[[str], None], why: str) -> Sandbox:
    from improve_git.sandboxes.process import ProcessSandbox

    sandbox = ProcessSandbox(settings.gpus)
    if sandbox.why_unisolated:
        on_line(f"sandbox: process, UNISOLATED ({sandbox.why_unisolated}){why}")
    else:
        on_line(f"sandbox: process (bubblewrap, probed){why}")
    return sandbox
