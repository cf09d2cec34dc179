"""Landing on main: the user's edits survive, and a crash leaves main old or new."""

import shutil
from pathlib import Path

import pytest

from improve_git.git import ENGINE, NO_COMMIT, GitFailed, RefMoved, Repository
from improve_git.journal import Journal
from improve_git.trail.landing import LandingWaits, has_landed, land, recover

OLD = {"model.py": "old\n", "train.py": "same\n", "README.md": "read me\n"}


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    repo = Repository.create(tmp_path / "repo")
    tree = repo.write_tree(None, OLD)
    repo.update_ref("refs/heads/main", repo.commit(tree, [], "Old\n", ENGINE), NO_COMMIT, "test")
    repo.git("read-tree", "-m", "-u", "HEAD")
    return repo


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal")


def next_commit(repo: Repository, text: str = "new\n") -> tuple[str, str]:
    """Return a commit that changes model.py, and main."""
    main = repo.resolve("main") or ""
    return repo.commit(repo.write_tree(main, {"model.py": text}), [main], "New\n", ENGINE), main


def state(repo: Repository) -> tuple[str, str]:
    return (repo.folder / "model.py").read_text(), repo.git("status", "--porcelain")


def test_a_clean_checkout_moves_along(repo: Repository, journal: Journal) -> None:
    new, old = next_commit(repo)
    land(repo, journal, new, old)
    assert repo.resolve("main") == new
    assert state(repo) == ("new\n", "")
    assert [e["event"] for e in journal.events()] == ["landing", "landed"]


def test_edits_to_other_files_stay_staged_and_unstaged(repo: Repository, journal: Journal) -> None:
    (repo.folder / "README.md").write_text("mine\n")
    (repo.folder / "train.py").write_text("staged\n")
    repo.git("add", "train.py")
    (repo.folder / "train.py").write_text("staged and more\n")
    (repo.folder / "notes.txt").write_text("untracked\n")
    new, old = next_commit(repo)
    land(repo, journal, new, old)
    assert state(repo) == ("new\n", " M README.md\nMM train.py\n?? notes.txt")
    assert (repo.folder / "train.py").read_text() == "staged and more\n"


@pytest.mark.parametrize("staged", [False, True])
def test_an_edit_of_the_landed_file_makes_the_merge_wait(
    repo: Repository, journal: Journal, staged: bool
) -> None:
    (repo.folder / "model.py").write_text("mine\n")
    if staged:
        repo.git("add", "model.py")
    before = state(repo)
    new, old = next_commit(repo)
    with pytest.raises(LandingWaits, match=r"model\.py has uncommitted edits in .*repo"):
        land(repo, journal, new, old)
    assert repo.resolve("main") == old
    assert state(repo) == before
    assert journal.events()[-1]["event"] == "landing-dropped"


def test_an_untracked_file_in_the_way_is_not_overwritten(
    repo: Repository, journal: Journal
) -> None:
    main = repo.resolve("main") or ""
    new = repo.commit(repo.write_tree(main, {"extra.py": "x\n"}), [main], "New\n", ENGINE)
    (repo.folder / "extra.py").write_text("mine\n")
    with pytest.raises(LandingWaits):
        land(repo, journal, new, main)
    assert (repo.folder / "extra.py").read_text() == "mine\n"


def test_another_branch_checked_out_is_left_alone(repo: Repository, journal: Journal) -> None:
    repo.git("checkout", "-q", "-b", "mine")
    new, old = next_commit(repo)
    land(repo, journal, new, old)
    assert repo.resolve("main") == new
    assert state(repo) == ("old\n", "")


def test_a_linked_work_tree_with_main_moves_along(
    repo: Repository, journal: Journal, tmp_path: Path
) -> None:
    repo.git("checkout", "-q", "-b", "mine")
    repo.git("worktree", "add", "-q", str(tmp_path / "linked"), "main")
    new, old = next_commit(repo)
    land(repo, journal, new, old)
    assert state(repo) == ("old\n", "")
    assert state(Repository(tmp_path / "linked")) == ("new\n", "")


def test_a_bare_clone_has_nothing_but_the_reference(
    repo: Repository, journal: Journal, tmp_path: Path
) -> None:
    repo.git("clone", "-q", "--bare", str(repo.folder), str(tmp_path / "bare.git"))
    bare = Repository(tmp_path / "bare.git")
    new, old = next_commit(bare)
    land(bare, journal, new, old)
    assert bare.resolve("main") == new


def test_a_main_that_moved_puts_the_work_tree_back(repo: Repository, journal: Journal) -> None:
    new, old = next_commit(repo)
    users = repo.commit("main^{tree}", [old], "The user's\n", ENGINE)
    repo.update_ref("refs/heads/main", users, old, "the user commits")
    with pytest.raises(RefMoved):
        land(repo, journal, new, old)
    assert repo.resolve("main") == users
    assert state(repo) == ("old\n", "")


def crashed_after(repo: Repository, journal: Journal, steps: list[str]) -> str:
    """Do the first steps of a landing by hand, as if the engine had been killed after them."""
    new, old = next_commit(repo)
    journal.append("landing", old=old, new=new, number=7)
    if "file" in steps:
        (repo.folder / "model.py").write_text("new\n")
    if "index" in steps:
        (repo.folder / "model.py").write_text("old\n")
        repo.git("update-index", "-q", "--refresh")
        repo.git("read-tree", "-m", "-u", old, new)
    if "ref" in steps:
        repo.update_ref("refs/heads/main", new, old, "land")
    return new


@pytest.mark.parametrize("steps", [[], ["file"], ["index"], ["index", "ref"]])
def test_a_landing_cut_short_is_finished(
    repo: Repository, journal: Journal, steps: list[str]
) -> None:
    new = crashed_after(repo, journal, steps)
    recover(repo, journal)
    assert repo.resolve("main") == new
    assert state(repo) == ("new\n", "")
    recover(repo, journal)
    assert [e["event"] for e in journal.events()] == ["landing", "landed"]
    assert has_landed(journal, 7) and not has_landed(journal, 8)


def test_a_landing_that_main_has_overtaken_is_dropped(repo: Repository, journal: Journal) -> None:
    crashed_after(repo, journal, [])
    main = repo.resolve("main") or ""
    users = repo.commit("main^{tree}", [main], "The user's\n", ENGINE)
    repo.update_ref("refs/heads/main", users, main, "the user commits")
    recover(repo, journal)
    assert repo.resolve("main") == users
    assert journal.events()[-1]["event"] == "landing-dropped"


def test_autocrlf_of_the_user_is_kept_in_the_checkout(
    repo: Repository, journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "gitconfig"
    config.write_text("[core]\n autocrlf = true\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    new, old = next_commit(repo)
    land(repo, journal, new, old)
    assert (repo.folder / "model.py").read_bytes() == b"new\r\n"
    assert repo.read("main", "model.py") == "new\n"
    assert repo.git("status", "--porcelain") == ""


def test_a_landing_that_the_user_committed_over_leaves_nothing_staged(
    repo: Repository, journal: Journal
) -> None:
    crashed_after(repo, journal, ["index"])
    (repo.folder / "train.py").write_text("mine\n")
    main = repo.resolve("main") or ""
    users = repo.commit(repo.write_tree(main, {"train.py": "mine\n"}), [main], "Mine\n", ENGINE)
    repo.git("add", "train.py")
    repo.update_ref("refs/heads/main", users, main, "the user commits")
    recover(repo, journal)
    assert state(repo) == ("old\n", "")


def test_the_ruin_of_a_linked_work_tree_is_passed_over(repo: Repository, journal: Journal) -> None:
    repo.git("checkout", "-q", "-b", "mine")
    linked = repo.folder / "linked"
    repo.git("worktree", "add", "-q", str(linked), "main")
    shutil.rmtree(linked)
    linked.mkdir()
    new, old = next_commit(repo)
    land(repo, journal, new, old)
    assert state(repo) == ("old\n", "")


def test_a_stale_lock_is_an_error_and_no_moved_main(repo: Repository, journal: Journal) -> None:
    new, old = next_commit(repo)
    (repo.folder / ".git/refs/heads/main.lock").touch()
    with pytest.raises(GitFailed, match="delete the lock file") as caught:
        land(repo, journal, new, old)
    assert not isinstance(caught.value, RefMoved)
