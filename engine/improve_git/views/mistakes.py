"""The val images that main gets wrong, by what they are taken for; a few of each as pictures."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mode
from typing import TYPE_CHECKING

from improve_git.errors import DataError
from improve_git.pipeline import Pipeline
from improve_git.trail import recorded
from improve_git.trail.history import FETCH_NOTES, Scored, read_record

if TYPE_CHECKING:
    from improve_git.datasets.dataset import Entry

MOST_KINDS = 12  # of mistakes; of more, the most frequent
MOST_IMAGES = 6  # of a kind
_SIDE = 112  # pixels


@dataclass(frozen=True)
class Kind:
    """The images of one class that are taken for another."""

    label: str
    answer: str
    images: int
    thumbnails: tuple[str, ...]  # data: URIs of some of them


@dataclass(frozen=True)
class Mistakes:
    """All that is known of what main gets wrong."""

    wrong: int
    images: int  # of val
    seeds: int  # whose answers these are
    kinds: tuple[Kind, ...]
    missing: str  # why there are no pictures; empty where there are


def mistakes(pipeline: Pipeline, main: Scored) -> Mistakes:
    """Return what main gets wrong, by the answers that its record holds.

    An image's answer is that of most of the seeds. Every file is checked against the hash in
    dataset.json before it is shown.
    """
    record = read_record(pipeline.repo, main.trailers.get("Record"))
    try:
        snapshot = pipeline.snapshot(main.commit)
    except DataError as error:
        return Mistakes(0, 0, 0, (), str(error))
    data_set = snapshot.data_set
    val = data_set.part("val")
    runs = recorded.trainings(record, "accuracy", len(val), len(data_set.classes))
    if record is None or runs is None or record.get("dataset") != data_set.fingerprint:
        lacks = f"the answers are not in this clone; fetch them: {FETCH_NOTES}"
        return Mistakes(0, len(val), 0, (), lacks)
    answers = [mode(given) for given in zip(*(run.predicted for run in runs.values()), strict=True)]
    kinds: dict[tuple[int, int], list[Entry]] = {}
    for entry, answer in zip(val, answers, strict=True):
        if answer != entry.label:
            kinds.setdefault((entry.label, answer), []).append(entry)
    root, missing = _root(pipeline, main.commit)
    frequent = sorted(kinds.items(), key=lambda kind: -len(kind[1]))[:MOST_KINDS]
    return Mistakes(
        wrong=sum(map(len, kinds.values())),
        images=len(val),
        seeds=len(runs),
        kinds=tuple(
            Kind(
                label=data_set.classes[label],
                answer=data_set.classes[answer],
                images=len(entries),
                thumbnails=_thumbnails(root, entries) if root else (),
            )
            for (label, answer), entries in frequent
        ),
        missing=missing,
    )


def _root(pipeline: Pipeline, commit: str) -> tuple[Path | None, str]:
    """Return where the images are, or why that is not known."""
    from improve_git.datasets.store import images_root

    try:
        return images_root(pipeline.snapshot(commit).settings.data, pipeline.state), ""
    except DataError as error:
        return None, f"{error.message}; to show them: improve-git report data.images=FOLDER"


def _thumbnails(root: Path, entries: Sequence["Entry"]) -> tuple[str, ...]:
    from improve_git.datasets.drawing import read_image

    found = []
    for entry in entries:
        image = read_image(root / entry.path, entry.sha256, _SIDE)
        if image is not None:
            buffer = io.BytesIO()
            image.save(buffer, "JPEG", quality=80)
            found.append(data_uri("image/jpeg", buffer.getvalue()))
        if len(found) == MOST_IMAGES:
            break
    return tuple(found)


def data_uri(kind: str, content: bytes) -> str:
    """Return content as an address that carries it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
