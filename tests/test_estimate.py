"""What a run may take, reckoned beforehand: from prompts, and from the calls that were made."""

from pathlib import Path

import pytest

from answering import Answering, with_agents
from improve_git.estimate import Estimate, estimate
from improve_git.llm.base import Llm
from improve_git.pipeline import Pipeline
from improve_git.teams.agents.team import Agents
from worlds import World, make_world

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def world(photos: Path, tmp_path: Path) -> World:
    return make_world(photos, tmp_path / "pipeline", [])


def reckon(world: World, llm: Llm | None, iterations: int = 10) -> Estimate:
    pipeline = Pipeline.open(world.pipeline.repo.folder, [f"budget.iterations={iterations}"])
    return estimate(pipeline, llm, lambda one: Agents(one, lambda: None, 2000))


class Priced(Answering):
    known = True

    def price(self, role: str, prompt: int, reply: int) -> float | None:
        return (prompt + 10 * reply) / 1e6 if self.known or role != "train" else None


def test_without_a_model_there_is_nothing_to_pay(world: World) -> None:
    found = reckon(world, None)
    assert found == Estimate(10, None, "nothing is measured yet: the baseline will tell",
                             None, None, "no language model: nothing to pay")  # fmt: skip
    world.run("budget.iterations=0")
    found = reckon(world, None)
    assert found.hours == pytest.approx(10 * 2.5 / 3600)
    assert found.hours_from == "the newest measurements here, 1 of them"


def test_before_any_call_the_prompts_are_weighed(world: World) -> None:
    world.run("budget.iterations=0")
    with_agents(world, Priced())
    llm = world.team.llm  # type: ignore[attr-defined]
    found = reckon(world, llm)
    assert found.tokens is not None and found.usd is not None
    assert 10 * 1.3 * 4100 < found.tokens < 10 * 1.3 * 30_000
    assert found.llm_from.startswith("model-for-analyst, model-for-data, model-for-model")
    assert "replies of 600 and 3500 tokens" in found.llm_from
    assert world.pipeline.journal.events("asking") == []
    assert reckon(world, llm, 20).tokens == pytest.approx(2 * found.tokens, rel=0.001)


def test_an_unknown_price_is_said_and_never_zero(world: World) -> None:
    backend = Priced()
    backend.known = False
    with_agents(world, backend)
    assert reckon(world, world.team.llm).usd is None  # type: ignore[attr-defined]


def test_calls_that_were_made_tell_more_than_a_guess(world: World) -> None:
    with_agents(world, Priced())
    world.run("budget.iterations=5")
    for number in range(10, 16):
        for role in ("analyst", "data", "model", "train"):
            world.pipeline.journal.append("asked", iteration=number, role=role, model="m",
                                          tokens=300, prompt_tokens=200, completion_tokens=100,
                                          usd=0.1)  # fmt: skip
    found = reckon(world, world.team.llm, 6)  # type: ignore[attr-defined]
    assert found.llm_from.endswith("the newest calls here, 35 in all")
    assert found.tokens is not None and 1 * 600 <= found.tokens < 800
