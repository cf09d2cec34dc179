"""Opening the sealed part on real Git: what is trained and judged, what counts, what is kept."""

import json
import shlex
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from improve_git.errors import DataError, PipelineError
from improve_git.git import ENGINE, NO_COMMIT, GitFailed, Repository
from improve_git.messages import trailers
from improve_git.trail.history import read_history
from improve_git.trail.openings import CERTIFIED, FETCH_OPENINGS, OPENINGS, level_of, read_openings
from scripted import source
from sealing import BEST, BETTER, certify, evaluate, sealed_world, used
from worlds import World

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def world(photos: Path, tmp_path: Path) -> Callable[..., World]:
    return partial(sealed_world, photos, tmp_path / "pipeline")


def test_a_run_never_opens_the_sealed_images(world: Callable[..., World]) -> None:
    w = world(BETTER)
    w.run()
    assert used(w) == ([0, 0], ["val", "val"])


def test_both_kinds_share_one_budget_and_no_seed(world: Callable[..., World]) -> None:
    w = world(BETTER, BEST)
    w.run("budget.iterations=1")
    made, seeds = [certify(w), evaluate(w, seeds=4)], used(w)[0][2:]
    w.run()
    used(w)
    made += [evaluate(w, "1"), certify(w)]
    seeds += used(w)[0]
    assert [(one.number, one.kind) for one in made] == [
        (1, "certification"), (2, "evaluation"), (3, "evaluation"), (4, "certification"),
    ]  # fmt: skip
    assert [one.level for one in made] == [0.975, 0.9875, 0.99375, 0.996875]
    assert [one.seeds for one in made] == [
        (2000, 2001, 2002), (2003, 2004, 2005, 2006), (2007, 2008, 2009), (2010, 2011, 2012),
    ]  # fmt: skip
    assert seeds == [seed for one in made for seed in one.seeds * 2]
    assert read_openings(w.pipeline.repo) == tuple(made[::-1])
    assert sum(1 - level_of(number) for number in range(1, 1000)) <= 0.05


def test_another_seed_in_the_settings_brings_none_back(world: Callable[..., World]) -> None:
    w = world(BETTER)
    w.run()
    made = [evaluate(w), evaluate(w, "main", "seed=1"), evaluate(w, "main", "seed=4294965296")]
    assert [one.seeds for one in made] == [
        (2000, 2001, 2002),
        (2003, 2004, 2005),
        (1, 2, 3),  # past the largest seed, less the one that main was scored with
    ]


def test_what_is_written_down(world: Callable[..., World]) -> None:
    w = world(BETTER)
    w.run()
    weights = sorted((w.pipeline.state / "weights").iterdir())
    assert weights
    made, repo = evaluate(w), w.pipeline.repo
    [commit] = repo.log("-1", OPENINGS)
    said = trailers(commit.message)
    assert commit.author == ENGINE and commit.parents == (made.tip,)
    assert commit.subject == f"Evaluate {made.tip[:10]}, accuracy {made.score:.4f}"
    assert list(said) == [
        "Opening", "Kind", "Tip", "Against", "Test-Accuracy", "Against-Accuracy", "Gain",
        "Gain-Low", "Gain-High", "Confidence-Level", "Images", "Seeds", "Sandbox", "Image",
        "Dataset", "Record",
    ]  # fmt: skip
    assert (said["Opening"], said["Confidence-Level"], said["Images"]) == ("1", "0.975", "60")
    record = json.loads(repo.read_blob(said["Record"]))
    assert record["opening"]["low"] == pytest.approx(made.low, rel=1e-5)
    assert [run["seeds"] for run in record["tip"]["by_seed"]] == [[2000], [2001], [2002]]
    assert repo.read(OPENINGS, "record.json") == repo.read_blob(said["Record"])
    assert sorted((w.pipeline.state / "weights").iterdir()) == weights
    second = evaluate(w)
    assert repo.log("-1", OPENINGS)[0].parents == (made.commit, second.tip)


def test_teams_and_the_graph_see_nothing_of_it(world: Callable[..., World]) -> None:
    w = world(BETTER)
    w.run()
    before = read_history(w.pipeline.repo), w.graph()
    certify(w)
    evaluate(w)
    assert (read_history(w.pipeline.repo), w.graph()) == before


@pytest.mark.parametrize("open_part", [certify, evaluate])
def test_an_interrupted_opening_goes_on_where_it_was(
    world: Callable[..., World], open_part: Callable[[World], object]
) -> None:
    w = world(BETTER)
    w.run()
    used(w)

    def stop() -> None:
        if len(w.sandbox.jobs) == 4:  # type: ignore[attr-defined]
            raise KeyboardInterrupt

    w.sandbox.before_training = stop
    with pytest.raises(KeyboardInterrupt):
        open_part(w)
    assert read_openings(w.pipeline.repo) == ()
    w.sandbox.before_training = lambda: None
    open_part(w)
    assert used(w)[0] == [2000, 2001, 2002, 2000, 2000, 2001, 2002]  # the fourth was cut short
    assert len(read_openings(w.pipeline.repo)) == 1


def test_what_was_trained_for_one_kind_serves_the_other(world: Callable[..., World]) -> None:
    w = world(BETTER)
    w.run()
    used(w)
    first = certify(w)
    w.pipeline.repo.git("update-ref", "-d", OPENINGS)  # as if it had been killed before
    w.pipeline.repo.git("update-ref", "-d", CERTIFIED)
    second = evaluate(w)
    assert used(w)[0] == [2000, 2001, 2002] * 2
    assert (second.number, second.score) == (1, first.score)


def test_a_training_that_fails_uses_nothing_up(world: Callable[..., World]) -> None:
    crash = source("train", 0.4, "\n# crashes with seed 2001\n")
    w = world(("train", "longer", crash))
    w.run()
    for open_part in (certify, evaluate):
        with pytest.raises(PipelineError, match="main cannot be judged: with seed 2001, crashed"):
            open_part(w)
    assert read_openings(w.pipeline.repo) == ()
    w.commit("train.py", source("train", 0.4))
    assert certify(w).number == 1


def test_images_that_are_gone_are_told_before_anything_runs(world: Callable[..., World]) -> None:
    w = world(BETTER)
    w.run()
    used(w)
    (w.pipeline.state / "images-at").unlink()  # where they were found last
    with pytest.raises(DataError, match=r"/nowhere") as error:
        evaluate(w, "main", "data.images=/nowhere")
    assert "data.images=FOLDER" in error.value.fix
    assert used(w) == ([], []) and read_openings(w.pipeline.repo) == ()


def test_the_record_travels_with_the_reference(world: Callable[..., World], tmp_path: Path) -> None:
    w = world(BETTER)
    w.run()
    made = certify(w)
    clone = tmp_path / "clone"
    for command in (
        ["clone", "-q", str(w.pipeline.repo.folder), str(clone)],
        ["-C", str(clone), "fetch", "-q", "origin", "refs/improve/*:refs/improve/*"],
    ):
        subprocess.run(["git", *command], check=True)
    shown = subprocess.run(["git", "-C", str(clone), "show", f"{OPENINGS}:record.json"],
                           check=True, capture_output=True)  # fmt: skip
    assert json.loads(shown.stdout)["opening"]["passed"] is True
    held = subprocess.run(["git", "-C", str(clone), "cat-file", "-t", made.against],
                          check=True, capture_output=True, text=True)  # fmt: skip
    assert held.stdout == "commit\n"


def test_a_clones_own_account_is_not_replaced(world: Callable[..., World], tmp_path: Path) -> None:
    w = world(BETTER)
    w.run()
    evaluate(w)
    subprocess.run(["git", "clone", "-q", w.pipeline.repo.folder, tmp_path / "clone"], check=True)
    clone = Repository(tmp_path / "clone")
    main = clone.resolve("origin/main") or ""
    own = clone.commit(f"{main}^{{tree}}", [main], "Evaluate\n\nOpening: 1\n", ENGINE)
    clone.update_ref(OPENINGS, own, NO_COMMIT, "own")
    with pytest.raises(GitFailed, match="fetch"):
        clone.git(*shlex.split(FETCH_OPENINGS)[1:])
    assert clone.resolve(OPENINGS) == own
