import pytest
from hypothesis import given
from hypothesis import strategies as st

from improve_git.teams.agents.constants import changed_constants


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("SIDE = 96\n", "SIDE = 96\n", ""),
        ("SIDE = 96  # why\nx = 1\n", "SIDE = 128\nx = 2\n", "SIDE 96 -> 128"),
        ("A = B = 1\n", "A = 2\nC: float = 0.5\n", "A 1 -> 2, C 0.5 (new), B (gone)"),
        ("N = 1\ndef f():\n    N = 5\n", "N = 1\ndef f():\n    N = 6\n", ""),
        ("N = '" + "a" * 80 + "'\n", "", "N (gone)"),
        ("N = (", "N = 1", ""),
        ("N = 1", "\0", ""),
    ],
)
def test_constants_that_differ(before, after, told):
    assert changed_constants(before, after) == told


def test_many_changes_and_long_values_are_cut():
    before = "".join(f"S{n} = 0\n" for n in range(20))
    after = "".join(f"S{n} = '{'x' * 99}\\n'\n" for n in range(20))
    told = changed_constants(before, after)
    assert told.count(" -> ") == 8 and told.endswith(" and 12 more") and len(told) < 8 * 60


@given(st.text(), st.text())
def test_any_text_is_survived_and_stays_one_line(before, after):
    assert len(changed_constants(before, after).splitlines()) <= 1
