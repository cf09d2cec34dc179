"""Headers of safetensors files: those of the library, and those that nobody should believe."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from improve_git.export.tensors import read_shapes


def written(folder: Path, header: Any, data: bytes = b"", length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    size = (len(text) if length is None else length).to_bytes(8, "little")
    (folder / "file").write_bytes(size + text + data)
    return folder / "file"


def test_what_the_library_writes_is_read(tmp_path: Path) -> None:
    arrays = {"a.weight": np.zeros((2, 3), np.float32), "b": np.zeros((), np.int64),
              "none": np.zeros((0, 4), np.float16)}  # fmt: skip
    save_file(arrays, tmp_path / "file", {"format": "pt"})
    assert read_shapes(tmp_path / "file") == {"a.weight": (2, 3), "b": (), "none": (0, 4)}


def tensor(start: int, end: int, dtype: Any = "F32", shape: Any = (1,)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


@pytest.mark.parametrize(
    ("header", "data"),
    [
        (b"\x80\x04a pickle", b""),
        ([], b""),
        (b"{", b""),
        (b"[" * 100_000, b""),
        ({"a": tensor(0, 4)}, b""),
        ({"a": tensor(0, 4)}, b"12345"),
        ({"a": tensor(0, 4)}, b"1234\x80 more behind"),
        ({"a": tensor(4, 8)}, b"12345678"),
        ({"a": tensor(0, 4), "b": tensor(8, 12)}, bytes(12)),
        ({"a": tensor(0, 4), "b": tensor(0, 4)}, bytes(4)),
        ({"a": tensor(0, 4, shape=[2])}, bytes(4)),
        ({"a": tensor(0, 4, shape=[-1, -1])}, bytes(4)),
        ({"a": tensor(0, 4, shape=[1] * 100)}, bytes(4)),
        ({"a": tensor(0, 4, shape=[True])}, bytes(4)),
        ({"a": tensor(0, 4, shape="1")}, bytes(4)),
        ({"a": tensor(0, 4, dtype="OBJECT")}, bytes(4)),
        ({"a": tensor(0, 4, dtype=["F32"])}, bytes(4)),
        ({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 2, 4]}}, bytes(4)),
        ({"a": {"dtype": "F32", "shape": [1]}}, bytes(4)),
        ({"a": 7}, b""),
    ],
)
def test_what_is_not_safetensors_from_end_to_end_is_refused(
    tmp_path: Path, header: Any, data: bytes
) -> None:
    assert read_shapes(written(tmp_path, header, data)) is None


@pytest.mark.parametrize("length", [0, 1, 2**63])
def test_a_length_that_is_not_the_header_s_is_refused(tmp_path: Path, length: int) -> None:
    assert read_shapes(written(tmp_path, {"a": tensor(0, 4)}, bytes(4), length)) is None


@given(st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_bytes_are_read_or_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "file").write_bytes(data)
    found = read_shapes(tmp_path / "file")
    assert found is None or isinstance(found, dict)
