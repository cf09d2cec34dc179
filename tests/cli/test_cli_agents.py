"""The whole way with agents, as a user goes it: init, run, replay; a thread reads the inbox."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from improve_git.git import Repository
from improve_git.messages import trailers
from improve_git.teams.rendering import write

PROGRAM = Path(sys.executable).parent / "improve-git"
ABOUT = "Handwritten digits. A mirrored digit is no digit."
ASKED = [("train", {"EPOCHS": 3}), ("data", {"BATCH_SIZE": 32}), ("model", {"HEAD_DROPOUT": 0.1})]
SETTINGS = {
    "data": {"IMAGE_SIZE": 8, "BATCH_SIZE": 64},
    "model": {"WIDTH": 8, "STAGES": 2},
    "train": {"EPOCHS": 2, "LEARNING_RATE": 0.002},
}
# Measured in time, or named by what is.
CLOCKED = {"Train-Seconds", "Record"}


def file_of(component: str, **changed: object) -> str:
    code = write(component, SETTINGS[component] | changed)  # type: ignore[arg-type]
    return f"````python {component}.py\n{code}````\n"


def reply_to(name: str) -> str:
    """Answer a question by its name, as a capable reader would by its text."""
    number, role, _ = name.split("-")
    if role == "architect":
        files = "\n".join(file_of(component) for component in SETTINGS)
        return f"Subject: Start small\nBody: Plain and quick.\n\n{files}"
    component, change = ASKED[int(number) - 1]
    if role == "analyst":
        return json.dumps({
            "diagnosis": "too short", "component": component, "mechanism": "schedule",
            "title": f"Change {component}", "hypothesis": "It helps.", "instruction": str(change),
            "expected_gain": 1.0,
        })  # fmt: skip
    return f"Subject: Set {component} anew\nBody: As asked.\n\n{file_of(role, **change)}"


class Reader(threading.Thread):
    """Answers whatever lies in some inboxes until it is told to stop."""

    def __init__(self, *folders: Path) -> None:
        super().__init__(daemon=True)
        self.folders = folders
        self.done = threading.Event()
        self.read: dict[str, str] = {}

    def run(self) -> None:
        while not self.done.wait(0.2):
            for question in [q for f in self.folders for q in f.glob("*[0-9].md")]:
                reply = question.with_suffix(".reply.md")
                if not reply.exists() and question.stem not in self.read:
                    self.read[question.stem] = question.read_text()
                    part = question.with_name(".part")
                    part.write_text(reply_to(question.stem))
                    part.replace(reply)


def improve_git(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([PROGRAM, *map(str, words)], cwd=folder, capture_output=True, text=True,
                          check=False, env=os.environ | {"OMP_NUM_THREADS": "1"})  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done


def story(repo: Repository) -> list[tuple[str, str, dict[str, str]]]:
    told = []
    for commit in repo.log("--branches", "--reverse", "--topo-order"):
        if commit.subject.startswith("Set up a pipeline"):
            continue
        kept = {k: v for k, v in trailers(commit.message).items() if k not in CLOCKED}
        told.append((commit.author.name, commit.subject, kept))
    return told


@pytest.mark.torch
def test_from_init_to_replay(tmp_path: Path) -> None:
    (tmp_path / "about.txt").write_text(ABOUT)
    reader = Reader(tmp_path / "asked-inbox", tmp_path / "asked" / ".improve" / "inbox")
    reader.start()
    init = ("init", "digits", "--about", "about.txt", "sandbox=process", "accept=improves")
    said = improve_git(tmp_path, *init, "asked", "llm=inbox")
    assert "waiting for a reply to" in said.stdout
    improve_git(tmp_path, "run", "-C", "asked", "budget.iterations=3")
    reader.done.set()

    repo = Repository(tmp_path / "asked")
    names = {line.split("\t")[1] for line in repo.git("shortlog", "-s", "--branches").splitlines()}
    assert names == {
        "improve-git", "Project Architect (inbox)", "Performance Analyst (inbox)",
        "Data Engineer (inbox)", "Model Engineer (inbox)", "Training Engineer (inbox)",
    }  # fmt: skip
    asked = ["0000-architect-1", "0001-analyst-1", "0001-train-1", "0002-analyst-1",
             "0002-data-1", "0003-analyst-1", "0003-model-1"]  # fmt: skip
    assert list(reader.read) == asked
    assert all(ABOUT in text for text in reader.read.values())
    assert not any((tmp_path / "asked" / ".improve" / "inbox").iterdir())
    assert not (tmp_path / "asked-inbox").exists()
    prompts = improve_git(tmp_path, "show", "2", "--prompts", "-C", "asked").stdout
    assert "0002-data-1  inbox" in prompts and "Set data anew" in prompts

    improve_git(tmp_path, *init, "again", "llm=replay", "llm.from=asked")
    improve_git(tmp_path, "run", "-C", "again", "budget.iterations=3")
    assert story(Repository(tmp_path / "again")) == story(repo)
