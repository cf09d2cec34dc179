"""The supervisor alone, around small pieces of work: whatever they do, nothing is left."""

import platform
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
PRELUDE = f"""
import os, signal, sys, time
sys.path.append({str(ROOT / "sandbox")!r})
from harness.supervisor import supervise
"""
ORPHAN = """
def orphan():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(100)
        os._exit(0)
"""
# One bytecode that holds the interpreter's lock for very long.
HOLD_LOCK = "pow(3, 10**8)"


def start(work: str) -> "subprocess.Popen[bytes]":
    program = f"{PRELUDE}{ORPHAN}\ndef work(out):\n{work}\nsupervise(work)\n"
    command = [sys.executable, "-c", program]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def descendants(process: "subprocess.Popen[bytes]", count: int) -> list[psutil.Process]:
    """Wait until there are so many descendants; the supervisor adopts the orphans."""
    deadline = time.monotonic() + 10
    found: list[psutil.Process] = []
    while len(found) < count and time.monotonic() < deadline:
        found = psutil.Process(process.pid).children(recursive=True)
    assert len(found) >= count
    return found


@pytest.mark.parametrize(
    ("work", "code"),
    [
        (" pass", 0),
        (" os._exit(3)", 3),
        (" sys.exit(4)", 4),
        (" raise KeyError", 1),
        (" os.kill(os.getpid(), signal.SIGSEGV)", 128 + 11),
        # Never 128 + 9, which is what an engine that kills the supervisor tells of it.
        (" os.kill(os.getpid(), signal.SIGKILL)", 253),
        (" os._exit(128 + 9)", 253),
        (" orphan(); time.sleep(0.2)", 0),
    ],
)
def test_the_exit_code_is_the_work_s(work: str, code: int) -> None:
    with start(work) as process:
        assert process.wait(20) == code


def test_prints_go_to_standard_error_and_frames_to_standard_output() -> None:
    with start(
        " print('hello', flush=True); os.write(1, b' you'); os.write(out, b'frame')"
    ) as process:
        assert process.wait(20) == 0  # communicate() would close standard input, which ends it
        assert process.stdout and process.stderr
        out, err = process.stdout.read(), process.stderr.read()
    assert (out, err) == (b"frame", b"hello\n you")


@pytest.mark.parametrize("work", [" orphan(); time.sleep(100)", f" orphan(); {HOLD_LOCK}"])
def test_the_end_of_standard_input_ends_everything(work: str) -> None:
    with start(work) as process:
        found = descendants(process, 2)
        process.stdin.close()  # type: ignore[union-attr]
        assert process.wait(10) == 130
        gone, alive = psutil.wait_procs(found, timeout=5)
    assert (len(gone), alive) == (len(found), [])


READ_KEYS = """
import ctypes
libc = ctypes.CDLL(None)
def keys():
    found = (ctypes.c_int32 * 64)()
    size = libc.syscall(250, 11, -3, found, ctypes.sizeof(found), 0)
    return list(found[:max(0, size) // 4])
mine = libc.syscall(248, b"user", b"improve-git-test", b"secret", 6, -3)
"""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers of system calls differ")
def test_the_engine_s_keyring_is_not_inherited() -> None:
    work = "def work(out):\n os.write(out, str(mine in keys()).encode())\n"
    before = "print(mine in keys(), flush=True)\n"
    program = f"{PRELUDE}{READ_KEYS}{before}{work}supervise(work)\n"
    done = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE)  # fmt: skip
    with done as process:
        assert process.wait(20) == 0
        assert process.stdout
        said = process.stdout.read().split()
    if said[0] == b"False":
        pytest.skip("this machine keeps no keys")
    assert said == [b"True", b"False"]
