"""make demo: what it does the second time."""

import os
import shutil
import subprocess
from pathlib import Path

MAKEFILE = Path(__file__).parents[1] / "Makefile"
STUB = """#!/bin/sh
echo "improve-git $*"
case "$1" in init) git init -q demo && git -C demo commit -q --allow-empty -m First ;; esac
"""


def demo(folder: Path) -> list[str]:
    command = ["make", "--no-print-directory", "-o", "install", "demo", "BIN=bin"]
    plain = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}  # of make test
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=True, env=plain
    )
    return [line for line in done.stdout.splitlines() if not line.startswith(("bin/", "git", "t"))]


def test_a_demo_that_was_interrupted_goes_on(tmp_path: Path) -> None:
    shutil.copy(MAKEFILE, tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "improve-git").write_text(STUB)
    (tmp_path / "bin" / "improve-git").chmod(0o755)
    first = demo(tmp_path)
    assert first[:2] == [
        "improve-git init digits demo", "improve-git run -C demo budget.iterations=8",
    ]  # fmt: skip
    assert demo(tmp_path) == [
        "demo/ is there: going on with it; for a new one: rm -r demo", *first[1:],
    ]  # fmt: skip
