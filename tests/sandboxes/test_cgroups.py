import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from improve_git.sandboxes import cgroups
from improve_git.sandboxes.cgroups import Cgroup

MIB = 1 << 20
LABEL = "test-cgroups"


FORKS = """
import os, time
try:
    for count in range(99):
        if os.fork() == 0:
            os.closerange(0, 3)
            time.sleep(600)
except OSError as error:
    print(count, "forks, then error", error.errno)
"""


@pytest.fixture
def group() -> Iterator[Cgroup]:
    made = cgroups.make(LABEL, 64 * MIB, 16)
    if made is None:
        pytest.skip("this user may not make control groups here")
    yield made
    made.remove()


def run(group: Cgroup, program: str) -> "subprocess.CompletedProcess[str]":
    command = group.command([sys.executable, "-c", program])
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def left() -> list[Path]:
    return [folder for folder in cgroups.ROOT.rglob(f"improve-git-{LABEL}*") if folder.is_dir()]


def test_what_keeps_within_its_walls_is_not_disturbed(group: Cgroup) -> None:
    done = run(group, "import sys; print(len(sys.argv), bytearray(1 << 20)[0])")
    assert (done.returncode, done.stdout) == (0, "1 0\n")
    assert not group.out_of_memory()
    group.remove()
    assert left() == []


def test_memory_is_a_wall_and_not_watched(group: Cgroup) -> None:
    done = run(group, f"bytearray({256 * MIB}); print('through')")
    assert (done.returncode, done.stdout) == (-9, "")
    assert group.out_of_memory()


def test_tasks_are_bounded(group: Cgroup) -> None:
    done = run(group, FORKS)
    assert done.stdout == "15 forks, then error 11\n"
    group.remove()  # ends those that sleep
    assert left() == []


def test_what_a_killed_engine_left_is_cleared(group: Cgroup) -> None:
    sleeper = subprocess.Popen(group.command(["sleep", "600"]))
    while not any((folder / "cgroup.procs").read_text() for folder in left()):
        assert sleeper.poll() is None
    cgroups.clear("another")
    assert left() != []
    cgroups.clear(LABEL)
    assert left() == []
    assert sleeper.wait() == -9


def test_where_groups_may_not_be_made_there_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cgroups, "ROOT", tmp_path / "none")
    assert cgroups.make(LABEL, MIB, 1) is None
    cgroups.clear(LABEL)
