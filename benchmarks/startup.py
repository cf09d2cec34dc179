"""How quickly the command line answers, as a multiple of `python -c pass`, in one run.

    python benchmarks/startup.py [PIPELINE]

Prints the median wall time of `python -c pass`, `improve-git --help` and, for a pipeline,
`improve-git log` and `status`.
"""

import argparse
import sys
from pathlib import Path

from timing import medians, print_ratios

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
    print_ratios(medians(commands, RUNS), "python -c pass")


if __name__ == "__main__":
    main()
