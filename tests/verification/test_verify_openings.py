"""Verifying what was recorded of the sealed images: figures, sides and seeds, by forging each."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from forging import reworded
from improve_git.git import ENGINE, Repository
from improve_git.pipeline import Pipeline
from improve_git.trail.openings import OPENINGS, read_openings
from improve_git.trail.writing import write_record
from improve_git.verification.history import verify_history
from sealing import BEST, BETTER, certify, evaluate, sealed_world
from worlds import make_photos, ticking_clock

Record = dict[str, Any]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tell of a merge that was certified and evaluated, and of a second one that was certified."""
    folder = tmp_path_factory.mktemp("opened")
    with ticking_clock():
        w = sealed_world(make_photos(folder / "photos"), folder / "pipeline", BETTER, BEST)
        w.run("budget.iterations=1")
        certify(w)
        evaluate(w)
        w.run("budget.iterations=2")
        certify(w)
    return w.pipeline.repo.folder


@pytest.fixture
def repo(opened: Path, tmp_path: Path) -> Repository:
    shutil.copytree(opened, tmp_path / "pipeline")
    return Repository(tmp_path / "pipeline")


def found(repo: Repository) -> list[str]:
    findings = verify_history(Pipeline.open(repo.folder)).findings
    assert {(one.check, one.where) for one in findings} <= {("sealed", "openings")}
    return [one.what for one in findings]


def forge(
    repo: Repository,
    number: int,
    change: Callable[[Record], object] = lambda record: None,
    message: Callable[[str], str] = str,
) -> None:
    """Write the account anew, with another record and message of one opening."""
    before: list[str] = []
    for one in read_openings(repo)[::-1]:
        (old,) = repo.log("-1", one.commit)
        text, said = repo.read(one.commit, "record.json"), old.message
        if one.number == number:
            record = json.loads(text)
            change(record)
            blob = write_record(repo, record)
            text, said = repo.read_blob(blob), message(reworded("Record", blob)(said))
        tree = repo.write_tree(None, {"record.json": text})
        before = [repo.commit(tree, [*before, old.parents[-1]], said, ENGINE)]
    repo.git("update-ref", OPENINGS, before[0])


def test_openings_as_the_engine_left_them(repo: Repository) -> None:
    assert [one.kind for one in read_openings(repo)] == [
        "certification", "evaluation", "certification"
    ]  # fmt: skip
    assert found(repo) == []
    forge(repo, 2)
    assert found(repo) == []


@pytest.mark.parametrize("metric", ["log_loss", "macro_f1", "roc_auc", "quadratic_kappa"])
def test_openings_by_other_metrics(metric: str, photos: Path, tmp_path: Path) -> None:
    w = sealed_world(photos, tmp_path / "pipeline", BETTER, words=(f"metric={metric}",))
    w.run()
    evaluate(w, seeds=4)
    certify(w)
    assert found(w.pipeline.repo) == []


@pytest.mark.parametrize(
    ("number", "key", "value", "real"),
    [
        (1, "Passed", "no", "yes"),
        (1, "Gain", "0.5", r"0\.\d+"),
        (1, "Confidence", "0.990000", r"[01]\.\d+"),
        (2, "Gain-Low", "0.29", r"0\.\d+"),
        (2, "Gain-High", "0.9", r"0\.\d+"),
        (2, "Test-Accuracy", "0.99", r"0\.\d+"),
        (2, "Against-Accuracy", "0.1", r"0\.\d+"),
        (2, "Confidence-Level", "0.99", r"0\.9875"),
        (2, "Images", "6000", "60"),
        (2, "Seeds", "1,2,3", "2003,2004,2005"),
        (3, "Sandbox", "docker", "scripted"),
    ],
)
def test_a_figure_that_is_not_what_the_predictions_come_to(
    repo: Repository, number: int, key: str, value: str, real: str
) -> None:
    forge(repo, number, message=reworded(key, value))
    comes = rf"opening {number}: {key} is told as {value}; its record comes to {real}"
    assert any(re.fullmatch(comes, what) for what in found(repo))


def test_an_evaluation_that_is_called_a_certification(repo: Repository) -> None:
    forge(repo, 2, message=reworded("Kind", "certification"))
    assert "opening 2: Passed is told as nothing; its record comes to yes" in found(repo)


def better(record: Record) -> None:
    """Give the tip the score that one more right answer by each seed would bring."""
    tip = record["tip"]
    for run in tip["by_seed"]:
        run["score"] += 1 / 60
        run["judgement"]["value"] = run["score"]
    tip["score"] += 1 / 60
    tip["judgement"] = tip["by_seed"][0]["judgement"]


def swapped(record: Record) -> None:
    record["tip"], record["against"] = record["against"], record["tip"]


def of_other_settings(record: Record) -> None:
    record["against"]["settings"]["data.cache_side"] = 7


def picked(record: Record) -> None:
    """Leave a training out."""
    for side in ("tip", "against"):
        record[side]["by_seed"] = record[side]["by_seed"][1:]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (better, "opening 2: seed 2003 has the score"),
        (swapped, "opening 2: what was measured as tip is not"),
        (of_other_settings, "opening 2: its two sides were not measured alike"),
        (picked, "opening 2: its seeds are .*; it has scores of"),
        (dict.clear, "opening 2: its record of tip cannot be used: it is no JSON object"),
        (lambda r: r["tip"].pop("seeds"), "opening 2: its record of tip cannot .* no 'seeds'"),
        (lambda r: r["against"].update(score=None), "opening 2: its record of against .* score"),
    ],
)
def test_a_record_that_is_another(
    repo: Repository, change: Callable[[Record], object], what: str
) -> None:
    forge(repo, 2, change)
    assert any(re.match(what, told) for told in found(repo))


def test_seeds_that_were_seen_before(repo: Repository) -> None:
    """An opening told twice would have the second chance that its seeds had already."""
    newest, _, first = read_openings(repo)
    (old,) = repo.log("-1", first.commit)
    message = reworded("Confidence-Level", "0.99375")(reworded("Opening", "4")(old.message))
    tree = repo.write_tree(None, {"record.json": repo.read(first.commit, "record.json")})
    tip = repo.commit(tree, [newest.commit, first.tip], message, ENGINE)
    repo.git("update-ref", OPENINGS, tip)
    assert "opening 4: it took the seed 2000, which an earlier opening had" in found(repo)


def test_a_weaker_opponent(repo: Repository) -> None:
    """The second certification is against what the first one passed, not the baseline."""
    third, evaluation, _ = read_openings(repo)
    assert (third.against, evaluation.against) != (evaluation.against, third.against)
    forge(repo, 3, message=reworded("Against", evaluation.against))
    what = f"opening 3: it compares with {evaluation.against[:7]}, which is not what was certified"
    assert [one for one in found(repo) if one.startswith(what)]


def test_a_second_reference_hides_nothing(repo: Repository) -> None:
    forge(repo, 2, message=reworded("Gain-Low", "0.29"))
    repo.git("update-ref", "refs/improve/a", OPENINGS)
    assert len(found(repo)) == 1
