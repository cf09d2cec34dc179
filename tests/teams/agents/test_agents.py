import json
from dataclasses import dataclass

import pytest
from cases import (
    answer,
    attempt,
    changed,
    context_of,
    design_reply,
    file_reply,
    first_files,
    profile_of,
)

from improve_git.domain import Assignment, Context, Design, Outcome, Rewrite
from improve_git.errors import LlmError, TeamError
from improve_git.llm.base import Message, Reply, Request
from improve_git.teams.agents.team import Agents
from improve_git.teams.base import Team
from scripted_llm import ScriptedLlm

DATA = first_files()["data.py"]
ASSIGNMENT = Assignment("data", "mirror-images", "More variety.", "Mirror.", "", "augmentation")
CRASH = Outcome("crashed", "ValueError: x (data.py:3)", detail="data.py:3: boom\nValueError: x")
AT_INIT = Context(0, 0, {}, profile_of(), [])


def team_of(*replies: str, vision: bool = False, sheet: bytes | None = b"png") -> Agents:
    team: Team = Agents(ScriptedLlm(list(replies), vision=vision), lambda: sheet, 4000)
    assert isinstance(team, Agents)
    return team


def requests_of(team: Agents) -> list[Request]:
    assert isinstance(team.llm, ScriptedLlm)
    return team.llm.requests


@dataclass
class Cut(ScriptedLlm):
    """Breaks off each reply."""

    def ask(self, request: Request) -> Reply:
        return Reply(super().ask(request).text, "cutter", cut_off=True)


def test_the_architect_writes_all_three_files_in_one_reply():
    team = team_of(design_reply())
    assert team.design(AT_INIT, 8) == Design(
        first_files(), "Start plain", "A sound start.", "scripted-architect"
    )
    (request,) = requests_of(team)
    assert (request.iteration, request.role, request.ordinal, request.images, request.schema) == (
        0, "architect", 1, (), None,
    )  # fmt: skip
    assert [message.role for message in request.messages] == ["system", "user"]
    assert "plan the schedule for that many" in request.messages[1].text


def test_the_analyst_assigns():
    team = team_of(f"Let me think.\n```json\n{json.dumps(answer())}\n```")
    assert team.assign(context_of(number=7)) == Assignment(
        component="data",
        slug="mirror-images",
        hypothesis="Mirrored images add variety.",
        instruction="Mirror half of the training images left to right.\n\n"
        "Why now: Training is 8 points above tuning: it overfits.",
        expected_effect="+0.8 points",
        mechanism="augmentation",
        by="scripted-analyst",
    )
    (request,) = requests_of(team)
    assert (request.iteration, request.role, request.ordinal) == (7, "analyst", 1)
    assert request.schema is not None and request.schema["type"] == "object"
    assert team_of().assign(context_of(components=())) is None


def test_an_engineer_rewrites_its_file():
    team = team_of(file_reply(changed(DATA)))
    assert team.rewrite(ASSIGNMENT, context_of(number=3)) == Rewrite(
        changed(DATA), "Mirror images", "Mirrored images keep their label.", "scripted-data"
    )
    (request,) = requests_of(team)
    assert (request.iteration, request.role, request.ordinal) == (3, "data", 1)


def test_a_missing_subject_is_made_from_the_assignment():
    reply = f"```python\n{changed(DATA)}```"
    assert team_of(reply).rewrite(ASSIGNMENT, context_of()).subject == "Try mirror images"
    repaired = team_of(reply).repair(ASSIGNMENT, changed(changed(DATA)), CRASH, context_of())
    assert repaired is not None and repaired.subject == "Repair mirror images"


def test_the_same_engineer_mends_its_file():
    failed = f"{DATA}\nBROKEN = missing\n"
    team = team_of(file_reply(changed(DATA), subject="Mend it"))
    assert team.repair(ASSIGNMENT, failed, CRASH, context_of(number=3)) == Rewrite(
        changed(DATA), "Mend it", "Mirrored images keep their label.", "scripted-data"
    )
    assert "BROKEN = missing" in requests_of(team)[0].messages[1].text


def test_calls_are_numbered_by_iteration_and_role():
    team = team_of(json.dumps(answer()), "prose", file_reply(changed(DATA)),
                   file_reply(changed(changed(DATA))), json.dumps(answer()))  # fmt: skip
    team.assign(context_of(number=3))
    team.rewrite(ASSIGNMENT, context_of(number=3))
    team.repair(ASSIGNMENT, changed(DATA), CRASH, context_of(number=3))
    team.assign(context_of(number=4))
    assert [(r.iteration, r.role, r.ordinal) for r in requests_of(team)] == [
        (3, "analyst", 1), (3, "data", 1), (3, "data", 2), (3, "data", 3), (4, "analyst", 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("", "empty"),
        ("I would rather not.", "prose only, no fenced file"),
        (DATA, "prose only, no fenced file"),
        (f"```python\n{DATA}", "cut off: the fence around the file is never closed"),
        (file_reply(DATA) * 2, "2 fenced files where one is asked for; which to take is unclear"),
        (file_reply(DATA, "train.py"), "the wrong file: train.py, not data.py"),
        (file_reply(DATA), "the same code as main's data.py: nothing is changed"),
        (file_reply(changed(changed(DATA))),
         "the same code as attempt 0002, which was tried and not merged"),
        (file_reply(changed(DATA).replace("def eval_transform", "def other")),
         "breaks the contract: data.py: def eval_transform(spec) is missing at the top level"),
        (file_reply(f"\x07{changed(DATA)}"),
         "breaks the contract: data.py: line 1: holds the invisible character U+0007: remove"),
        (file_reply(f"# {'x' * 300_000}\n"), "breaks the contract: data.py: is 300,003 bytes long; "
         "at most 200,000 are allowed: keep data out of it"),
        (file_reply(f"# \ud800\n{DATA}"),
         "breaks the contract: data.py: is no UTF-8 text (character 2)"),
        ("5 MB " * 2**20, "too long: 5,242,880 characters"),
    ],
)  # fmt: skip
def test_an_unusable_file_is_asked_for_again_with_the_reason_then_given_up(reply, reason):
    context = context_of(tried={2: changed(changed(DATA))})
    team = team_of(reply, file_reply(changed(DATA)))
    assert team.rewrite(ASSIGNMENT, context).source == changed(DATA)
    first, second = requests_of(team)
    *before, said, again = second.messages
    assert tuple(before) == first.messages and (said.role, again.role) == ("assistant", "user")
    assert 0 < len(said.text) <= 2000 and "\x07" not in said.text and "\ud800" not in said.text
    assert again.text.startswith(f"Your reply cannot be used: {reason}.\n\n")
    assert "````python data.py\n...the whole file...\n````" in again.text

    team = team_of(reply, reply, reply)
    with pytest.raises(TeamError) as error:
        team.rewrite(ASSIGNMENT, context)
    assert error.value.message == f"no usable reply after 3: {reason}"
    assert team_of(reply, reply, reply).repair(ASSIGNMENT, "x", CRASH, context) is None


@pytest.mark.parametrize("text", ["", file_reply(changed(DATA))])
def test_a_reply_that_the_limit_cut_off_is_not_used(text):
    team = Agents(Cut([text] * 2), lambda: None, 4000, tries=2)
    with pytest.raises(TeamError, match="no usable reply after 2: cut off"):
        team.rewrite(ASSIGNMENT, context_of())


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("data, I think", "no JSON object"),
        (json.dumps(answer(component="readme")),
         "component is readme; it must be one of data, model, train"),
        (json.dumps(answer(mechanism="head", expected_gain="lots")),
         "expected_gain is missing or no number; it is told in points"),
        (json.dumps(answer()),
         "too many attempts in a row without a merge: not data with augmentation again"),
    ],
)  # fmt: skip
def test_an_unusable_assignment_is_asked_for_again_with_the_reason(reply, reason):
    context = context_of(attempts=[attempt(n) for n in range(1, 5)])
    team = team_of(reply, json.dumps(answer(component="train", mechanism="schedule")))
    found = team.assign(context)
    assert found is not None and found.component == "train"
    again = requests_of(team)[1].messages[-1].text
    assert f"Your reply cannot be used: {reason}.\n\n" in again and '"expected_gain": 0.5' in again
    with pytest.raises(TeamError) as error:
        team_of(*[reply] * 3).assign(context)
    assert error.value.message == f"no usable reply after 3: {reason}"


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (file_reply(DATA), "model.py and train.py missing; all three files are asked for"),
        (design_reply({**first_files(), "model.py": "x = 1\n"}), "breaks the contract: model.py: "
         "def build_model(spec, pretrained=True) is missing at the top level"),
    ],
)  # fmt: skip
def test_an_unusable_design_is_asked_for_again_with_the_reason(reply, reason):
    team = team_of(reply, design_reply())
    assert team.design(AT_INIT, None).files == first_files()
    again = requests_of(team)[1].messages[-1].text
    assert f"Your reply cannot be used: {reason}.\n\n" in again and "````python model.py" in again
    with pytest.raises(TeamError) as error:
        team_of(*[reply] * 3).design(AT_INIT, None)
    assert error.value.message == f"no usable reply after 3: {reason}"


def test_a_model_that_sees_is_shown_the_images_at_init_and_before_the_first_verdict():
    team = team_of("no", json.dumps(answer()), json.dumps(answer()), file_reply(changed(DATA)),
                   vision=True)  # fmt: skip
    team.assign(context_of(number=1))
    team.assign(context_of(number=2, attempts=[attempt(1)]))
    team.rewrite(ASSIGNMENT, context_of(number=2))
    assert [request.images for request in requests_of(team)] == [(b"png",), (b"png",), (), ()]
    told = ["The image shows" in request.messages[1].text for request in requests_of(team)]
    assert told == [True, True, False, False]
    team = team_of(design_reply(), vision=True)
    team.design(AT_INIT, None)
    assert requests_of(team)[0].images == (b"png",)
    later = team_of(json.dumps(answer()), vision=True)
    later.assign(context_of(number=2, attempts=[attempt(1)]))
    assert requests_of(later)[0].images == ()
    for blind in (team_of(design_reply()), team_of(design_reply(), vision=True, sheet=None)):
        blind.design(AT_INIT, None)
        assert requests_of(blind)[0].images == ()


@pytest.mark.parametrize(
    ("outcome", "asked"),
    [
        (Outcome("crashed", "ValueError: x", "train.py:9: f()\nmodel.py:3: g()"), "model"),
        (Outcome("invalid", "data.py: def eval_transform(spec) is missing"), "data"),
        (Outcome("out-of-memory"), "data"),
        (Outcome("timeout", "not done after 60 s"), "train"),
        (Outcome("crashed", "killed"), None),
    ],
)  # fmt: skip
def test_of_a_failing_baseline_only_the_engineer_to_blame_is_asked(outcome, asked):
    context = context_of(number=0, attempts=[])
    for component in ("data", "model", "train"):
        team = team_of("no", "no", "no")
        assignment = Assignment(component, "repair", "It failed.")
        team.repair(assignment, context.files[f"{component}.py"], outcome, context)
        assert len(requests_of(team)) == (3 if asked in (component, None) else 0)


def test_what_stops_a_run_is_passed_on():
    class Refusing(ScriptedLlm):
        def ask(self, request: Request) -> Reply:
            raise LlmError("no key", "set OPENAI_API_KEY")

    team = Agents(Refusing([]), lambda: None, 4000)
    for call in (
        lambda: team.assign(context_of()),
        lambda: team.rewrite(ASSIGNMENT, context_of()),
        lambda: team.repair(ASSIGNMENT, "x", CRASH, context_of()),
    ):
        with pytest.raises(LlmError, match="no key"):
            call()


def test_a_prompt_is_the_same_for_the_same_context():
    """A paid reply is found again after a crash by its prompt's hash."""
    first = context_of(number=1)
    later = context_of(number=5, attempts=[attempt(1), attempt(2, "failed")])
    team = team_of(*[json.dumps(answer())] * 2, vision=True)
    team.assign(first)
    team.assign(later)
    for asked, context in zip(requests_of(team), (first, later), strict=True):
        carried_on = team_of(json.dumps(answer()), vision=True)
        carried_on.assign(context)
        assert requests_of(carried_on) == [asked] and isinstance(asked.messages[0], Message)
