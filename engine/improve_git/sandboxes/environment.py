"""The whole environment of the harness, the same in every sandbox; nothing of the host's."""

import math

LABEL = "IMPROVE_GIT_SANDBOX"  # whose value marks what belongs to a job


def environment(job: str, scratch: str, cpus: float | None, label: str) -> dict[str, str]:
    """Return the variables for a harness whose job folder and scratch folder are at these paths."""
    variables = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": scratch,
        "TMPDIR": scratch,
        "LANG": "C.UTF-8",
        # Where the user number has no name, getpass asks these.
        "USER": "nobody",
        "LOGNAME": "nobody",
        "PYTHONHASHSEED": "0",  # sets of words in the same order each time
        "PYTHONFAULTHANDLER": "1",
        "HF_HUB_CACHE": f"{job}/hub",
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # what deterministic CUDA algorithms need
        LABEL: label,
    }
    if cpus:
        threads = str(max(1, math.floor(cpus)))
        variables |= {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    return variables
