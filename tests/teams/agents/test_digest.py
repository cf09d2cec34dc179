import pytest
from cases import attempt, context_of, long_history, training_of

from improve_git.llm.reckoning import tokens as tokens_of
from improve_git.teams.agents.digest import digest
from improve_git.teams.agents.rounding import scale_of


def told(context, tokens=4000, component=None):
    return digest(context, scale_of(context), tokens, component)


def size(history):
    return sum(tokens_of(f"- {line}\n") for lines in history.values() for line in lines)


def test_a_short_history_is_told_in_detail_newest_first():
    attempts = [
        attempt(1, "merged", score=0.8312),
        attempt(2, "failed", component="model", mechanism="", slug="wider", subject=""),
    ]
    rewritten = {1: ("SIDE = 96\nFLIP = True\n", "SIDE = 160  # larger\nBATCH: int = 16\n")}
    context = context_of(attempts=attempts, recent={1: training_of()}, rewritten=rewritten)
    assert told(context) == {
        "detailed": [
            "0002 model: wider: failed: timeout: not done after 240 s\n"
            "  idea: Idea 2 should help.",
            "0001 data, augmentation: idea-1: merged, +1.5 points (+0.8 points expected)\n"
            "  idea: Idea 1 should help.\n"
            "  change: Carry out idea 1\n"
            "  settings: SIDE 96 -> 160, BATCH 16 (new), FLIP (gone)\n"
            "  training: 5 epochs, train 90.0 %, tune 70.0, 78.0, 84.0, 83.0, 82.0 %, 50 s\n"
                "  found of the tuning images: cat 88 %, dog 69 %, owl 97 %",
        ],
        "brief": [],
        "counts": [
            "data, augmentation: 1 tried, 1 merged",
            "model, wider: 1 tried, all failed: timeout",
        ],
        "more": [],
    }  # fmt: skip


def test_a_persons_attempt_is_marked_and_its_author_is_not_named():
    own = attempt(1, mechanism="", slug="wider", proposer="Ann <ann@example.invalid>")
    history = told(context_of(attempts=[own]))
    assert history["detailed"][0].startswith("0001 data: wider (the user's own): rejected, ")
    assert "Ann" not in str(history)


@pytest.mark.parametrize("tokens", [200, 1000, 4000])
def test_a_history_stays_within_its_tokens_whatever_its_length(tokens):
    for count in (0, 1, 5, 50, 500):
        attempts = long_history(count)
        recent = {n: training_of() for n in range(count - 8, count + 1)}
        history = told(context_of(attempts=attempts, recent=recent), tokens)
        assert size(history) <= tokens + 20  # the line that says that there are more
        shown = len(history["detailed"]) + len(history["brief"])
        assert history["more"] == (
            [f"{count - shown} older ones: see the counts"] if shown < count else []
        )


def test_iteration_500_costs_no_more_than_iteration_50():
    sizes = {n: size(told(context_of(attempts=long_history(n)))) for n in (50, 500)}
    assert sizes[500] <= 1.1 * sizes[50] and sizes[500] <= 4000


def test_a_history_is_no_longer_than_it_helps_even_where_there_is_room():
    history = told(context_of(attempts=long_history(500)), 1_000_000)
    assert {kind: len(lines) for kind, lines in history.items()} == {
        "detailed": 10, "brief": 30, "counts": 30, "more": 1,
    }  # fmt: skip


def test_an_engineer_is_told_of_its_own_component():
    history = told(context_of(attempts=long_history(60)), component="model")
    lines = history["detailed"] + history["brief"] + history["counts"]
    assert lines and all("model" in line.splitlines()[0] for line in lines)


def test_text_that_is_no_utf8_is_measured():
    assert tokens_of("\ud800abc") == 2 and tokens_of("") == 0
