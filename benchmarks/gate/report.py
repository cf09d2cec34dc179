"""Tables and plots of what replay.py has found.

    python benchmarks/gate/report.py [--work FOLDER] [--plots docs/images]

The figures are explained in outcomes.py.
"""

import argparse
import json
from pathlib import Path

from bank import WORK
from outcomes import Rows, ends, figures, percent, rate
from plots import draw
from replay import BUDGETS, POLICIES, SUPPLIES


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--plots", type=Path)
    options = parser.parse_args()
    found = {
        (name, supply): json.loads(file.read_text())
        for name in POLICIES
        for supply in SUPPLIES
        if (file := options.work / "replay" / f"{name}.{supply}.json").exists()
    }
    for supply in SUPPLIES:
        for budget in BUDGETS:
            rules = {name: ends(rows, budget) for (name, of), rows in found.items() if of == supply}
            if rules:
                print(f"\n### {supply.capitalize()} supply, {budget} trainings\n")
                print(table(rules))
    for supply in SUPPLIES:
        nulls = [row["null_certified"] for row in found.get(("improves", supply), [])]
        print(f"\nnulls certified, {supply}: {percent(rate(sum(nulls), len(nulls)))} %")
    if options.plots:
        draw(found, options.plots)


def table(rules: dict[str, Rows]) -> str:
    """Return a Markdown table, a line for each rule."""
    lines = [
        "| rule | nulls merged, % | harmful merges, % | merges without gain, % | true accuracy at "
        "the end | less `improves`, points | spread | gain of the worst twentieth | merges | "
        "candidates | told too much, points | falsely certified, % |",
        "|" + " --- |" * 12,
    ]
    for name, rows in rules.items():
        f = figures(rows, rules["improves"])
        cells = [
            f"`{name}`", *(percent(f[key]) for key in ("nulls merged", "harmful", "no gain")),
            f"{f['end']:.2f}", "{:+.2f} ({:+.2f} to {:+.2f})".format(*f["less improves"]),
            f"{f['spread']:.2f}", f"{f['worst']:+.2f}", f"{f['merges']:.1f}",
            f"{f['candidates']:.0f}", f"{f['told']:+.2f}", percent(f["falsely"]),
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
