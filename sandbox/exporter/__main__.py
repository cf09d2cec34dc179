"""Entry point: ``python -P -s -B .../exporter/__main__.py HARNESS_FOLDER JOB_FOLDER``."""

import sys
from pathlib import Path

if __name__ == "__main__":
    harness_folder, job = map(Path, sys.argv[1:])
    # Worker processes that are spawned rather than forked get this path too.
    sys.path.append(str(harness_folder.parent))

    import harness

    harness.__path__.append(str(Path(__file__).resolve().parent))  # now it has the phase "export"

    from harness.supervisor import supervise
    from harness.work import work

    supervise(lambda out: work("export", job, out))
