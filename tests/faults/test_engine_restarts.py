"""A real Docker engine is stopped, crashes and is started again during a training."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest
from container import Image, Watching, containers, let_train, run
from mishaps import be_busy, check_trail, work_of
from private_engine import Cannot, PrivateEngine

from improve_git.cli.ending import ending_of
from improve_git.errors import SandboxError
from real_sandboxes import BASE_IMAGE, skip_docker
from scripted import source
from worlds import BETTER, World

pytestmark = pytest.mark.docker
Worlds = Callable[..., World]
WIDER = ("model", "wider", BETTER)
LONGER = ("train", "longer", source("train", 0.3))
MERGED = (1, "merged", "accuracy 0.8000 over 0.6000 (+20.00 points)")
BOTH = [MERGED, (2, "merged", "accuracy 0.9000 over 0.8000 (+10.00 points)")]


@pytest.fixture(scope="module")
def loaded() -> Iterator[tuple[PrivateEngine, Image]]:
    """Start an engine of the tests' own, with the image that the machine's engine has built."""
    try:
        engine = PrivateEngine()
    except Cannot as why:
        skip_docker(str(why))
    try:
        machines = docker.from_env()
        try:
            if not machines.images.list(name=BASE_IMAGE):
                skip_docker(f"there is no base image {BASE_IMAGE}: run .ci/docker-engine")
            engine.start()
            image = Image(machines)
            image.build()
            try:
                client = engine.client()
                image.give_to(client)
                client.close()
            finally:
                image.delete()
        finally:
            machines.close()
        yield engine, image
    except Cannot as why:
        skip_docker(str(why))
    finally:
        engine.close()


@pytest.fixture(params=["its own socket", "a socket of systemd's"])
def engine(
    loaded: tuple[PrivateEngine, Image],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> PrivateEngine:
    """Return the engine, running, and take it for the machine's."""
    engine = loaded[0]
    if engine.process and engine.process.poll() is None:
        engine.stop()
    engine.release_socket()
    if request.param == "a socket of systemd's":
        engine.hold_socket()
    engine.start()
    monkeypatch.setenv("DOCKER_HOST", engine.address)
    return engine


@pytest.fixture
def image(loaded: tuple[PrivateEngine, Image]) -> Image:
    return loaded[1]


def test_the_engine_is_restarted_during_trainings(
    world: Worlds, engine: PrivateEngine, image: Image
) -> None:
    w = world(WIDER, LONGER)
    be_busy(w)
    before = work_of(w)
    label = w.pipeline.label

    def go_on() -> None:
        let_train(client, label)

    client = engine.client()
    run(w, image, Watching(go_on), "budget.iterations=0")  # main, in this sandbox
    faults = iter([engine.restart, engine.crash])
    for attempts, verdicts in enumerate((BOTH[:1], BOTH), 1):
        acts = iter([next(faults)])
        watching = Watching(lambda acts=acts: next(acts, go_on)())
        run(w, image, watching, f"budget.iterations={attempts}")
        assert w.verdicts() == verdicts
        assert len(watching.warnings) == 1
        assert watching.warnings[0].startswith("the sandbox failed, trying again: ")
    assert containers(client, label) == []
    assert not list(Path(tempfile.gettempdir()).glob(f"improve-git-job-{label}*"))
    assert work_of(w) == before
    check_trail(w)
    client.close()


def test_the_engine_is_stopped_during_a_training_and_stays_away(
    world: Worlds, engine: PrivateEngine, image: Image
) -> None:
    w = world(WIDER)
    label = w.pipeline.label
    client = engine.client()

    def go_on() -> None:
        let_train(client, label)

    run(w, image, Watching(go_on), "budget.iterations=0")

    def stop() -> None:
        engine.stop()
        engine.release_socket()

    with pytest.raises(SandboxError) as caught:
        run(w, image, Watching(stop))
    code, told = ending_of(caught.value)
    first, fix = told.splitlines()
    assert (code, fix) == (1, "  fix: see: improve-git doctor; then improve-git run carries on")
    assert first.startswith("error: the sandbox failed 3 times: ")
    assert w.verdicts() == [(1, "None", "")]
    with pytest.raises(SandboxError) as caught:  # and nothing is spoiled by another run
        run(w, image, Watching(stop))
    code, told = ending_of(caught.value)
    assert (code, told.splitlines()[1]) == (
        1, "  fix: start Docker, or choose sandbox=process")  # fmt: skip
    assert told.startswith("error: no Docker engine answers (")
    engine.start()
    run(w, image, Watching(go_on))
    assert w.verdicts() == [MERGED]
    assert containers(client, label) == []
    check_trail(w)
    client.close()
