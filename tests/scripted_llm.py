"""An LLM that answers from a list, for tests of what is asked and of what is made of answers."""

from dataclasses import dataclass, field

from improve_git.domain import Role
from improve_git.llm.base import Reply, Request


@dataclass
class ScriptedLlm:
    """Answers from a list, in order; for tests of what is asked and of what is made of answers."""

    replies: list[str]
    requests: list[Request] = field(default_factory=list)
    vision: bool = False

    def model_of(self, role: Role) -> str:
        """Return a fixed name."""
        return f"scripted-{role}"

    def sees_images(self, role: Role) -> bool:
        """Say what was set."""
        return self.vision

    def ask(self, request: Request) -> Reply:
        """Return the next reply."""
        self.requests.append(request)
        return Reply(self.replies.pop(0), self.model_of(request.role))
