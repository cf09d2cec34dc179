"""Trained weights for the commands that use them: trained first where they are not at hand."""

from typing import TYPE_CHECKING

from improve_git.cli.options import typed

if TYPE_CHECKING:
    from improve_git.iteration.trial import Bench
    from improve_git.pipeline import Snapshot


def ready_weights(
    bench: "Bench",
    snapshot: "Snapshot",
    commit: str,
    took: float | None = None,
    whole: bool = False,
) -> None:
    """Train a commit's pipeline unless its trained weights are at hand.

    ``took`` is how many seconds that took when it was measured; ``whole`` says that no clock
    stopped it then.

    Raises:
        PipelineError: it cannot be trained, or not to its end as when it was measured.
    """
    from improve_git.errors import PipelineError
    from improve_git.figures import duration
    from improve_git.iteration.trial import safety_stop
    from improve_git.journal import only_run
    from improve_git.trail.history import read_history

    pipeline, say = bench.pipeline, bench.observer.say
    if pipeline.weights_file(bench.key(snapshot)).exists():
        return
    with only_run(pipeline.state):
        last = f", which took {duration(took)} when it was measured" if took else ""
        name = commit[:10]
        say(f"no trained weights of {name} are at hand for this sandbox: training{last}")
        scores = read_history(pipeline.repo).main
        if not scores:
            say(f"nothing is measured yet; to measure and improve this pipeline first: "
                f"{typed('run', pipeline.repo.folder)}")  # fmt: skip
        usual = scores[0].train_seconds if scores else None
        stop = safety_stop(snapshot.settings, usual)
        outcome = bench.train(snapshot, f"train {name}", stop)
    if outcome.status != "ok":
        detail = f"\n{outcome.detail}" if outcome.detail else ""
        raise PipelineError(
            f"{name} cannot be trained: {outcome.status}: {outcome.reason}{detail}",
            "name another commit with --rev",
        )
    if outcome.stopped_by:
        stopped = f"the training of {name} was stopped by the {outcome.stopped_by}"
        if whole:
            pipeline.weights_file(bench.key(snapshot)).unlink(missing_ok=True)
            raise PipelineError(
                f"{stopped} after {duration(outcome.seconds)}; it was not when it was measured",
                "run it again when this machine has less to do",
            )
        bench.observer.warn(f"{stopped}: more time may make it better")
