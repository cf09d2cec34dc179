import html
import re

from hypothesis import given
from hypothesis import strategies as st

from improve_git.messages import unwrapped, visible, wrapped
from improve_git.views.side_by_side import MOST_LINES, MOST_WIDTH, Line, Row, side_by_side

CODE = st.lists(
    st.sampled_from(
        ['"""', "x = 1", "def f():", "", "\t# <b>&", "\u202e'", "\r", "\f}", "y = '\\"]
    ),
    max_size=8,
).map("\n".join)


def read(line: Line) -> str:
    """Return a line as a browser shows it."""
    return html.unescape(re.sub("<[^>]*>", "", line.html))


def test_two_versions_beside_each_other() -> None:
    old = "import os\nA = 1\nB = 2\n"
    new = "import os\nA = 2\nB = 2\nC = '<i>'\n"
    (stretch,) = side_by_side("data.py", old, new)
    told = [(row.old and read(row.old), row.new and read(row.new), row.changed) for row in stretch]
    assert told == [
        ("import os", "import os", False),
        ("A = 1", "A = 2", True),
        ("B = 2", "B = 2", False),
        (None, "C = '<i>'", True),
    ]
    assert '<span class="kn">import</span>' in (stretch[0].old or Line(0, "")).html
    assert "&lt;i&gt;" in (stretch[3].new or Line(0, "")).html


def test_what_is_no_python_is_escaped() -> None:
    assert side_by_side("improve.yaml", "", "a: <b>\n") == [
        [Row(Line(1, ""), Line(1, "a: &lt;b&gt;"), True)]
    ]


def test_far_from_a_change_nothing_is_told() -> None:
    old = "".join(f"line {number}\n" for number in range(100))
    new = old.replace("line 10\n", "ten\n").replace("line 90\n", "ninety\n")
    first, second = side_by_side("data.py", old, new)
    assert (len(first), len(second)) == (7, 7)


def test_the_longest_is_cut() -> None:
    (stretch,) = side_by_side("data.py", "", "x" * 9999 + "\n" * 9999)
    assert len(stretch) == MOST_LINES
    assert stretch[0].new and len(read(stretch[0].new)) == MOST_WIDTH


@given(CODE, CODE)
def test_every_line_is_told_as_it_is(old: str, new: str) -> None:
    for stretch in side_by_side("data.py", old, new):
        for row in stretch:
            for line, text in ((row.old, old), (row.new, new)):
                if line:
                    whole = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
                    assert read(line) == visible(whole[line.number - 1])
                    assert "\n" not in line.html and "\u202e" not in line.html


def test_a_message_is_unwrapped() -> None:
    text = "A long sentence " * 9 + "end.\n\n- one item\n- another\n\nSource: a paper\nChange: b"
    assert unwrapped(wrapped(text)) == text
