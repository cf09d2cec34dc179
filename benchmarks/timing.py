"""Timing whole commands beside each other."""

import os
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence


def medians(commands: Mapping[str, Sequence[str]], runs: int) -> dict[str, float]:
    """Return each command's median wall time in seconds.

    They run in turn, so that a drifting machine hits all alike, after a round that does not count,
    in which Python writes down its byte code.
    """
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    env = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    for turn in range(1 + runs):
        for name, command in commands.items():
            begun = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, env=env)
            if turn:
                seconds[name].append(time.perf_counter() - begun)
    return {name: statistics.median(values) for name, values in seconds.items()}


def print_ratios(found: Mapping[str, float], to: str) -> None:
    """Print the medians and their ratios to one of them."""
    width = max(map(len, found))
    for name, median in found.items():
        print(f"  {name:{width}} {1000 * median:7.1f} ms  {median / found[to]:5.2f} times")
