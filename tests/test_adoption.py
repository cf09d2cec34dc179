"""A project that is there becomes a pipeline: nothing of it is lost, or nothing is written."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from improve_git import adoption, creation
from improve_git.errors import PipelineError
from improve_git.git import Repository
from improve_git.pipeline import Pipeline
from improve_git.trail.history import read_history
from improve_git.trail.story import story
from scripted import SOURCES, ScriptedSandbox, ScriptedTeam
from worlds import BETTER, World, make_photos

WORDS = ["data.split.val=0.4", "data.split.test=0.1", "accept=improves", "budget.train_seconds=60"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_photos(tmp_path_factory.mktemp("data") / "photos")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a repository with a history of two commits and work that is not committed."""
    folder = tmp_path / "my project"
    files(folder)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "Begin")
    (folder / "notes.txt").write_text("first")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "Take notes")
    (folder / "notes.txt").write_text("edited")
    (folder / "staged.txt").write_text("staged")
    git(folder, "add", "staged.txt")
    (folder / "plan.txt").write_text("untracked")
    return folder


def files(folder: Path) -> None:
    folder.mkdir()
    for name, text in SOURCES.items():
        code = text.format(0.2)
        if name == "train.py":
            code = code.replace("return", "report(epoch=0)\n    return")
        (folder / name).write_text(code)


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.rstrip()


def adopted(folder: Path, photos: Path) -> Repository:
    found = adoption.check(folder)
    return adoption.adopt(found, creation.plan(str(photos), folder, WORDS))


def state(folder: Path) -> list[Any]:
    """Return all that lies in a folder, and all that its repository holds."""
    lying = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*")
             if path.is_file() and ".git" not in path.parts}  # fmt: skip
    if not (folder / ".git").exists():
        return [lying]
    said = (["status", "--porcelain", "--branch"], ["for-each-ref"], ["diff", "--cached"])
    return [lying, *(git(folder, *words) for words in said)]


def problems(folder: Path) -> list[str]:
    """Return what is in the way; nothing may be changed."""
    before = state(folder)
    with pytest.raises(PipelineError) as error:
        adoption.check(folder)
    assert state(folder) == before
    return [line.strip() for line in error.value.message.splitlines()[1:]]


def test_history_and_edits_stay_and_one_commit_is_added(project: Path, photos: Path) -> None:
    tip = git(project, "rev-parse", "main")
    before = git(project, "status", "--porcelain")
    repo = adopted(project, photos)
    assert git(project, "log", "--format=%an: %s") == (
        "improve-git: Set up a pipeline for 200 images in 2 classes\n"
        "Test User: Take notes\nTest User: Begin"
    )
    assert git(project, "rev-parse", "main^") == tip
    assert git(project, "diff", "--name-status", tip, "main") == (
        "A\t.gitignore\nA\tREADME.md\nA\tdataset.json\nA\timprove.yaml\nA\trun.py"
    )
    assert git(project, "status", "--porcelain") == before
    assert (project / "notes.txt").read_text() == "edited"
    assert "# my project" in (project / "README.md").read_text()
    assert Pipeline.open(repo.folder).snapshot("main").data_set.classes == ("cats", "dogs")
    with pytest.raises(PipelineError, match="is a pipeline already"):
        adoption.check(project)


def test_the_whole_way_to_a_merge(project: Path, photos: Path) -> None:
    pipeline = Pipeline.open(adopted(project, photos).folder)
    sandbox = ScriptedSandbox(pipeline.snapshot("main").data_set)
    w = World(pipeline, sandbox, ScriptedTeam([("model", "wider", BETTER)]))
    w.run()
    assert w.verdicts() == [(1, "merged", "accuracy 0.8000 over 0.6000 (+20.00 points)")]
    assert git(project, "show", "main:model.py") == BETTER.strip()
    # The project's own commits are no part of the pipeline's story.
    assert len(story(read_history(pipeline.repo))) == 2


def test_the_users_files_of_the_same_names_stay(project: Path, photos: Path) -> None:
    (project / "README.md").write_text("mine")
    (project / "run.py").write_text("print('mine')\n")
    (project / ".gitignore").write_text("*.log")
    git(project, "add", "README.md", ".gitignore")
    git(project, "commit", "-q", "-m", "More", "README.md", ".gitignore")
    found = adoption.check(project)
    assert found.kept == ("README.md", "run.py", ".gitignore")
    adoption.adopt(found, creation.plan(str(photos), project, WORDS))
    assert (project / "README.md").read_text() == "mine"
    assert (project / "run.py").read_text() == "print('mine')\n"
    assert (project / ".gitignore").read_text() == "*.log\n/.improve/\n"
    assert git(project, "show", "--format=", "--name-only", "main") == (
        ".gitignore\ndataset.json\nimprove.yaml"
    )
    assert "?? .improve" not in git(project, "status", "--porcelain")


def test_a_plain_folder_becomes_a_repository(tmp_path: Path, photos: Path) -> None:
    folder = tmp_path / "plain"
    files(folder)
    (folder / "README.md").write_text("mine\r\n")
    (folder / "big.bin").write_bytes(b"\0" * 1000)
    repo = adopted(folder, photos)
    assert [c.subject for c in repo.log("main")] == [
        "Set up a pipeline for 200 images in 2 classes",
        "Begin with the project as it is",
    ]
    assert sorted(repo.blobs("main^")) == ["README.md", "data.py", "model.py", "train.py"]
    assert git(folder, "status", "--porcelain") == "?? big.bin"
    assert not list(folder.glob(".git.*"))
    Pipeline.open(folder)


def test_what_is_in_the_way_is_told_all_at_once(project: Path) -> None:
    git(project, "branch", "-q", "-m", "main", "master")
    git(project, "branch", "improve")
    (project / "improve.yaml").write_text("")
    (project / "data.py").write_text("def get_loaders(a): ...\ndef eval_transform(spec): ...\n")
    git(project, "mv", "model.py", "models.py")
    assert problems(project) == [
        "its branch must be named main: git branch -m master main",
        "a branch named improve is in the way of the attempts' branches improve/NNNN-...: "
        "git branch -m improve ANOTHER-NAME",
        "improve.yaml is there, a name that the engine needs: mv improve.yaml ANOTHER",
        "data.py: line 1: get_loaders(a) found: rename it to "
        "build_loaders(train_samples, tune_samples, spec)",
        "model.py is missing; nearest is models.py: rename it to model.py",
    ]


def test_a_state_of_the_repository_that_would_mislead_is_told(project: Path) -> None:
    (project / "train.py").write_text((project / "train.py").read_text() + "# mine\n")
    assert problems(project) == [
        "train.py: edits are not committed: git commit train.py, or git stash"
    ]
    git(project, "checkout", "-q", "train.py")
    git(project, "switch", "-q", "-c", "feature")
    assert problems(project) == ["feature is checked out, and main is improved: git switch main"]
    git(project, "switch", "-q", "--detach")
    assert problems(project)[0].startswith("no branch is checked out")
    git(project, "switch", "-q", "main")
    git(project, "rm", "-q", "--cached", "model.py")
    git(project, "commit", "-q", "-m", "Forget")
    assert problems(project) == [
        "model.py is not committed on main: git add model.py && git commit model.py"
    ]


def test_a_repository_without_a_commit(tmp_path: Path) -> None:
    files(tmp_path / "new")
    git(tmp_path / "new", "init", "-q", "-b", "master")
    assert problems(tmp_path / "new") == [
        "it has no commit yet: git add data.py model.py train.py && git commit",
        "its branch must be named main: git symbolic-ref HEAD refs/heads/main",
    ]


def test_folders_that_cannot_be_adopted(project: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(project), "bare")
    (project / "inner").mkdir()
    for folder, message in (
        (tmp_path / "none", "is not a folder"),
        (project / "inner", "lies in another Git repository"),
        (tmp_path / "bare", "is a bare repository"),
    ):
        with pytest.raises(PipelineError, match=message):
            adoption.check(folder)


def test_a_kill_while_the_commit_lands_is_made_good(
    project: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Repository, "update_ref", killed)
        with pytest.raises(KeyboardInterrupt):
            adopted(project, photos)
    assert git(project, "log", "--format=%s", "-1") == "Take notes"
    with pytest.raises(PipelineError, match="is a pipeline already"):
        adoption.check(project)
    assert sorted(git(project, "status", "--porcelain").splitlines()) == [
        " M notes.txt", "?? plan.txt", "A  staged.txt",
    ]  # fmt: skip
