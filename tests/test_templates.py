import ast
import csv
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from jinja2 import UndefinedError
from PIL import Image

from improve_git.domain import Context
from improve_git.teams.catalogue import defaults
from improve_git.teams.playbook import Playbook
from improve_git.templates import literal, render

PROFILE = {
    "images": 24,
    "classes": ["left", "a|b\n<i>"],
    "class_counts": [12, 12],
    "parts": {"train": 16, "tune": 4, "val": 2, "test": 2},
    "part_class_counts": {"train": [8, 8]},
    "imbalance": 1.0,
    "width": {"min": 12, "median": 12, "max": 12},
    "height": {"min": 12, "median": 12, "max": 12},
    "modes": {"RGB": 24},
    "grey": False,
    "mean": [0.25, 0.5, 0.5],
    "std": [0.2, 0.2, 0.2],
    "duplicates": 0,
    "conflicting_labels": 0,
    "unreadable_count": 0,
}


@pytest.mark.parametrize(
    "value", [0, 3, 0.0003, True, "", 'it\'s "quoted"', "é", (), ("a",), ("a", 1.5), ((1, 2), (3,))]
)
def test_literals_read_back(value):
    assert ast.literal_eval(literal(value)) == value


def test_what_is_no_constant_is_refused():
    with pytest.raises(TypeError, match="cannot be written"):
        literal({"a": 1})


def test_a_missing_value_is_an_error():
    data = {name: value for name, value in defaults("data").items() if name != "IMAGE_SIZE"}
    with pytest.raises(UndefinedError, match="IMAGE_SIZE"):
        render("data.py.j2", **data)


def test_the_readme_describes_the_data_set_and_the_history():
    text = render("README.md.j2", name="moons", profile=PROFILE, classes=PROFILE["classes"],
                  metric="macro_f1")  # fmt: skip
    assert text.startswith("# moons\n")
    assert "24 images of 2 classes" in text and "train 16, tune 4, val 2, test 2" in text
    assert "| left | 12 |\n| a\\|b &lt;i> | 12 |\n" in text
    assert "key=Val-Macro-F1," in text
    for command in ("log --first-parent", "shortlog -sn", "blame train.py", "notes --ref improve"):
        assert f"git {command}" in text


@pytest.mark.torch
def test_run_py_trains_and_predicts_by_hand(tmp_path):
    pipeline, images = tmp_path / "pipeline", tmp_path / "images"
    pipeline.mkdir()
    rng = np.random.default_rng(0)
    entries = []
    for number in range(24):
        label = number % 2
        pixels = rng.integers(0, 100, (12, 12, 3)).astype(np.uint8)
        pixels[:, label * 6 : label * 6 + 6] += 150
        path = images / f"class {label}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
        part = "train" if number < 16 else "tune" if number < 20 else "val"
        name = path.relative_to(images).as_posix()
        entries.append({"path": name, "sha256": "", "label": label, "part": part, "group": ""})
    data_set = {"classes": ["left", "right"], "profile": PROFILE, "entries": entries}
    (pipeline / "dataset.json").write_text(json.dumps(data_set))
    files = Playbook().design(Context(0, 0, {}, PROFILE, []), 10).files
    for name, source in {**files, "run.py": render("run.py.j2")}.items():
        assert "improve_git" not in source
        (pipeline / name).write_text(source)

    def by_hand(*words):
        command = [sys.executable, str(pipeline / "run.py"), *map(str, words)]
        environment = {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path,
                              env=environment)  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    printed = by_hand("train", "--images", images, "--epochs", 25)
    assert printed.count("epoch ") == 25 and (pipeline / "weights.pt").is_file()
    by_hand("predict", images, "--out", tmp_path / "preds.csv")
    rows = list(csv.DictReader((tmp_path / "preds.csv").open()))
    assert list(rows[0]) == ["image", "label", "left", "right"]
    assert sorted(row["image"] for row in rows) == sorted(entry["path"] for entry in entries)
    wanted = {"class 0": "left", "class 1": "right"}
    right = [wanted[row["image"].split("/")[0]] == row["label"] for row in rows]
    assert np.mean(right) > 0.9
    assert all(
        float(row["left"]) + float(row["right"]) == pytest.approx(1, abs=1e-4) for row in rows
    )
