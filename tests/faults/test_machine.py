"""What machines do: full and read-only disks, clocks that jump, memory that runs out."""

import errno
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mishaps import Call, be_busy, check_trail, user, work_of

from improve_git import git
from improve_git.cli.ending import ending_of
from improve_git.journal import Journal
from improve_git.trail.history import read_history
from scripted import source
from worlds import BETTER, World, meanwhile, world_at

Worlds = Callable[..., World]
WIDER = ("model", "wider", BETTER)
LONGER = ("train", "longer", source("train", 0.3))
MERGED = (1, "merged", "accuracy 0.8000 over 0.6000 (+20.00 points)")
BOTH = [MERGED, (2, "merged", "accuracy 0.9000 over 0.8000 (+10.00 points)")]


# Disks


class Disk:
    """A small file system of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self) -> None:
        """Leave not a byte free."""
        with (self.folder / "ballast").open("ab", buffering=0) as file:
            for size in (1 << 16, 1 << 12, 1):
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError as error:
                    assert error.errno == errno.ENOSPC

    def free(self) -> None:
        (self.folder / "ballast").unlink(missing_ok=True)

    def remount(self, how: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", str(self.folder)], check=True)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    (folder / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "tmp"))
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


WRITING = {"hash-object", "read-tree", "update-index", "write-tree", "commit-tree", "update-ref",
           "notes"}  # fmt: skip


def before_each_write(patch: pytest.MonkeyPatch, w: World, act: Callable[[int, str], None]) -> None:
    """Have something done before each write of a run: Git's, the journal's, the sandbox's."""
    numbers = itertools.count()
    run_git, append = git.Repository.git, Journal.append

    def git_(self: git.Repository, *command: str, **more: object) -> str:
        if command[0] in WRITING and "list" not in command:
            act(next(numbers), f"git {command[0]}")
        return run_git(self, *command, **more)  # type: ignore[arg-type]

    def append_(self: Journal, event: str, **fields: object) -> None:
        act(next(numbers), f"journal: {event}")
        append(self, event, **fields)

    patch.setattr(git.Repository, "git", git_)
    patch.setattr(Journal, "append", append_)
    w.sandbox.before_training = lambda: act(next(numbers), "weights")


def test_the_disk_is_full_at_each_write(
    world: Worlds, disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calm = world(WIDER)
    fresh = tmp_path / "fresh"
    shutil.copytree(calm.pipeline.repo.folder, fresh, symlinks=True)
    writes: list[str] = []
    with monkeypatch.context() as patch:
        before_each_write(patch, calm, lambda _, what: writes.append(what))
        calm.run()
    assert {what.removeprefix("journal: ") for what in writes} >= {
        "git update-ref", "git read-tree", "git notes", "weights", "claim", "trained", "result",
        "landing", "landed"}  # fmt: skip

    folder = disk.folder / "pipeline"
    for step, what in enumerate(writes):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(fresh, folder, symlinks=True)
        w = world_at(folder, [WIDER])
        be_busy(w)
        before = work_of(w)
        failure: BaseException | None = None
        with monkeypatch.context() as patch:
            before_each_write(
                patch, w, lambda at, _, step=step: disk.fill() if at == step else None
            )
            try:
                w.run()
            except Exception as error:  # noqa: BLE001 - all are looked at
                failure = error
        disk.free()
        where = f"write {step}: {what}"
        if failure:  # a lock file needs no block, so that not every write fails
            code, told = ending_of(failure)
            assert (code, len(told.splitlines())) == (1, 2), f"{where}: {told}"
            assert "disk" in told.splitlines()[1] or "space" in told, f"{where}: {told}"
        w.run()
        assert w.verdicts() == [MERGED], where
        assert [c.subject for c in w.pipeline.repo.log("main")] == [
            c.subject for c in calm.pipeline.repo.log("main")], where  # fmt: skip
        assert len(w.sandbox.trained) <= 2, where
        assert (folder / "model.py").read_text() == BETTER, where
        assert work_of(w) == before, where
        assert not list((disk.folder / "tmp").iterdir()), where
        check_trail(w)


def test_a_read_only_file_system_can_be_read_and_says_so(
    world: Worlds, call: Call, disk: Disk
) -> None:
    w = world(WIDER, LONGER, folder=disk.folder / "pipeline")
    w.run("budget.iterations=1")
    disk.remount("ro")
    for command in (["status"], ["log"], ["show", "1"]):
        assert call(*command, "-C", w.pipeline.repo.folder).code == 0
    said = call("run", "-C", w.pipeline.repo.folder, w=w)
    assert said.code == 1
    assert said.err.splitlines()[0].startswith("error: the file system is read-only: ")
    assert said.err.splitlines()[1] == (
        "  fix: make it writable, then the same command again: it carries on"
    )
    disk.remount("rw")
    assert call("run", "-C", w.pipeline.repo.folder, w=w).code == 0
    assert w.verdicts() == BOTH
    check_trail(w)


# The clock


@pytest.mark.parametrize("jump", [-10 * 365 * 86400, 10 * 365 * 86400])
def test_the_clock_jumps(
    world: Worlds, call: Call, monkeypatch: pytest.MonkeyPatch, jump: int
) -> None:
    seconds = itertools.count(1_700_000_000)
    skew = [0]
    monkeypatch.setattr(git.process, "now", lambda: f"{next(seconds) + skew[0]} +0000")
    monkeypatch.setattr("time.time", lambda: float(next(seconds) + skew[0]))
    more = [("train", f"more-{n}", source("train", 0.2 + n / 20)) for n in range(1, 5)]
    w = world(WIDER, *more)
    meanwhile(w, 2, lambda: skew.__setitem__(0, jump))
    w.run("budget.iterations=3")
    first = w.pipeline.repo.resolve("main^{/Measure the baseline}") or ""
    w.run()
    assert [v for _, v, _ in w.verdicts()] == ["merged"] * 5
    scores = [s.score for s in read_history(w.pipeline.repo).main]
    assert scores == sorted(scores)
    assert w.pipeline.repo.is_ancestor(first, "main")
    assert not w.pipeline.repo.is_ancestor("main", first)
    assert len(w.sandbox.trained) == 5
    assert call("status", "-C", w.pipeline.repo.folder).code == 0
    assert call("log", "-C", w.pipeline.repo.folder).code == 0
    check_trail(w)


# Memory


EXHAUST = """
import os, sys
from pathlib import Path
cgroup, folder, tests = sys.argv[1:]
sys.path.insert(0, tests)
from improve_git.journal import only_run
from scripted import source
from worlds import BETTER, meanwhile, world_at

Path(cgroup, "cgroup.procs").write_text(str(os.getpid()))
w = world_at(Path(folder), [("model", "wider", BETTER), ("train", "longer", source("train", 0.3))])
hoard = []
def exhaust():
    while True:
        hoard.append(b"x" * (1 << 24))
meanwhile(w, 2, exhaust)
with only_run(w.pipeline.state):
    w.run()
"""
LIMIT = 400 << 20


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """Make a memory cgroup, of the first version or the second."""
    top = Path("/sys/fs/cgroup")
    old = (top / "memory").is_dir()
    folder = (top / "memory" if old else top) / f"improve-git-test-{os.getpid()}"
    limits = (
        ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"]
        if old
        else ["memory.max", "memory.swap.max"]
    )
    try:
        folder.mkdir()
        (folder / limits[0]).write_text(str(LIMIT))
    except OSError as error:
        if folder.is_dir():
            folder.rmdir()
        pytest.skip(f"no memory cgroup can be made here: {error}")
    if (folder / limits[1]).exists():
        (folder / limits[1]).write_text(str(LIMIT) if old else "0")
    yield folder
    folder.rmdir()


def test_the_memory_runs_out_under_the_engine(world: Worlds, cgroup: Path) -> None:
    w = world(WIDER, LONGER)
    be_busy(w)
    before = work_of(w)
    tests = str(Path(__file__).parents[1])
    killed = subprocess.run(
        [sys.executable, "-c", EXHAUST, str(cgroup), str(w.pipeline.repo.folder), tests],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert killed.returncode == -9, killed.stderr
    assert [v for _, v, _ in w.verdicts()] == ["merged", "None"]
    w.run()
    assert w.verdicts() == BOTH
    assert len(w.sandbox.trained) == 1
    assert work_of(w) == before
    (w.pipeline.state / "lock.holder").unlink()  # World.run takes no lock
    check_trail(w)


STARVE = """
import os, sys
from dataclasses import replace
from pathlib import Path
cgroup, folder, tests = sys.argv[1:]
sys.path.insert(0, tests)
import pipelines
from improve_git.sandboxes.base import Limits, TrainJob
from improve_git.sandboxes.process import ProcessSandbox

Path(cgroup, "cgroup.procs").write_text(str(os.getpid()))
folder = Path(folder)
pipelines.write_packs(folder / "packs")
greedy = {**pipelines.FILES, "train.py": "HOARD = []\\n" + pipelines.TRAIN.replace(
    "for epoch", "while True:\\n        HOARD.append(b'x' * (1 << 24))\\n    for epoch")}
job = TrainJob(greedy, folder / "packs", pipelines.spec(), (),
               Limits(300, 8 << 30, 200, 1 << 24, 1 << 26, 1 << 26, 1),
               "test-starve", folder / "weights")
sandbox = ProcessSandbox("none")
for job in (job, replace(job, limits=replace(job.limits, memory_bytes=1 << 30)),
            replace(job, files=pipelines.FILES)):
    outcome = sandbox.train(job)
    print(f"{outcome.status}: {outcome.reason}")
"""


@pytest.mark.torch
def test_the_machines_memory_runs_out_under_a_candidate(cgroup: Path, tmp_path: Path) -> None:
    limit = str(1800 << 20)
    for name in ("memory.max", "memory.memsw.limit_in_bytes", "memory.limit_in_bytes"):
        if (cgroup / name).exists():
            (cgroup / name).write_text(limit)
    tests = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", STARVE, str(cgroup), str(tmp_path), tests],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr  # the engine lives on
    machines, own, fits = done.stdout.splitlines()
    assert machines == (
        "sandbox-error: the machine's memory ran out, and the kernel ended it below its own limit: "
        "end other programs, or lower sandbox.memory"
    )
    assert own.startswith("out-of-memory: ")
    assert fits == "ok: "


def test_a_full_memory_is_no_bug() -> None:
    assert ending_of(MemoryError()) == (
        1,
        "error: the memory is used up\n"
        "  fix: end other programs, then the same command again: it carries on",
    )


# What others leave behind


def test_a_stale_lock_of_gits_is_named(world: Worlds, call: Call) -> None:
    w = world(WIDER)
    lock = w.pipeline.repo.folder / ".git" / "index.lock"
    meanwhile(w, 1, lock.touch)
    said = call("run", "-C", w.pipeline.repo.folder, w=w)
    assert said.code == 1
    assert str(lock) in said.err.splitlines()[0]
    assert said.err.splitlines()[1:] == [
        "  fix: another Git command is running; if none is, delete the lock file that is named"
    ]
    assert (w.pipeline.repo.folder / "model.py").read_text() == source("model", 0.2)
    lock.unlink()
    assert call("run", "-C", w.pipeline.repo.folder, w=w).code == 0
    assert w.verdicts() == [MERGED]
    assert len(w.sandbox.trained) == 1
    assert user(w, "status", "--porcelain") == ""
    check_trail(w)
