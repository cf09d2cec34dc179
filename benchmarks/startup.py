"""How quickly the command line answers, as a multiple of `python -c pass`, in one run.

    python benchmarks/startup.py [PIPELINE]

Prints the median wall time of `python -c pass`, `improve-git --help` and, for a pipeline,
`improve-git log` and `status`, each run in turn so that a drifting machine hits all alike, without
a first round, in which Python writes down its byte code.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

RUNS = 15


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("pipeline", type=Path, nargs="?")
    pipeline = parser.parse_args().pipeline
    program = [sys.executable, "-m", "improve_git"]
    commands = {"python -c pass": [sys.executable, "-c", "pass"], "--help": [*program, "--help"]}
    if pipeline:
        for name in ("log", "status"):
            commands[name] = [*program, name, "-C", str(pipeline)]
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    env = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    for turn in range(1 + RUNS):
        for name, command in commands.items():
            begun = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, env=env)
            if turn:
                seconds[name].append(time.perf_counter() - begun)
    bare = statistics.median(seconds["python -c pass"])
    for name, values in seconds.items():
        median = statistics.median(values)
        print(f"{name:15} {1000 * median:7.1f} ms  {median / bare:5.1f} times")


if __name__ == "__main__":
    main()
