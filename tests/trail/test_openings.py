"""The account of openings, as it is read back: who counts, and what damage does."""

import math
from pathlib import Path

import pytest

from improve_git.git import ENGINE, Person, Repository
from improve_git.messages import compose
from improve_git.trail.openings import OPENINGS, last_certified, level_of, read_openings

TIP = "a" * 40
PASSED = {"Opening": 1, "Kind": "certification", "Tip": TIP, "Passed": "yes", "Seeds": "2000,2001"}


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    return Repository.create(tmp_path / "repo")


def write(repo: Repository, said: dict[str, object], author: Person = ENGINE) -> str:
    before = repo.resolve(OPENINGS)
    message = compose("Certify it", "In one line.", said)
    tree = repo.write_tree(None, {})
    commit = repo.commit(tree, [before] if before else [], message, author)
    repo.git("update-ref", OPENINGS, commit)
    return commit


def test_nothing_is_opened_at_first(repo: Repository) -> None:
    assert read_openings(repo) == () and last_certified(repo) is None


def test_another_hand_counts_nothing_and_takes_nothing_away(repo: Repository) -> None:
    write(repo, PASSED, Person("Someone", "someone@example.invalid"))
    assert read_openings(repo) == () and last_certified(repo) is None
    real = write(repo, PASSED)
    write(repo, PASSED | {"Tip": "b" * 40}, Person(ENGINE.name, "someone@example.invalid"))
    write(repo, {"Passed": "yes"})  # no opening at all
    [found] = read_openings(repo)
    assert (found.commit, found.number, found.tip) == (real, 1, TIP)
    assert last_certified(repo) == TIP


def test_a_number_is_a_place_whatever_is_written(repo: Repository) -> None:
    for number in ("7", "7", "-3", "one"):
        write(repo, {"Opening": number, "Kind": "evaluation"})
    assert [one.number for one in read_openings(repo)] == [4, 3, 2, 1]
    assert read_openings(repo)[0].level == level_of(4)


def test_damage_counts_and_is_told_as_unknown(repo: Repository) -> None:
    write(repo, {
        "Opening": 1, "Kind": "evaluation", "Tip": "HEAD; rm", "Against": "../..", "Gain": "much",
        "Gain-Low": "nan", "Gain-High": "1e999", "Images": "-60", "Seeds": "1,x,99999999999,3",
        "Test-Log-Loss": "0.5",
    })  # fmt: skip
    [found] = read_openings(repo)
    assert (found.tip, found.against, found.record, found.images) == ("", "", "", 0)
    assert found.seeds == (1, 3) and (found.metric, found.score) == ("log_loss", 0.5)
    assert found.high is not None
    assert all(math.isnan(one) for one in (found.gain, found.low, found.high, found.against_score))
    assert (found.passed, found.confidence) == (None, None)


def test_a_reference_that_names_no_commit_is_none(repo: Repository) -> None:
    repo.git("update-ref", OPENINGS, repo.write_blob(b"no commit"))
    assert read_openings(repo) == ()
