"""Pretrained timm models in the host's Hugging Face cache: which there are, and fetching more.

A sandbox is shown the folders of the models that a pipeline names, never the cache around them,
which may hold tokens and data sets. The only module that speaks to the Hugging Face hub.
"""

import errno
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from math import prod
from pathlib import Path
from typing import Any

from improve_git.domain import Weights
from improve_git.errors import DataError

_PREFIX = "models--timm--"
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_MAX_JSON = 16 << 20  # bytes; the headers of timm's largest models have a hundredth of that
_MOST = 10**12  # parameters; above that, a header is not to be believed
_MOST_DIMENSIONS = 8
_LARGEST_SIDE = 4096  # pixels
_FLOATS = ("F64", "F32", "F16", "BF16")  # no set: what is looked up may be unhashable
# What is no parameter: the statistics of batch normalisation.
_BUFFERS = ("running_mean", "running_var")
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR)
_SPARE = 64 << 20  # bytes that stay free on the disk


def cache_folder() -> Path:
    """Return the host's Hugging Face model cache, by the same variables as huggingface_hub."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if named := os.environ.get(variable):
            return Path(named).expanduser()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    home = Path(os.environ.get("HF_HOME") or cache / "huggingface")
    return home.expanduser() / "hub"


def at_hand(wanted: str | Iterable[str] = "auto", cache: Path | None = None) -> dict[str, Path]:
    """Return the timm models whose weights are in the cache: name -> its ``models--...`` folder.

    Args:
        wanted: "auto" for all, or the names to look for, such as ``tf_efficientnet_lite0.in1k``.
        cache: the cache's ``hub`` folder; the host's own where None.

    A name that is not there is left out.
    """
    folder = cache_folder() if cache is None else cache
    if not folder.is_dir():
        return {}
    found = {
        entry.name.removeprefix(_PREFIX): entry.resolve()
        for entry in sorted(folder.iterdir())
        if entry.name.startswith(_PREFIX) and _weights_file(entry)
    }
    if wanted == "auto":
        return found
    names = {wanted} if isinstance(wanted, str) else set(wanted)
    return {name: path for name, path in found.items() if name in names}


def facts(name: str, folder: Path) -> Weights:
    """Return what a model's own files tell; None for what they do not, damaged ones included."""
    file = _weights_file(folder)
    if file is None:
        return Weights(name)
    header = _safetensors_header(file) if file.suffix == ".safetensors" else None
    config = _json_object(_read(file.parent / "config.json"))
    return Weights(name, _parameters(header), _input_size(config))


def size_on_disk(folder: Path) -> int:
    """Return the bytes that a model's folder takes."""
    files = (file for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
    return sum(file.stat().st_size for file in files)


def pull(name: str, progress: bool = False, known: Iterable[str] = ()) -> Path:
    """Fetch a timm model's weights and configuration from the Hugging Face hub into the cache.

    Args:
        name: as timm calls it, such as ``resnet18.a1_in1k``.
        progress: whether huggingface_hub shows its bars on standard error.
        known: names of models; the nearest are told where the hub has none of that name.

    Returns:
        The model's folder. One that is there already is left as it is, without a question.

    Raises:
        DataError: the hub has no such model, refuses it, or cannot be reached; or the disk is full.
    """
    name = name.removeprefix("timm/")
    if _NAME.fullmatch(name) is None:
        raise DataError(f"{name!r:.120} is no name of a timm model", _nearest(name, known))
    cache = cache_folder()
    if name not in at_hand([name], cache):
        with _told(name, known):
            _fetch(name, cache, progress)
    return cache / f"{_PREFIX}{name}"


def _fetch(name: str, cache: Path, progress: bool) -> None:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.utils.tqdm import disable_progress_bars, enable_progress_bars

    # Read at every call; the library reads it once, when it is imported.
    endpoint = os.environ.get("HF_ENDPOINT") or None
    model = HfApi(endpoint=endpoint).model_info(f"timm/{name}", files_metadata=True, timeout=30)
    sizes = {file.rfilename: file.size or 0 for file in model.siblings or []}
    weights = next((file for file in _WEIGHTS if file in sizes), None)
    if weights is None:
        raise DataError(f"timm/{name} has no weights on the hub", "choose another model")
    cache.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(cache).free
    if sizes[weights] + _SPARE > free:
        raise DataError(
            f"the weights need {sizes[weights] / 2**20:.0f} MiB, {free / 2**20:.0f} MiB are free "
            f"at {cache}",
            "free some space, or set HF_HOME to a folder on a larger disk",
        )
    (enable_progress_bars if progress else disable_progress_bars)()
    snapshot_download(
        f"timm/{name}",
        allow_patterns=["config.json", weights],
        cache_dir=cache,
        endpoint=endpoint,
    )
    if not at_hand([name], cache):
        raise DataError(
            f"the weights of timm/{name} did not come whole", f"run again: {_again(name)}"
        )


@contextmanager
def _told(name: str, known: Iterable[str]) -> Iterator[None]:
    """Say each way in which the hub or the disk can fail in one line, with the fix."""
    import httpx
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError as error:
        raise DataError(
            f"timm/{name} is gated: its owner asks for an agreement first",
            f"agree at https://huggingface.co/timm/{name}, then set HF_TOKEN to your token",
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise DataError(f"the hub has no model timm/{name}", _nearest(name, known)) from error
    except errors.OfflineModeIsEnabled as error:
        raise DataError(
            "HF_HUB_OFFLINE forbids to ask the hub", f"HF_HUB_OFFLINE=0 {_again(name)}"
        ) from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        fix = "set HF_TOKEN to a valid token, or unset it" if status in (401, 403) else "try later"
        raise DataError(f"the hub answered {status} for timm/{name}", fix) from error
    except (httpx.HTTPError, OSError) as error:
        if isinstance(error, OSError) and error.errno in _DISK:
            raise DataError(
                f"the weights cannot be written: {_one_line(error)}",
                "free some space, or set HF_HOME to a folder that can be written",
            ) from error
        raise DataError(
            f"the hub cannot be reached: {_one_line(error)}",
            f"check the network (HF_ENDPOINT, HTTPS_PROXY) and run again: {_again(name)}",
        ) from error


def _nearest(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), 3, 0.5)
    more = "all names: https://huggingface.co/timm"
    return f"did you mean {' or '.join(near)}? {more}" if near else more


def _again(name: str) -> str:
    return f"improve-git weights pull {name}"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _weights_file(model: Path) -> Path | None:
    """Return the weights of the revision that ``main`` means; a pull may have broken off."""
    try:
        revision = (model / "refs" / "main").read_text().strip()
    except (OSError, UnicodeDecodeError):
        return None
    files = (model / "snapshots" / revision / name for name in _WEIGHTS)
    return next((file for file in files if file.is_file()), None)


def _safetensors_header(file: Path) -> dict[str, Any] | None:
    """Read what stands before the tensors: eight bytes of length (little-endian), then JSON."""
    length = int.from_bytes(_read(file, 8), "little")
    return _json_object(_read(file, 8 + length)[8:]) if 0 < length <= _MAX_JSON else None


def _read(file: Path, most: int = _MAX_JSON) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(most)
    except OSError:
        return b""


def _json_object(text: bytes) -> dict[str, Any] | None:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _parameters(header: dict[str, Any] | None) -> int | None:
    """Count the numbers in all tensors but the buffers."""
    total = 0
    for name, tensor in (header or {}).items():
        if name == "__metadata__" or name.endswith(_BUFFERS):
            continue
        shape = tensor.get("shape") if isinstance(tensor, dict) else None
        if not isinstance(shape, list) or len(shape) > _MOST_DIMENSIONS:
            return None
        if not all(type(size) is int and 0 <= size <= _MOST for size in shape):
            return None
        if tensor.get("dtype") in _FLOATS:
            total += prod(shape)
    return total if 0 < total <= _MOST else None


def _input_size(config: dict[str, Any] | None) -> int | None:
    """Return the pixels a side, where the images of pretraining were square or nearly."""
    about = (config or {}).get("pretrained_cfg")
    size = (about if isinstance(about, dict) else config or {}).get("input_size")
    side = size[-1] if isinstance(size, list) and len(size) == 3 else None
    return side if type(side) is int and 0 < side <= _LARGEST_SIDE else None
