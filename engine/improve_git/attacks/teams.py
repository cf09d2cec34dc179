"""Who proposes an attack: a team with one file in hand, or the real agents on a scripted model."""

from pathlib import Path

from improve_git.attacks.catalogue import Attack, pipeline_files
from improve_git.domain import Assignment, Context, Design, Outcome, Rewrite, Role
from improve_git.journal import Journal
from improve_git.llm.base import Reply, Request
from improve_git.llm.desk import Desk
from improve_git.llm.transcripts import Transcripts
from improve_git.observer import Silent
from improve_git.settings.schema import BudgetSettings
from improve_git.teams.base import Team

HISTORY_TOKENS = 1000


def team_for(attack: Attack, state: Path) -> Team:
    """Return the team that proposes an attack; ``state`` is the pipeline's folder of that name."""
    if attack.kind == "candidate":
        return Proposer(attack)
    from improve_git.teams.agents.team import Agents

    # The real desk, so that what a reply says goes the way into journal and transcripts too.
    desk = Desk(Scripted(attack.texts), Transcripts(state / "transcripts"),
                Journal(state / "journal"), BudgetSettings(), Silent())  # fmt: skip
    return Agents(desk, lambda: None, HISTORY_TOKENS)


class Proposer:
    """Implements the Team protocol with one file that is proposed as it is."""

    name = "attack"

    def __init__(self, attack: Attack | None = None) -> None:
        """Make a team; without an attack it only designs."""
        self._attack = attack

    def design(self, context: Context, epochs: int | None) -> Design:
        """Return the honest pipeline."""
        del context, epochs
        return Design(pipeline_files(), "Start from a pipeline that can learn nothing",
                      "The images are noise and the labels are random.")  # fmt: skip

    def assign(self, context: Context) -> Assignment | None:
        """Assign the attack's component."""
        del context
        if self._attack is None:
            return None
        slug = self._attack.name.replace("_", "-")
        return Assignment(self._attack.component, slug, self._attack.tries)

    def rewrite(self, assignment: Assignment, context: Context) -> Rewrite:
        """Return the hostile file."""
        del context
        assert self._attack
        return Rewrite(self._attack.texts["candidate"], f"Attack: {assignment.slug}",
                       self._attack.tries)  # fmt: skip

    def repair(
        self, assignment: Assignment, failed_source: str, outcome: Outcome, context: Context
    ) -> Rewrite | None:
        """Repair nothing."""
        del assignment, failed_source, outcome, context
        return None


class Scripted:
    """Implements the Backend protocol with one reply for the analyst and one for all engineers."""

    def __init__(self, replies: dict[str, str]) -> None:
        self._replies = replies

    def model_of(self, role: Role) -> str:
        """Return a fixed name."""
        del role
        return "hostile"

    def sees_images(self, role: Role) -> bool:
        """Say no."""
        del role
        return False

    def price(self, role: Role, prompt_tokens: int, completion_tokens: int) -> float | None:
        """Cost nothing."""
        del role, prompt_tokens, completion_tokens
        return 0.0

    def worst_case(self, request: Request) -> tuple[int, float | None]:
        """Cost nothing."""
        del request
        return 0, 0.0

    def complete(self, request: Request) -> Reply:
        """Say the same each time."""
        role = "analyst" if request.role == "analyst" else "engineer"
        return Reply(self._replies[role], self.model_of(request.role), cost_usd=0.0)
