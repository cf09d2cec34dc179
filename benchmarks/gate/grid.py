"""The grid of the bank: six variants of each file, rendered by the playbook's own moves.

The digits, because a training takes half a second of one CPU, with 200 images for training so that
there is room above. The first variant of data.py and model.py is the first pipeline's. Its learning
rate, 0.002, needs 32 epochs for an accuracy of 0.90; raised three times, to 0.016, eight epochs
do. So that is the first variant of train.py, and the others start from it.

Tried by hand with two or three seeds (accuracy on val; the first: 0.892): a batch of 16 0.931, the
same with shifts 0.923, mixup 0.896, jitter 0.886, erasing 0.881; width 12 0.939, a pool of maxima
0.907, depth 2 0.904, SiLU 0.901, dropout 0.886; SGD 0.905, warm-up 0.901, label smoothing 0.897,
focal loss 0.887, half the rate 0.863; a batch of 16 and width 12 together 0.954. Left out, since
they are too far off: a batch of 64, 12 pixels, squeezing and shifted views (-10 points and more,
at half the rate), 4 epochs; autocontrast, since predicting takes four times as long.
"""

from dataclasses import replace
from pathlib import Path

from improve_git import creation
from improve_git.domain import COMPONENTS, FILES, Component, Context
from improve_git.iteration.briefing import first_context
from improve_git.pipeline import Pipeline, Snapshot
from improve_git.teams.moves import neighbours
from improve_git.teams.playbook import Playbook
from improve_git.teams.rendering import read, write

# Of 1,797 images: 200 for training, 50 for tune, 10 for test; 1,537 for val.
WORDS = (
    "data.split.tune=0.028",
    "data.split.val=0.855",
    "data.split.test=0.003",
    "epochs=8",
    "weights=[]",
    "sandbox=process",
    "sandbox.cpus=1",
)
RATE = ("learning-rate-up",) * 3  # 0.002 to 0.016
# Variant -> the playbook's moves that lead there from the first pipeline.
VARIANTS: dict[Component, dict[str, tuple[str, ...]]] = {
    "data": {
        "first": (),
        "batch-16": ("batch-size-down",),
        "batch-16-shift": ("batch-size-down", "shift-up"),
        "mixup": ("mixup-up",),
        "jitter": ("jitter-up",),
        "erasing": ("erasing-up",),
    },
    "model": {
        "first": (),
        "width-12": ("width-up",),
        "pool-maximum": ("pool-maximum",),
        "depth-2": ("depth-up",),
        "silu": ("activation-up",),
        "dropout": ("head-dropout-up",),
    },
    "train": {
        "first": RATE,
        "sgd": (*RATE, "optimizer-sgd"),
        "warmup": (*RATE, "warmup-cosine-up"),
        "smoothing": (*RATE, "label-smoothing-up"),
        "focal": (*RATE, "focal-loss-up"),
        "rate-half": (*RATE, "learning-rate-down"),
    },
}


def open_pipeline(work: Path) -> Pipeline:
    """Open the pipeline in the work folder; made where it is missing, by the playbook."""
    folder = work / "pipeline"
    if not folder.exists():
        creation.create(creation.plan("digits", folder, WORDS), lambda _: Playbook())
    return Pipeline.open(folder, WORDS)


def sources(first: Snapshot) -> dict[Component, dict[str, str]]:
    """Return the file of every variant."""
    context = first_context(first)
    return {
        component: {
            name: _moved(component, moves, context) for name, moves in VARIANTS[component].items()
        }
        for component in COMPONENTS
    }


def _moved(component: Component, slugs: tuple[str, ...], context: Context) -> str:
    """Return a component's file after so many moves, each on what the one before has left."""
    for slug in slugs:
        source = context.files[FILES[component]]
        settings = read(component, source)
        assert settings is not None
        (move,) = [m for m in neighbours(context) if (m.component, m.slug) == (component, slug)]
        source = write(component, settings | move.after)
        context = replace(context, files=context.files | {FILES[component]: source})
    return context.files[FILES[component]]
