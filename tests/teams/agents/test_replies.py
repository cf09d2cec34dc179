import json
import re
from textwrap import indent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from improve_git.teams.agents.replies import (
    Unusable,
    read_file,
    read_files,
    read_json,
    read_written,
)

NEWLINES = "\n" * 5000
SOURCE = "import torch\n\n\ndef train(model):\n    return model\n"
# What replies are made of, so that the odd combinations come up.
PIECES = st.sampled_from(
    ["```", "````", "~~~", "```python", "``` train.py", "\n", "\r\n", " ", "    ", "Subject: ",
     "Body: ", "{", "}", '{"component": "data"}', '{"a": [', "\0", "\ud800", "\u202e", "\x0b",
     "train.py", "<think>", "</think>", "def train():", "# data.py", "x = '```'", "ß", "[" * 50]
)  # fmt: skip
HOSTILE = st.one_of(
    st.lists(st.one_of(PIECES, st.text(max_size=10)), max_size=30).map("".join),
    st.text(alphabet=st.characters(exclude_categories=()), max_size=200),
)
LINES = st.lists(
    st.one_of(st.sampled_from(["```", "~~~", "    ```", "`````", "", "x = 1", "'''```'''"]),
              st.text(st.characters(exclude_characters="\n\r", exclude_categories=("Cs",)))),
    min_size=1,
)  # fmt: skip


@pytest.mark.parametrize("read", [lambda text: read_file(text, "data.py"), read_files, read_json])
@given(HOSTILE)
def test_whatever_a_reply_is_it_is_read_or_refused(read, text):
    try:
        read(text)
    except Unusable as error:
        assert str(error)


@given(LINES, st.sampled_from("`~"), st.integers(0, 3), st.booleans())
def test_a_file_comes_out_of_its_fence_to_the_byte(lines, mark, longer, windows):
    source = "".join(f"{line}\n" for line in lines)
    runs = re.findall("`+|~+", source)
    fence = mark * (max([2, *map(len, runs)]) + 1 + longer)
    head = "Subject: Change it\nBody: For a reason."
    reply = f"{head}\n\n{fence}python train.py\n{source}{fence}\nDone."
    found = read_file(reply.replace("\n", "\r\n") if windows else reply, "train.py")
    assert found == (source, "Change it", "For a reason.")


@given(
    st.dictionaries(st.text(st.characters(exclude_categories=("Cs",))), st.integers(), min_size=1),
    st.sampled_from(["{}", "Here it is:\n{}\nThat is all.", "```json\n{}\n```", "~~~\n{}\n~~~"]),
)
def test_an_object_comes_out_of_any_wrapping(value, wrapping):
    assert read_json(wrapping.replace("{}", json.dumps(value))) == value


@pytest.mark.parametrize(
    "reply",
    [
        f"```python\n{SOURCE}```",
        f"```\n{SOURCE}```",
        f"~~~python\n{SOURCE}~~~",
        f"```train.py\n{SOURCE}```",
        f"```python title=\"train.py\"\n{SOURCE}```",
        f"```python:src/train.py\n{SOURCE}```",
        f"**train.py**\n\n```python\n{SOURCE}```",
        f"### File: `train.py`\n```python\n{SOURCE}```\nI hope this helps!",
        f"<think>\n```python\nwrong = 1\n```\n</think>\n```python\n{SOURCE}```",
        f"Run it so:\n```bash\npython train.py\n```\n\n```python\n{SOURCE}```",
        "- the file:\n" + indent(f"```python\n{SOURCE}```", "  "),
        f"This goes with data.py as it is:\n```python\n{SOURCE}```",
    ],
)  # fmt: skip
def test_a_file_is_found_in_the_forms_that_models_write(reply):
    assert read_file(reply, "train.py")[0] == SOURCE


def test_shorter_and_deeper_fences_are_part_of_the_file():
    source = 'DOC = """\n```\nx\n```\n"""\n\n\ndef f():\n    """\n    ````\n    """\n'
    assert read_file(f"````python\n{source}````\n", "data.py")[0] == source


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("", "empty"),
        (" \n\t\r\n", "empty"),
        ("<think>I wonder", "empty"),
        ("I would mirror the images.", "prose only, no fenced file"),
        (SOURCE, "prose only, no fenced file"),
        (f"```python\n{SOURCE}", "cut off: the fence around the file is never closed"),
        (f"```python\n{SOURCE}```\n```python\n{SOURCE}```",
         "2 fenced files where one is asked for; which to take is unclear"),
        (f"```python data.py\n{SOURCE}```", "the wrong file: data.py, not train.py"),
        (f"```python\n# model.py\n{SOURCE}```", "the wrong file: model.py, not train.py"),
        ("```diff\n+x = 1\n```", "no fenced Python file, only diff: write the whole file"),
        ("x" * 4_000_001, "too long: 4,000,001 characters"),
    ],
)  # fmt: skip
def test_what_is_not_one_whole_file_is_refused_with_the_reason(reply, reason):
    with pytest.raises(Unusable) as error:
        read_file(reply, "train.py")
    assert str(error.value) == reason


@pytest.mark.parametrize(
    ("head", "subject", "body"),
    [
        ("Subject: Mirror\nBody: One.\nTwo.\n\nThree.\n", "Mirror", "One.\nTwo.\n\nThree."),
        ("**Subject:** Mirror images\n**Body:** Why not.\n", "Mirror images", "Why not."),
        ("subject : `Mirror`\n\nsome chat\nBODY:\nWhy\n", "Mirror", "Why"),
        ("Just prose.\n", "", ""),
        (f"Subject: {'long ' * 40}\nBody: {'b' * 9000}\n", ("long " * 15)[:71] + "…", "b" * 2000),
        ("Subject: a\x00b\u202e\nBody: x\n", "a b", "x"),
    ],
)
def test_subject_and_body_stand_outside_the_fence(head, subject, body):
    written = read_written(f"{head}```python\n{SOURCE}```\nSubject: another\n")
    assert (written.subject, written.body) == (subject or "another", body)


def test_a_reply_of_very_many_lines_is_read_in_one_go():
    """Reading must not take time by the square of the length: the test would not end."""
    written = read_written("Body:\n" + "a\n" * 2**20 + f"```python\n{SOURCE}```\n")
    assert (written.body, written.blocks[0].source) == ("a\n" * 999 + "a", SOURCE)
    with pytest.raises(Unusable, match="prose only"):
        read_written("~" * 2**21 + "`")
    assert read_written(f"Body:{NEWLINES}One.{NEWLINES}Two.\n```\n```").body == "One.\n\nTwo."


def test_three_files_are_told_apart_by_name_or_by_their_functions():
    files = {
        "data.py": "def build_loaders():\n    pass\n\n\ndef eval_transform():\n    pass\n",
        "model.py": "def build_model():\n    pass\n",
        "train.py": "def train():\n    pass\n",
    }
    named = "".join(f"{name}:\n```python\n{files[name]}```\n" for name in reversed(files))
    nameless = "".join(f"```python\n{source}```\n" for source in files.values())
    for reply in (named, nameless):
        found, _, _ = read_files(reply)
        assert found == files and list(found) == list(files)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("```python data.py\nx = 1\n```",
         "model.py and train.py missing; all three files are asked for"),
        ("```python data.py\nx = 1\n```\n" * 2, "data.py is there twice; which to take is unclear"),
        ("```python run.py\nx = 1\n```",
         "the wrong file: run.py; only data.py, model.py, train.py"),
        ("```python\nx = 1\n```", "a fenced file without a name: put the name on the fence"),
    ],
)  # fmt: skip
def test_what_is_not_three_files_is_refused_with_the_reason(reply, reason):
    with pytest.raises(Unusable) as error:
        read_files(reply)
    assert str(error.value) == reason


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("none", "no JSON object"),
        ("[1, 2]", "no JSON object"),
        ('{"a": 1,}', "no JSON object that can be read"),
        ('{"a": ' * 5000, "no JSON object that can be read"),
        ('{"a": 1}\n{"b": 2}', "2 JSON objects where one is asked for"),
    ],
)
def test_what_is_not_one_object_is_refused_with_the_reason(reply, reason):
    with pytest.raises(Unusable) as error:
        read_json(reply)
    assert str(error.value) == reason
