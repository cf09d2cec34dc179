"""The Docker sandbox; the one package that speaks to a container engine."""

from improve_git.sandboxes.docker.image import look
from improve_git.sandboxes.docker.sandbox import DockerSandbox

__all__ = ["DockerSandbox", "look"]
