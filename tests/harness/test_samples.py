import io
import json
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pipelines

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def harness_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT / "sandbox")])


def encoded_pack(folder: Path, images: list[Image.Image]) -> None:
    folder.mkdir()
    pieces = []
    for image in images:
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        pieces.append(buffer.getvalue())
    (folder / "images.bin").write_bytes(b"".join(pieces))
    np.save(folder / "offsets.npy", np.cumsum([0, *map(len, pieces)]).astype(np.int64))
    about = {"format": 1, "count": len(images), "kind": "encoded", "labelled": False}
    (folder / "pack.json").write_text(json.dumps(about))


def read(folder: Path) -> Any:
    from harness.samples import Samples

    return Samples(folder)


def test_an_array_pack_with_labels(tmp_path: Path) -> None:
    pipelines.write_pack(tmp_path / "train", 5, 0, labelled=True)
    images, labels = pipelines.make_images(5, 0)
    for samples in (read(tmp_path / "train"), pickle.loads(pickle.dumps(read(tmp_path / "train")))):
        assert len(samples) == 5
        assert [sample.label for sample in samples] == labels.tolist()
        assert [(sample.index, sample.group) for sample in samples[1:3]] == [(1, -1), (2, -1)]
        assert samples[-1].image.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(samples[-1].image), images[4])
        with pytest.raises(IndexError):
            samples[5]


def test_an_encoded_pack_without_labels(tmp_path: Path) -> None:
    images = [Image.new("RGB", (4, 3), "red"), Image.new("L", (2, 2), 7)]
    encoded_pack(tmp_path / "val", images)
    for samples in (read(tmp_path / "val"), pickle.loads(pickle.dumps(read(tmp_path / "val")))):
        assert [sample.label for sample in samples] == [None, None]
        assert [sample.image.size for sample in samples] == [(4, 3), (2, 2)]
        assert samples[1].image.getpixel((0, 0)) == (7, 7, 7)


def test_an_empty_pack(tmp_path: Path) -> None:
    encoded_pack(tmp_path / "val", [])
    assert list(read(tmp_path / "val")) == []
