"""Docker's engine goes away during a training and comes back; its image is deleted."""

from collections.abc import Callable, Iterator

import docker
import pytest
from container import Image, Line, Watching, containers, let_train, run
from mishaps import be_busy, check_trail, work_of

from improve_git.errors import SandboxError
from improve_git.trail.history import read_history
from real_sandboxes import require_base_image
from scripted import source
from worlds import BETTER, World

pytestmark = pytest.mark.docker
Worlds = Callable[..., World]
WIDER = ("model", "wider", BETTER)
LONGER = ("train", "longer", source("train", 0.3))
MERGED = (1, "merged", "accuracy 0.8000 over 0.6000 (+20.00 points)")
BOTH = [MERGED, (2, "merged", "accuracy 0.9000 over 0.8000 (+10.00 points)")]


@pytest.fixture
def client() -> Iterator[docker.DockerClient]:
    require_base_image()
    client = docker.from_env()
    try:
        yield client
    finally:
        client.close()


@pytest.fixture
def image(client: docker.DockerClient) -> Iterator[Image]:
    image = Image(client)
    image.build()
    try:
        yield image
    finally:
        image.delete()


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    line = Line()
    monkeypatch.setenv("DOCKER_HOST", line.address)
    try:
        yield line
    finally:
        line.close()


def test_the_engine_goes_away_during_a_training(
    world: Worlds, client: docker.DockerClient, image: Image, line: Line
) -> None:
    w = world(WIDER, LONGER)
    be_busy(w)
    before = work_of(w)
    label = w.pipeline.label

    def go_on() -> None:
        let_train(client, label)

    # Main is measured anew in this sandbox; then the engine is away for a moment.
    run(w, image, Watching(go_on), "budget.iterations=0")
    away = iter([line.cut])

    def at_first_cut() -> None:
        next(away, go_on)()

    watching = Watching(at_first_cut)
    watching.after_warning = line.mend
    run(w, image, watching, "budget.iterations=1")
    assert w.verdicts() == [MERGED]
    assert len(watching.warnings) == 1
    assert watching.warnings[0].startswith("the sandbox failed, trying again: ")
    # Now it stays away: nothing counts against the candidate.
    watching = Watching(line.cut)
    with pytest.raises(SandboxError, match="the sandbox failed 3 times: ") as caught:
        run(w, image, watching)
    assert caught.value.fix == "see: improve-git doctor; then improve-git run carries on"
    assert w.verdicts() == [MERGED, (2, "None", "")]
    with pytest.raises(SandboxError, match="no Docker engine answers"):
        run(w, image, watching)
    line.mend()
    run(w, image, Watching(go_on))
    assert w.verdicts() == BOTH
    assert containers(client, label) == []
    assert work_of(w) == before
    check_trail(w)


def test_the_image_is_deleted_after_a_training(
    world: Worlds, client: docker.DockerClient, image: Image
) -> None:
    w = world(WIDER)
    label = w.pipeline.label

    def go_on() -> None:
        let_train(client, label)

    run(w, image, Watching(go_on), "budget.iterations=0")
    deleting = Watching(go_on)  # while a container runs on it, Docker does not let it go
    deleting.after_training = image.delete
    with pytest.raises(SandboxError, match=r"the sandbox's image improve-git-sandbox:.* was "
                       "deleted") as caught:  # fmt: skip
        run(w, image, deleting)
    assert caught.value.fix == (
        "improve-git run builds it again, measures main on it, and carries on"
    )
    assert w.verdicts() == [(1, "None", "")]
    image.build()
    run(w, image, Watching(go_on))
    assert w.verdicts() == [MERGED]
    assert [s.verdict for s in read_history(w.pipeline.repo).main] == [
        "baseline", "measured", "measured", "merged"]  # fmt: skip
    assert containers(client, label) == []
    check_trail(w)
