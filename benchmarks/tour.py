"""Write down what the commands in docs/tour.md and the README print.

    python benchmarks/tour.py                    # those that only read, on docs/tour/elpv.bundle
    python benchmarks/tour.py --record PIPELINE  # first the others, and the bundle, of a real run

A page's ``console`` blocks hold a command and its output. Those below a ``<!-- recorded -->`` take
training or images; --record runs them where their output is empty, so to record one anew, empty it.
The first form changes a page only where a command prints something else than it did, and
tests/test_tour.py says so.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "docs" / "tour.md", ROOT / "README.md")
BUNDLE = ROOT / "docs" / "tour" / "elpv.bundle"
JOURNAL = BUNDLE.with_name("journal")
NAME = "elpv-pipeline"  # as the pages call it
COLUMNS = 100
BLOCK = re.compile(r"(<!-- recorded -->\n)?```console\n\$ ([^\n]+)\n(.*?)```\n", re.DOTALL)


def unpack(folder: Path) -> None:
    """Make the pipeline of the real run again from its bundle: branches, records, journal."""
    target = folder / NAME
    for words in (["init", "-q", "-b", "main", str(target)],
                  ["-C", str(target), "config", "core.abbrev", "8"],
                  ["-C", str(target), "fetch", "-q", "-u", str(BUNDLE), "+refs/*:refs/*"],
                  ["-C", str(target), "reset", "-q", "--hard", "main"]):  # fmt: skip
        subprocess.run(["git", *words], check=True)
    (target / ".improve").mkdir()
    shutil.copy(JOURNAL, target / ".improve" / "journal")


def pack(pipeline: Path) -> None:
    """Write a pipeline's branches, records, openings and journal down beside the pages."""
    BUNDLE.parent.mkdir(exist_ok=True)
    kinds = ["--branches", "refs/notes/improve", "--glob=refs/improve"]
    subprocess.run(
        ["git", "-C", str(pipeline), "bundle", "create", "-q", str(BUNDLE), *kinds], check=True
    )
    shutil.copy(pipeline / ".improve" / "journal", JOURNAL)


def fill(page: str, folder: Path, recorded: bool) -> str:
    """Return a page with what its commands print in a folder; else it stays to the letter.

    Args:
        page: Markdown.
        folder: where the commands run.
        recorded: run those that are recorded, where their output is empty; else all the others.
    """

    def run(block: re.Match[str]) -> str:
        mark, command, output = block[1] or "", block[2], block[3]
        if bool(mark) != recorded or (recorded and output):
            return block[0]
        return f"{mark}```console\n$ {command}\n{said(command, folder)}```\n"

    return BLOCK.sub(run, page)


def said(command: str, folder: Path) -> str:
    """Run a line of shell as a person would, 100 columns wide and without colour."""
    plain = {"COLUMNS": str(COLUMNS), "NO_COLOR": "1", "GIT_PAGER": "cat", "TZ": "UTC",
             "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}  # fmt: skip
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=os.environ | plain, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    lines = [line.rstrip() for line in done.stdout.replace(f"{folder}/", "").splitlines()]
    return "".join(f"{line}\n" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--record", type=Path, metavar="PIPELINE")
    real = parser.parse_args().record
    if real:
        for page in PAGES:
            rewrite(page, real.resolve().parent, recorded=True)
        pack(real)
    with tempfile.TemporaryDirectory() as scratch:
        unpack(Path(scratch))
        for page in PAGES:
            rewrite(page, Path(scratch), recorded=False)


def rewrite(page: Path, folder: Path, recorded: bool) -> None:
    """Fill a page, in its place."""
    text = page.read_text(encoding="utf-8")
    page.write_text(fill(text, folder, recorded), encoding="utf-8")


if __name__ == "__main__":
    main()
