"""Which pretrained timm models lie in the host's Hugging Face cache. Reads folder names only.

A sandbox is shown the folders of the models that a pipeline names, never the cache around them,
which may hold tokens and data sets.
"""

import os
from collections.abc import Iterable
from pathlib import Path

_PREFIX = "models--timm--"
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")


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
        if entry.name.startswith(_PREFIX) and _is_complete(entry)
    }
    if wanted == "auto":
        return found
    names = {wanted} if isinstance(wanted, str) else set(wanted)
    return {name: path for name, path in found.items() if name in names}


def _is_complete(model: Path) -> bool:
    """Tell whether the revision that ``main`` means has its weights; a pull may have broken off."""
    main = model / "refs" / "main"
    if not main.is_file():
        return False
    snapshot = model / "snapshots" / main.read_text().strip()
    return any((snapshot / name).is_file() for name in _WEIGHTS)
