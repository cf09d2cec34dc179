"""A backend that answers as a model would, and a world whose team asks it."""

import json

from improve_git.domain import FILES, Component, Role
from improve_git.journal import Journal
from improve_git.llm.base import Backend, Reply, Request
from improve_git.llm.desk import Desk
from improve_git.llm.transcripts import Transcripts
from improve_git.observer import Silent
from improve_git.settings.schema import BudgetSettings
from improve_git.teams.agents.team import Agents
from scripted import source
from worlds import World

PLAN: list[tuple[Component, float]] = [
    ("model", 0.3), ("train", 0.1), ("data", 0.3), ("train", 0.25), ("model", 0.2),
]  # fmt: skip


class Answering:
    """Answers as a model would; now and then with something that cannot be used."""

    def model_of(self, role: Role) -> str:
        return f"model-for-{role}"

    def sees_images(self, role: Role) -> bool:
        return role == "analyst"

    def worst_case(self, request: Request) -> tuple[int, float | None]:
        return 1000, 0.01

    def price(self, role: Role, prompt: int, reply: int) -> float | None:
        return 0.0

    def complete(self, request: Request) -> Reply:
        component, quality = PLAN[(request.iteration - 1) % len(PLAN)]
        if request.role == "analyst":
            text = json.dumps({
                "diagnosis": "it is not good enough", "component": component,
                "mechanism": "other", "title": f"Step {request.iteration}",
                "hypothesis": "It helps.", "instruction": "Do it.", "expected_gain": 1.5,
            })  # fmt: skip
        elif request.iteration == 2 and request.ordinal == 1:
            text = "I would rather talk about it."
        else:
            code = source(component, quality, f"\n# of iteration {request.iteration}\n"
                          f"STEP = {request.iteration}\n")  # fmt: skip
            text = (f"Subject: Take step {request.iteration}\nBody: It helps.\n\n"
                    f"```python {FILES[component]}\n{code}```\n")  # fmt: skip
        return Reply(text, self.model_of(request.role), prompt_tokens=100, completion_tokens=10,
                     cost_usd=0.001, seconds=0.5)  # fmt: skip


def with_agents(world: World, backend: Backend, **budget: object) -> World:
    state = world.pipeline.state
    settings = BudgetSettings(**budget)  # type: ignore[arg-type]
    desk = Desk(backend, Transcripts(state / "transcripts"), Journal(state / "journal"), settings,
                Silent())  # fmt: skip
    world.team = Agents(desk, lambda: b"a picture", history_tokens=2000)
    return world
