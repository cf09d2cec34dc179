"""Runs of engines that are killed, each started from a process without threads or open files."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kill_worlds import KillWorld
from trail_checker import violations

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def killer() -> Callable[..., dict[str, Any]]:
    """Return what runs a world by `killer.py`, and tells what came of it."""

    def run(world: KillWorld, *words: str) -> dict[str, Any]:
        command = [sys.executable, str(HERE / "killer.py"), str(world.folder), *words]
        path = os.pathsep.join(filter(None, [str(HERE.parent), os.environ.get("PYTHONPATH")]))
        done = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, check=True,
                              stdout=subprocess.PIPE, text=True)  # fmt: skip
        report: dict[str, Any] = json.loads(done.stdout)
        assert not report["failure"], report["failure"]
        return report

    return run


@pytest.fixture(scope="session")
def check() -> Callable[..., list[str]]:
    """Return what names the violations in a world whose run is done."""

    def look(world: KillWorld, before: dict[str, str]) -> list[str]:
        plan = world.plan()
        return violations(
            world.pipeline, attempts=len(plan.moves) + len(plan.tries), before=before,
            trainings=world.trainings, temporary=world.folder / "tmp",
        )  # fmt: skip

    return look
