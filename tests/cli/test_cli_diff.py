import json
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Call
from example_trail import SOURCE, ExampleTrail, measurement
from rich.console import Console

from improve_git.cli import diff
from improve_git.git import Repository
from improve_git.trail.history import read_history

HEAD = """\
0001 model: wider, merged
  model.py  +1  -1
accuracy 0.7000, +20.00 points over 0.5000
on val, optimistic: a search kept the best

diff --git a/model.py b/model.py
"""


def applied(patch: bytes, folder: Path, at: str) -> str:
    """Return the tree that a patch gives, applied to a commit as a user would."""
    git = ["git", "-C", str(folder)]
    subprocess.run([*git, "checkout", "-q", "--detach", at], check=True)
    subprocess.run([*git, "apply", "--index"], input=patch, check=True)
    return Repository(folder).git("write-tree")


def tree(repo: Repository, commit: str) -> str:
    return repo.git("rev-parse", f"{commit}^{{tree}}")


def test_the_change_of_an_iteration(example: ExampleTrail, call: Call) -> None:
    folder = example.repo.folder
    said = call("diff", "1", "-C", folder)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(HEAD)
    assert said.out.endswith("@@ -1,3 +1,3 @@\n \"\"\"The model component.\"\"\"\n \n"
                             "-STRENGTH = 1\n+STRENGTH = 2\n")  # fmt: skip
    merged = read_history(example.repo).main[1].commit
    assert applied(said.out.encode(), folder, f"{merged}^1") == tree(example.repo, merged)


@pytest.mark.parametrize(
    ("words", "title", "files"),
    [
        (["2"], "0002 train: longer, rejected", ["train.py"]),
        (["3"], "0003 data: mixup, failed", ["data.py"]),
        (["5"], "0005 train: warm-up, open", []),
        (["0", "1"], "the baseline to 0001", ["model.py"]),
        (["2", "main"], "0002 to 0004", ["data.py", "train.py"]),
    ],
)
def test_what_differs(
    example: ExampleTrail, call: Call, words: list[str], title: str, files: list[str]
) -> None:
    found = json.loads(call("diff", *words, "-C", example.repo.folder, "--json").out)
    assert found["title"] == title
    assert [file["path"] for file in found["files"]] == files
    if files:
        got = applied(found["diff"].encode(), example.repo.folder, found["base"])
        assert got == tree(example.repo, found["commit"])


def test_the_whole_search(example: ExampleTrail, call: Call) -> None:
    folder = example.repo.folder
    history = read_history(example.repo)
    said = call("diff", "--best", "-C", folder).out
    assert said.startswith(f"""\
the baseline to main at {history.tip[:7]}
  data.py   +1  -1
  model.py  +1  -1
  train.py  +1  -1
accuracy 0.9000, +40.00 points over 0.5000
on val, optimistic: a search kept the best

diff --git a/data.py b/data.py
""")
    assert applied(said.encode(), folder, history.main[0].commit) == tree(example.repo, "main")


def test_a_score_is_told_of_what_was_measured(example: ExampleTrail, call: Call) -> None:
    folder = example.repo.folder
    example.commit_by_user({"README.md": "other words\n"})
    assert "accuracy 0.9000, +40.00 points" in call("diff", "--best", "-C", folder).out
    example.commit_by_user({"train.py": SOURCE.format(name="train", value=9)})
    said = call("diff", "--best", "-C", folder).out
    assert "accuracy" not in said.partition("diff --git")[0]
    example.score_main("measured", measurement(0.7, metric="macro_f1"))
    said = call("diff", "--best", "-C", folder).out
    assert "\nmacro-F1 0.7000 on val\n\n" in said  # other than the baseline's


def test_of_the_baseline_and_of_nothing(example: ExampleTrail, call: Call) -> None:
    folder = example.repo.folder
    said = call("diff", "0", "-C", folder)
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("error: the baseline starts from nothing")
    assert call("diff", "9", "-C", folder).code == 1
    for words in ([], ["1", "2", "3"], ["1", "--best"]):
        assert call("diff", *words, "-C", folder).code == 2


def test_bytes_of_any_kind_apply(example: ExampleTrail) -> None:
    folder = example.repo.folder
    name = "diff --git a b\n+++ caf\u00e9"
    (folder / name).write_bytes(b"caf\xe9\r\n\x1b[31m\n\x0c no newline at the end")
    (folder / "blob.bin").write_bytes(bytes(range(256)))
    example.commit_by_user({name.replace(chr(10), "-"): "x\n", "README.md": "\u202e\n"})
    example.repo.git("add", name, "blob.bin")
    example.repo.git("commit", "-q", "-m", "--- a/x")
    command = [sys.executable, "-m", "improve_git", "diff", "--best", "-C", str(folder)]
    piped = subprocess.run(command, check=True, capture_output=True).stdout
    assert b"+caf\xe9\r\n+\x1b[31m\n" in piped
    base = read_history(example.repo).main[0].commit
    assert applied(piped, folder, base) == tree(example.repo, "main")


def test_nothing_of_the_user_s_settings_is_run_or_heeded(
    example: ExampleTrail, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = call("diff", "1", "-C", example.repo.folder).out
    run = f"touch {tmp_path / 'ran'}; cat"
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", run)
    monkeypatch.setenv("GIT_PAGER", run)
    example.commit_by_user({".gitattributes": "*.py diff=mine\n"})
    for key, value in {
        "core.pager": run, "diff.external": run, "diff.mine.command": run,
        "diff.mine.textconv": run, "color.diff": "always", "color.ui": "always",
        "diff.noprefix": "true", "diff.mnemonicPrefix": "true", "diff.context": "0",
        "diff.wordRegex": ".", "diff.colorMoved": "zebra",
    }.items():  # fmt: skip
        example.repo.git("config", key, value)
    assert call("diff", "1", "-C", example.repo.folder).out == plain
    assert call("show", "1", "-C", example.repo.folder).code == 0
    assert not (tmp_path / "ran").exists()


def test_on_a_terminal_nothing_steers_it(
    example: ExampleTrail, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diff, "is_terminal", lambda: True)
    monkeypatch.setattr(diff, "console", lambda: Console(force_terminal=True, color_system=None))
    example.commit_by_user({"train.py": f"\x1b[2J\u202e# {'x ' * 60}\r\n"})
    example.score_main("measured", measurement(0.8))
    said = call("diff", example.pipeline.main()[:7], "-C", example.repo.folder).out
    assert f"\n+\\x1b[2J\\u202e# {'x ' * 60}\\r\n" in said
