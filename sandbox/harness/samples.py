"""Reads packs: images decoded on access, labels where the pack has them.

Works in worker processes, forked or spawned: each opens the files by itself.
"""

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from PIL import Image


class Sample:
    """One image of a pack."""

    __slots__ = ("_pack", "group", "index", "label")

    def __init__(self, pack: "Samples", index: int) -> None:
        self._pack = pack
        self.index = index  # its place in the pack; means nothing else
        self.label = pack.labels[index] if pack.labels is not None else None
        self.group = pack.groups[index] if pack.groups is not None else -1  # -1: of no group

    @property
    def image(self) -> Image.Image:
        """The image as RGB, decoded anew at each access."""
        return self._pack.image(self.index)


class Samples(Sequence[Sample]):
    """The samples of one pack."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        about = json.loads((folder / "pack.json").read_text())
        self._count = int(about["count"])
        self._kind = about["kind"]
        self.labels: list[int] | None = None
        self.groups: list[int] | None = None
        if about["labelled"]:
            self.labels = np.load(folder / "labels.npy").tolist()
            self.groups = np.load(folder / "groups.npy").tolist()
        self._open()

    def _open(self) -> None:
        if self._kind == "array":
            self._images = np.load(self._folder / "images.npy", mmap_mode="r")
        else:
            self._offsets = np.load(self._folder / "offsets.npy")
            empty = self._offsets[-1] == 0
            self._images = (
                np.zeros(0, np.uint8)
                if empty
                else np.memmap(self._folder / "images.bin", np.uint8, mode="r")
            )

    def image(self, index: int) -> Image.Image:
        """Decode one image."""
        if self._kind == "array":
            return Image.fromarray(self._images[index])
        data = self._images[self._offsets[index] : self._offsets[index + 1]].tobytes()
        with Image.open(io.BytesIO(data)) as image:
            return image.convert("RGB")

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> list[Sample]: ...
    def __getitem__(self, index: int | slice) -> Sample | list[Sample]:
        """Return one sample, or a list for a slice."""
        places = range(self._count)[index]
        if isinstance(places, range):
            return [Sample(self, place) for place in places]
        return Sample(self, places)

    def __iter__(self) -> Iterator[Sample]:
        return (Sample(self, place) for place in range(self._count))

    def __getstate__(self) -> dict[str, Any]:
        """Pickle without the open files."""
        return {k: v for k, v in self.__dict__.items() if k not in ("_images", "_offsets")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()
