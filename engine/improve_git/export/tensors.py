"""What a safetensors file says of itself, read as plain data and checked from end to end."""

import json
from math import prod
from pathlib import Path
from typing import Any

_MAX_HEADER = 16 << 20  # bytes
_MAX_DIMENSIONS = 16
_BYTES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "U16": 2, "I16": 2, "F16": 2,
    "BF16": 2, "U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8, "C64": 8,
}  # fmt: skip


def read_shapes(file: Path) -> dict[str, tuple[int, ...]] | None:
    """Return the shape of each tensor; None unless the file is safetensors from end to end.

    The format is eight bytes of length (little-endian), a header in JSON, then the tensors' bytes,
    with no gap and nothing behind them.
    """
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        text = opened.read(length) if 0 < length <= _MAX_HEADER else b""
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(header, dict):
        return None
    tensors = {name: about for name, about in header.items() if name != "__metadata__"}
    spans = {name: _span(about) for name, about in tensors.items()}
    end = 0
    for span in sorted(span for span in spans.values() if span is not None):
        if span[0] != end:
            return None
        end = span[1]
    if None in spans.values() or file.stat().st_size != 8 + length + end:
        return None
    return {name: tuple(about["shape"]) for name, about in tensors.items()}


def _span(about: Any) -> tuple[int, int] | None:
    """Return where a tensor's bytes lie; None where that does not fit its type and shape."""
    if not isinstance(about, dict) or not isinstance(about.get("dtype"), str):
        return None
    size = _BYTES.get(about["dtype"])
    shape, offsets = _counts(about.get("shape")), _counts(about.get("data_offsets"))
    if size is None or shape is None or offsets is None or len(offsets) != 2:
        return None
    start, end = offsets
    return (start, end) if end - start == size * prod(shape) else None


def _counts(values: Any) -> list[int] | None:
    """Return a list of a few whole numbers, none below zero; None for anything else."""
    if not isinstance(values, list) or len(values) > _MAX_DIMENSIONS:
        return None
    return values if all(type(value) is int and value >= 0 for value in values) else None
