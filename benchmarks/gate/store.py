"""The bank on disk: about.json once, and one file for each cell and seed, written atomically.

    from store import load
    bank = load(Path("build/gate"))
    bank.logits        # float32 (seeds, data, model, train, images, classes), NaN where untrained
    bank.there         # bool (seeds, data, model, train): what is trained
    bank.labels        # int64 (images,); images in the order of their content hashes
    bank.variants      # {"data": ["first", ...], "model": [...], "train": [...]}: the axes' names

A file is ``bank/seed-3/first.squeeze.sgd.npz`` with ``logits`` (float32, images by classes),
``tune_accuracy`` (as the training reported it last) and ``seconds`` (of the training alone).
"""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from improve_git.files import write_atomically

Cell = tuple[str, str, str]  # names of the variants of data, model and train


@dataclass(frozen=True)
class Bank:
    """All of a bank in memory; the axes of cells are those of data, model and train."""

    variants: dict[str, list[str]]
    seeds: list[int]
    labels: NDArray[np.int64]
    logits: NDArray[np.float32]
    there: NDArray[np.bool_]
    tune_accuracy: NDArray[np.float64]

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each image is classified rightly: (seeds, data, model, train, images)."""
        right: NDArray[np.bool_] = self.logits.argmax(axis=-1) == self.labels
        return right & self.there[..., None]


def place(work: Path, cell: Cell, seed: int) -> Path:
    """Return the file of a cell and seed."""
    return work / "bank" / f"seed-{seed}" / f"{'.'.join(cell)}.npz"


def save(
    file: Path, logits: NDArray[np.float32], tune_accuracy: float | None, seconds: float
) -> None:
    """Write the file of a cell and seed."""
    content = io.BytesIO()
    told = np.nan if tune_accuracy is None else tune_accuracy
    np.savez(content, logits=logits, tune_accuracy=told, seconds=seconds)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, content.getvalue())


def note(work: Path, about: dict[str, Any]) -> None:
    """Write what the bank is made of; SystemExit where another bank is there."""
    file = work / "bank" / "about.json"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, json.dumps(about, indent=1))
    known = json.loads(file.read_text())
    differs = [name for name in known | about if known.get(name) != about.get(name)]
    if differs:
        raise SystemExit(
            f"{file} tells of another bank ({', '.join(differs)}): name another --work"
        )


def load(work: Path) -> Bank:
    """Read a bank, which may be half-filled."""
    about = json.loads((work / "bank" / "about.json").read_text())
    variants = {component: list(of) for component, of in about["variants"].items()}
    labels = np.array(about["labels"], dtype=np.int64)
    folders = sorted((work / "bank").glob("seed-*"), key=lambda folder: int(folder.name[5:]))
    seeds = [int(folder.name[5:]) for folder in folders]
    shape = (len(seeds), *(len(names) for names in variants.values()))
    logits = np.full((*shape, len(labels), len(about["classes"])), np.nan, np.float32)
    there = np.zeros(shape, np.bool_)
    tune = np.full(shape, np.nan)
    for at in np.ndindex(*shape):
        names = [names[i] for names, i in zip(variants.values(), at[1:], strict=True)]
        file = place(work, (names[0], names[1], names[2]), seeds[at[0]])
        if file.exists():
            with np.load(file) as content:
                logits[at], tune[at] = content["logits"], content["tune_accuracy"]
            there[at] = True
    return Bank(variants, seeds, labels, logits, there, tune)
