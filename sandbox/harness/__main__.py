"""Entry point: ``python -P -s -B .../harness/__main__.py train|predict JOB_FOLDER``."""

import sys
from pathlib import Path

if __name__ == "__main__":
    # Worker processes that are spawned rather than forked get this path too.
    sys.path.append(str(Path(__file__).resolve().parents[1]))

    from harness.supervisor import supervise
    from harness.work import work

    phase, job = sys.argv[1:]
    supervise(lambda out: work(phase, Path(job), out))
