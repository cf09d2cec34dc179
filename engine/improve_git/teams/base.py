"""What every team offers: agents that design a pipeline, choose what to try and write it."""

from typing import Protocol

from improve_git.domain import Assignment, Context, Design, Outcome, Rewrite


class Team(Protocol):
    """A Project Architect, three engineers and a Performance Analyst."""

    name: str  # in authors' names: "Training Engineer (playbook)"

    def design(self, context: Context, epochs: int | None) -> Design:
        """Write the first pipeline, planned for so many epochs (None: as the team sees fit).

        ``context`` has no files yet.
        """
        ...

    def assign(self, context: Context) -> Assignment | None:
        """Choose what to try next; None where nothing is left to try on this incumbent."""
        ...

    def rewrite(self, assignment: Assignment, context: Context) -> Rewrite:
        """Rewrite the assigned component's file of the incumbent.

        Raises:
            TeamError: the assignment cannot be carried out.
        """
        ...

    def repair(
        self, assignment: Assignment, failed_source: str, outcome: Outcome, context: Context
    ) -> Rewrite | None:
        """Mend a file whose trial failed; None where the team knows no repair."""
        ...
