"""Engines that are killed around real trainings and predictions, in each real sandbox."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kill_worlds import bars_plan, make_world
from trail_checker import essence, left_running, users_work

KINDS = {
    "file rename",  # a pack is in place
    "a training begins",
    "during a training",
    "a training has ended",  # its weights are in place, the journal does not know it yet
    "half of journal trained",
    "journal trained",
    "a prediction begins",
    "during a prediction",
    "a prediction has ended",
    "half of journal result",
    "journal result",
    "git commit-tree",
    "journal landing",
    "git read-tree",
    "git update-ref",
    "half of journal landed",
    "journal landed",
    "git notes",
    "git mktree",
    "journal claim",
    "file unlink",  # weights that are no longer needed
}


@pytest.mark.torch
@pytest.mark.parametrize("sandbox", ["process", pytest.param("docker", marks=pytest.mark.docker)])
def test_killed_around_real_trainings_it_ends_as_if_nothing_had_been(
    sandbox: str,
    tmp_path: Path,
    killer: Callable[..., dict[str, Any]],
    check: Callable[..., list[str]],
) -> None:
    template = make_world(tmp_path / "template", bars_plan(sandbox))
    before = users_work(template.pipeline)
    calm, killed = template.copy(tmp_path / "calm"), template.copy(tmp_path / "killed")
    killer(calm, "never")
    report = killer(killed, *sorted(KINDS))
    hits = {line.split("\t")[0] for line in killed.hits.read_text().splitlines()}
    assert KINDS - hits == set()
    assert report["kills"] == len(KINDS)
    assert check(calm, before) == check(killed, before) == []
    assert left_running(killed.pipeline, sandbox == "docker") == []
    assert essence(killed.pipeline) == essence(calm.pipeline)
    # A training was repeated only for the five kills before the journal knew of it.
    assert len(killed.trainings.read_text().splitlines()) <= 4 + 5
