import json
import math

import pytest
from cases import answer, attempt, changed, context_of
from hypothesis import given
from hypothesis import strategies as st

from improve_git.domain import FILES, UNASSIGNED, Assignment
from improve_git.messages import slug_of
from improve_git.teams.agents.checks import (
    MECHANISMS,
    assignment_schema,
    check_new,
    read_assignment,
)
from improve_git.teams.agents.replies import Unusable
from improve_git.teams.agents.rounding import scale_of

CONTEXT = context_of()
DATA = CONTEXT.files["data.py"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)  # fmt: skip


def read(value, context=CONTEXT):
    return read_assignment(json.dumps(value), context, scale_of(context))


def refusal(check, *values):
    with pytest.raises(Unusable) as error:
        check(*values)
    return str(error.value)


def test_an_answer_becomes_an_assignment():
    assert read(answer()) == Assignment(
        component="data",
        slug="mirror-images",
        hypothesis="Mirrored images add variety.",
        instruction="Mirror half of the training images left to right.\n\n"
        "Why now: Training is 8 points above tuning: it overfits.",
        expected_effect="+0.8 points",
        mechanism="augmentation",
    )


def test_an_answer_may_be_a_little_off_the_form():
    value = answer(component="Data.py", mechanism=" Augmentation ", expected_gain="+0.8 points")
    del value["diagnosis"]
    found = read(value | {"thoughts": ["extra"]})
    assert (found.component, found.mechanism, found.expected_effect, found.instruction) == (
        "data", "augmentation", "+0.8 points", answer()["instruction"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"component": "trainer"}, "component is trainer; it must be one of data, model, train"),
        ({"component": None}, "component is missing; it must be one of data, model, train"),
        ({"component": ["data"]}, "component is ['data']; it must be one of data, model, train"),
        ({"mechanism": "magic"}, f"mechanism is magic; it must be one of {', '.join(MECHANISMS)}"),
        ({"title": " "}, "title is missing or no text"),
        ({"hypothesis": 3}, "hypothesis is missing or no text"),
        ({"instruction": ""}, "instruction is missing or no text"),
        ({"expected_gain": None}, "expected_gain is missing or no number; it is told in points"),
        ({"expected_gain": True}, "expected_gain is missing or no number; it is told in points"),
        ({"expected_gain": "much"}, "expected_gain is missing or no number; it is told in points"),
        ({"expected_gain": math.nan}, "expected_gain nan is impossible"),
        ({"expected_gain": 10**400}, f"expected_gain 1{'0' * 28}… is impossible"),
        ({"expected_gain": -101}, "expected_gain -101 is impossible"),
    ],
)
def test_what_is_missing_or_impossible_is_named(changes, reason):
    assert refusal(read, answer(**changes)) == reason


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(answer(), JSON)) | JSON)
def test_whatever_json_an_answer_is_it_is_read_or_refused(value):
    try:
        found = read(value if not isinstance(value, dict) else answer(**value))
    except Unusable:
        return
    assert found.component in FILES and slug_of(found.slug) == found.slug


@pytest.mark.parametrize("title", ["No assignment", "NO-ASSIGNMENT!", "日本"])
def test_where_a_title_makes_no_slug_of_its_own_the_mechanism_is_it(title):
    """The trail marks by its slug where the analyst gave no assignment."""
    assert read(answer(title=title)).slug == "augmentation" != UNASSIGNED
    assert read(answer(title="No assignment yet")).slug == "no-assignment-yet"


def test_only_what_may_change_is_taken():
    context = context_of(components=("model", "train"))
    assert refusal(read, answer(), context) == "component is data; it must be one of model, train"
    assert assignment_schema(context)["properties"]["component"]["enum"] == ["model", "train"]


def test_the_schema_asks_for_all_that_is_read():
    schema = assignment_schema(CONTEXT)
    assert schema["required"] == list(answer()) == list(schema["properties"])
    assert schema["properties"]["mechanism"]["enum"] == list(MECHANISMS)


def test_after_four_attempts_without_a_merge_another_kind_is_asked_for():
    attempts = [attempt(n, component="train", mechanism="schedule") for n in (1, 2)]
    attempts += [attempt(3, "failed"), attempt(4)]
    context = context_of(attempts=attempts)
    assert refusal(read, answer(), context) == (
        "too many attempts in a row without a merge: "
        "not data with augmentation, train with schedule again"
    )
    for other in (answer(mechanism="resolution"), answer(component="train")):
        assert read(other, context)
    for shorter in (attempts[1:], [*attempts, attempt(5, "merged")]):
        assert read(answer(), context_of(attempts=shorter))


@given(st.text(st.characters(exclude_categories=())))
def test_a_slug_can_stand_in_a_branch(title):
    slug = slug_of(title)
    assert len(slug) <= 40 and set(slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert slug == slug.strip("-")


@pytest.mark.parametrize(
    ("title", "slug"),
    [("Größere Bilder!", "grossere-bilder"), ("../../main", "main"), ("日本", ""),
     ("a title of far more words than anybody asked for", "a-title-of-far-more-words-than-anybody"),
     ("x" * 60, "x" * 40)],
)  # fmt: skip
def test_slugs(title, slug):
    assert slug_of(title.replace("ß", "ss")) == slug


def test_a_new_file_is_taken():
    check_new(changed(DATA), "data", CONTEXT)
    failed = DATA.replace("IMAGE_SIZE = ", "IMAGE_SIZE = 2 * ")
    check_new(changed(DATA), "data", CONTEXT, failed)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (DATA, "the same code as main's data.py: nothing is changed"),
        (f"# A comment.\n{DATA}\n\n", "the same code as main's data.py: nothing is changed"),
        (changed(DATA).replace("def eval_transform", "def transform"),
         "breaks the contract: data.py: def eval_transform(spec) is missing at the top level"),
        ("def f(:\n", "breaks the contract: data.py: line 1: not Python: invalid syntax"),
        (f"\x00{DATA}",
         "breaks the contract: data.py: line 1: holds the invisible character U+0000: remove"),
        (f"# \ud800\n{DATA}", "breaks the contract: data.py: is no UTF-8 text (character 2)"),
        (f"import model\n{DATA}",
         "breaks the contract: data.py: line 1: imports model; components are changed one at a "
         "time, so none may import another: pass what is needed through spec or the model"),
        (f"# {'x' * 200_000}\n", "breaks the contract: data.py: is 200,003 bytes long; "
         "at most 200,000 are allowed: keep data out of it"),
        ("", "breaks the contract: data.py: def build_loaders(train_samples, tune_samples, spec) "
         "is missing at the top level; "
         "data.py: def eval_transform(spec) is missing at the top level"),
    ],
)  # fmt: skip
def test_what_cannot_be_landed_is_refused_with_the_reason(source, reason):
    assert refusal(check_new, source, "data", CONTEXT) == reason


def test_a_repeat_of_what_was_not_merged_is_refused():
    context = context_of(tried={12: "not Python (", 37: f"# other words\n{changed(DATA)}"})
    assert refusal(check_new, changed(DATA), "data", context) == (
        "the same code as attempt 0037, which was tried and not merged"
    )
    check_new(changed(changed(DATA)), "data", context)


def test_a_repair_is_another_program_than_what_failed():
    failed = changed(DATA)
    assert refusal(check_new, f"{failed}# mended\n", "data", CONTEXT, failed) == (
        "the same code as the data.py that failed: it has to be repaired"
    )


def test_a_breach_in_anothers_file_is_not_held_against_an_engineer():
    context = context_of(files=CONTEXT.files | {"train.py": "broken ("})
    check_new(changed(DATA), "data", context)
