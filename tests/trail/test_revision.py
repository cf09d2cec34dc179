"""What a word names: on real Git with a scripted sandbox."""

import subprocess
from pathlib import Path

import pytest

from improve_git.errors import PipelineError
from improve_git.trail.history import read_history
from improve_git.trail.revision import Revision, find_revision
from worlds import BETTER, CRASH, WORSE, World, make_world

MOVES = [("model", "wider", BETTER), ("train", "longer", WORSE), ("train", "rush", CRASH)]


@pytest.fixture(scope="module")
def world(photos: Path, clock: None, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Make a pipeline with a merge, a rejected and a failed attempt."""
    w = make_world(photos, tmp_path_factory.mktemp("revisions") / "pipeline", MOVES)
    w.run()
    return w


def find(w: World, word: str) -> Revision:
    return find_revision(w.pipeline.repo, read_history(w.pipeline.repo), word)


@pytest.mark.parametrize("word", ["0", "baseline"])
def test_the_baseline(world: World, word: str) -> None:
    found = find(world, word)
    baseline = read_history(world.pipeline.repo).main[0]
    assert (found.commit, found.number, found.name) == (baseline.commit, None, "the baseline")
    assert found.trailers["Verdict"] == "baseline"
    assert found.record is not None and found.record["score"] == baseline.score


@pytest.mark.parametrize(
    ("word", "name", "verdict"),
    [("1", "0001", "merged"), ("0002", "0002", "rejected"), ("3", "0003", "failed")],
)
def test_an_iteration(world: World, word: str, name: str, verdict: str) -> None:
    found = find(world, word)
    assert (found.name, found.trailers["Verdict"]) == (name, verdict)
    assert found.record is not None and found.record["verdict"] == verdict


def test_any_revision_whose_content_was_measured(world: World) -> None:
    repo = world.pipeline.repo
    merged, rejected = find(world, "1"), find(world, "2")
    for word in ("main", "HEAD", merged.commit[:9], "refs/heads/main"):
        assert find(world, word) == merged, word
    tip = "improve/0002-train-longer"
    assert find(world, tip) == rejected
    assert find(world, f"{tip}~1") == rejected  # the engineer's commit, before the verdict
    assert find(world, f"{tip}~2") == merged  # the assignment has main's own content
    assert find(world, "main~1") == find(world, "baseline")
    assert repo.resolve("main~1") == find(world, "baseline").commit


def test_a_commit_that_changes_nothing_measured(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "clone"
    command = ["git", "clone", "-q", "--no-local", str(world.pipeline.repo.folder), str(folder)]
    subprocess.run(command, check=True)
    clone = type(world.pipeline).open(folder)
    (folder / "README.md").write_text("other words")
    subprocess.run(["git", "commit", "-qam", "Reword"], cwd=folder, check=True)
    found = find_revision(clone.repo, read_history(clone.repo), "main")
    assert (found.number, found.record) == (1, None)  # a plain clone has no notes


def test_words_that_name_nothing(world: World) -> None:
    with pytest.raises(PipelineError, match="there is no iteration 9") as caught:
        find(world, "9")
    assert caught.value.fix == "there are iterations 1 to 3, and the baseline (0)"
    for word in ("nowhere", "--help", "a b", "", "1234567890"):
        with pytest.raises(PipelineError, match="there is no revision"):
            find(world, word)
    world.pipeline.repo.git("branch", "mine", "main~2")  # set up, not yet measured: the same files
    assert find(world, "mine") == find(world, "baseline")
    world.pipeline.repo.git("branch", "early", "main~3")
    with pytest.raises(PipelineError, match="early was never measured"):
        find(world, "early")
