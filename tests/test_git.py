"""Git by plumbing: real repositories, hostile settings."""

import os
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest

from improve_git import git
from improve_git.errors import GitError
from improve_git.git import ENGINE, NO_COMMIT, GitFailed, Person, RefMoved, Repository

ALICE = Person("Alice", "alice@example.org")


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    repo = Repository.create(tmp_path / "repo")
    tree = repo.write_tree(None, {"a.txt": "one\n", "b.txt": "two\n"})
    repo.update_ref("refs/heads/main", repo.commit(tree, [], "First\n", ALICE), NO_COMMIT, "test")
    repo.git("read-tree", "-m", "-u", "HEAD")
    return repo


def test_a_commit_carries_who_when_and_what(repo: Repository) -> None:
    (commit,) = repo.log("main")
    assert (commit.author, commit.parents, commit.subject) == (ALICE, (), "First")
    assert repo.git("log", "-1", "--format=%cn <%ce>") == f"{ENGINE.name} <{ENGINE.email}>"
    assert repo.read("main", "a.txt") == "one\n"
    assert sorted(repo.blobs("main")) == ["a.txt", "b.txt"]


@pytest.mark.parametrize("text", ["", "no newline", "two\n\n", "\xe9\r\n", "\udcff\n"])
def test_what_is_written_is_read_to_the_byte(repo: Repository, text: str) -> None:
    tree = repo.write_tree("main", {"c.txt": text})
    assert repo.read(tree, "c.txt") == text
    assert sorted(repo.blobs(tree)) == ["a.txt", "b.txt", "c.txt"]


def test_several_texts_are_read_at_once(repo: Repository) -> None:
    tree = repo.write_tree("main", {"empty": "", "odd": "\xe9\r\n\udcff\nx missing\n"})
    tip = repo.commit(tree, [], "odd", ALICE)
    names = ["main:a.txt", "main:none", f"{tip}:empty", f"{tip}:odd", f"{tip}:", "main:b.txt"]
    assert repo.texts(names) == ["one\n", "", "", "\xe9\r\n\udcff\nx missing\n", "", "two\n"]


def test_a_message_with_a_control_character_is_one_commit(repo: Repository) -> None:
    tip = repo.commit("main^{tree}", [], "One\n\nwith \x1e and\n\x1e\n", ALICE)
    assert [(c.sha, c.subject) for c in repo.log(tip)] == [(tip, "One")]


def test_a_log_longer_than_any_pipe_is_read_whole_or_left_early(repo: Repository) -> None:
    told, tip = [], repo.resolve("main")
    assert tip
    for number in range(40):
        told.append(f"Number {number}\n\n{chr(0xE9) * (number * 3001 % 70_000)}\n")
        tip = repo.commit(f"{tip}^{{tree}}", [tip], told[-1], ALICE)
    assert [commit.message for commit in repo.log(tip)] == [*told[::-1], "First\n"]
    reading = repo.commits(tip)
    assert next(reading).message == told[-1]
    reading.close()  # type: ignore[attr-defined]


def test_a_log_that_breaks_off_is_a_failure(repo: Repository) -> None:
    first = repo.resolve("main")
    assert first
    tip = repo.commit(f"{first}^{{tree}}", [first], "Second\n", ALICE)
    (repo.common_dir() / "objects" / first[:2] / first[2:]).unlink()
    reading = repo.commits("--topo-order", "--no-walk", tip, first)
    with pytest.raises(GitFailed, match=f"git log .* failed: .*{first}"):
        list(reading)


def test_a_git_that_complains_at_length_is_heard_to_the_end(
    repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text(
        "#!/bin/sh\nhead -c 300000 /dev/zero | tr '\\0' x >&2\n"
        "printf 'sha\\0\\0tree\\0A\\0a@b\\0date\\0Said\\0'\necho '\nfatal: the end' >&2\nexit 3\n"
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    reading = repo.commits()
    assert next(reading).subject == "Said"
    with pytest.raises(GitFailed, match="fatal: the end"):
        next(reading)


def test_the_users_index_is_not_touched_by_writing_a_tree(repo: Repository) -> None:
    (repo.folder / "a.txt").write_text("staged\n")
    repo.git("add", "a.txt")
    before = repo.git("status", "--porcelain")
    repo.write_tree("main", {"a.txt": "other\n"})
    assert repo.git("status", "--porcelain") == before == "M  a.txt"


def test_writing_a_tree_leaves_modes_folders_and_nothing_temporary(
    repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "empty"))
    (tmp_path / "empty").chmod(0o500)  # root may write there all the same
    (repo.folder / "deep").mkdir()
    (repo.folder / "deep" / "c.txt").write_text("three\n")
    (repo.folder / "a.txt").chmod(0o755)
    (repo.folder / "d.txt").symlink_to("a.txt")
    repo.git("add", ".")
    base = repo.git("write-tree")
    tree = repo.write_tree(base, {"a.txt": "other\n"})
    assert [line.split()[0] for line in repo.git("ls-tree", "-r", tree).splitlines()] == [
        "100755", "100644", "120000", "100644",
    ]  # fmt: skip
    assert repo.git("diff-tree", "-r", "--name-only", base, tree) == "a.txt"
    assert list((tmp_path / "empty").iterdir()) == []
    with pytest.raises(ValueError, match="not at the top"):
        repo.write_tree(base, {"deep/c.txt": "other\n"})


def test_a_reference_moves_only_from_the_expected_value(repo: Repository) -> None:
    main = repo.resolve("main")
    assert main
    other = repo.commit("main^{tree}", [main], "Other\n", ALICE)
    with pytest.raises(RefMoved):
        repo.update_ref("refs/heads/main", other, other, "wrong")
    with pytest.raises(RefMoved):
        repo.update_ref("refs/heads/main", other, NO_COMMIT, "must not exist")
    assert repo.resolve("main") == main


def test_hooks_signing_and_identity_of_the_user_are_neither_run_nor_used(
    repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("reference-transaction", "pre-commit", "commit-msg", "post-index-change"):
        hook = hooks / name
        hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran-{name}\nexit 1\n")
        hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
    config = tmp_path / "gitconfig"
    config.write_text(
        f"[core]\n hooksPath = {hooks}\n autocrlf = true\n[commit]\n gpgSign = true\n"
        "[gpg]\n program = false\n[user]\n name = Somebody\n email = s@example.org\n"
        "[log]\n showSignature = true\n[core]\n quotePath = true\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Intruder")
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "elsewhere"))
    main = repo.resolve("main") or ""
    tree = repo.write_tree(main, {"crlf.txt": "a\r\nb\n"})
    tip = repo.commit(tree, [main], "Second\n", ALICE)
    repo.update_ref("refs/heads/main", tip, main, "test")
    assert repo.read("main", "crlf.txt") == "a\r\nb\n"
    assert [c.author for c in repo.log("main")] == [ALICE, ALICE]
    assert not list(tmp_path.glob("ran-*"))
    assert not (tmp_path / "elsewhere").exists()


def test_git_dir_of_a_calling_hook_does_not_lead_astray(
    repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    assert repo.resolve("main")


def test_notes_hold_a_blob_for_a_commit(repo: Repository) -> None:
    assert repo.notes() == {}
    main = repo.resolve("main") or ""
    blob = repo.write_blob(b"{}\n")
    repo.add_note(main, blob)
    repo.add_note(main, blob)
    assert repo.notes() == {main: blob}
    assert repo.git("notes", "--ref", "improve", "show", main) == "{}"


def test_work_trees_of_a_branch(repo: Repository, tmp_path: Path) -> None:
    repo.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    assert repo.work_trees("main") == [repo.folder]
    assert repo.work_trees("side") == [tmp_path / "side"]
    bare = tmp_path / "bare.git"
    repo.git("clone", "-q", "--bare", str(repo.folder), str(bare))
    assert Repository(bare).work_trees("main") == []


def test_top_level_of_a_repository_a_bare_one_and_none(repo: Repository, tmp_path: Path) -> None:
    (repo.folder / "deep").mkdir()
    bare = tmp_path / "bare.git"
    repo.git("clone", "-q", "--bare", str(repo.folder), str(bare))
    assert git.top_level(repo.folder / "deep") == repo.folder
    assert git.top_level(bare / "refs") == bare
    assert git.top_level(tmp_path) is None


def test_an_old_or_missing_git_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "git"
    fake.write_text("#!/bin/sh\necho git version 2.20.1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitError, match=r"2\.20\.1 is too old\n  fix: install Git 2\.31"):
        git.require_git()
    fake.unlink()
    with pytest.raises(GitError, match="Git is not installed"):
        git.require_git()


def test_a_failure_names_the_command_and_what_git_said(repo: Repository) -> None:
    with pytest.raises(GitFailed) as caught:
        repo.git("cat-file", "blob", "main:none")
    assert "git cat-file blob main:none failed: " in caught.value.message
    assert "none" in caught.value.stderr


def test_a_folder_of_somebody_else_names_the_way_out(tmp_path: Path) -> None:
    if os.getuid():
        pytest.skip("needs root to give a folder away")
    repo = Repository.create(tmp_path / "theirs")
    subprocess.run(["chown", "-R", "12345", str(repo.folder)], check=True)
    with pytest.raises(GitError, match=r"safe\.directory"):
        git.top_level(repo.folder)
