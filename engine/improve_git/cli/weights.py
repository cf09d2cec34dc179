"""improve-git weights: the pretrained models at hand, and fetching more."""

import sys
from typing import Any

import click

from improve_git.cli.options import as_json
from improve_git.cli.screen import clean, columns, console, print_json
from improve_git.domain import Weights
from improve_git.weights import at_hand, cache_folder, facts, pull, size_on_disk


@click.group("weights")
def command() -> None:
    """List the pretrained timm models on this machine, or fetch more.

    They lie in the Hugging Face cache that all programs of yours share. A pipeline's sandbox sees
    the folders of these models alone, read-only and offline, and agents are told their names.

    \b
    Example: improve-git weights pull resnet18.a1_in1k
    """


@command.command("list")
@as_json
def list_(json_: bool) -> None:
    """List the models whose weights are at hand.

    \b
    Example: improve-git weights list
    """
    found = [(facts(name, folder), folder) for name, folder in at_hand().items()]
    if json_:
        print_json([_plain(weights) | {"bytes": size_on_disk(folder), "folder": folder}
                    for weights, folder in found])  # fmt: skip
    elif found:
        head = ("model", "parameters", "input", "on disk")
        rows = [_row(weights, size_on_disk(folder)) for weights, folder in found]
        columns(console(), [head, *rows], right=(1, 2, 3))
    else:
        console().print(f"no pretrained weights in {clean(str(cache_folder()))}", soft_wrap=True)
        console().print("  fix: improve-git weights pull resnet18.a1_in1k", soft_wrap=True)


@command.command("pull")
@click.argument("name")
def pull_(name: str) -> None:
    """Fetch the weights of the timm model NAME from the Hugging Face hub.

    NAME is as timm calls it: the architecture, a dot, and what it was trained on.

    \b
    Example: improve-git weights pull tf_efficientnet_lite0.in1k
    """
    from improve_git.teams.catalogue import catalogue

    folder = pull(name, progress=sys.stderr.isatty(), known=catalogue()["backbones"])
    weights = facts(name.removeprefix("timm/"), folder)
    shown = [text for text in _row(weights, size_on_disk(folder))[1:] if text]
    console().print(f"at hand: {', '.join([weights.name, *shown])}", soft_wrap=True)


def _row(weights: Weights, size: int) -> tuple[str, str, str, str]:
    millions = f"{weights.parameters / 1e6:.1f} M" if weights.parameters else ""
    side = f"{weights.input_size} px" if weights.input_size else ""
    return clean(weights.name), millions, side, f"{size / 2**20:.1f} MiB"


def _plain(weights: Weights) -> dict[str, Any]:
    return {
        "name": weights.name,
        "parameters": weights.parameters,
        "input_size": weights.input_size,
    }
