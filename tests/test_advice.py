"""The nearest right form of whatever does not keep the contract."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from improve_git.advice import advise
from pipelines import FILES
from scripted import SOURCES

GOOD = {name: text.format(0.1) for name, text in SOURCES.items()}
GOOD["train.py"] = GOOD["train.py"].replace("return", "report(epoch=0)\n    return")


def told(others: dict[str, str] | None = None, **changes: str | None) -> list[str]:
    """Return the advice for the good files with some changed; None takes one away."""
    files = GOOD | {f"{name}.py": text for name, text in changes.items()}
    return advise({name: text for name, text in files.items() if text is not None}, others or {})


def test_nothing_is_told_of_what_keeps_the_contract() -> None:
    assert told() == [] and advise(FILES, {"run.py": "import data"}) == []
    settings = "import warnings\nimport torch\nwarnings.filterwarnings('ignore')\nA = [1]\n"
    guarded = "if __name__ == '__main__':\n    train()\n"
    fallback = "try:\n    import timm\nexcept ImportError:\n    timm = None\n"
    assert told(train=settings + fallback + GOOD["train.py"] + guarded) == []
    passed_on = GOOD["train.py"].replace("report(epoch=0)", "helper(report)")
    assert told(train=passed_on) == []


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        (
            {"data": "def build_dataloaders(train, val): ...\ndef eval_transform(spec): ...\n"},
            ["data.py: line 1: build_dataloaders(train, val) found: rename it to "
             "build_loaders(train_samples, tune_samples, spec)"],
        ),
        (
            {"model": "class Net:\n    def build_model(self): ...\n"},
            ["model.py: line 2: build_model is inside of something: move it to the top level"],
        ),
        (
            {"model": "WIDTH = 3\n", "data": GOOD["data.py"] + GOOD["model.py"]},
            ["model.py: build_model is in data.py: move it to model.py"],
        ),
        (
            {"model": "WIDTH = 3\n"},
            ["model.py: add def build_model(spec, pretrained=True), which returns a module from "
             "images (N, C, H, W) to logits (N, spec.num_classes)"],
        ),
        (
            {"train": "def train(model, loader): ...\n"},
            ["train.py: line 1: train(model, loader) should be def train(model, train_loader, "
             "tune_loader, spec, report)"],
        ),
        (
            {"train": GOOD["train.py"].replace("report(epoch=0)", "print()")},
            ["train.py: line 4: train never calls report: call report(epoch=epoch, loss=...) each "
             "epoch, for the learning curve"],
        ),
        (
            {"train": "from improve_git.judging.gate import Rule\n" + GOOD["train.py"]},
            ["train.py: line 1: imports improve_git: take it out, a pipeline stands alone"],
        ),
        (
            {"data": GOOD["data.py"] + "for _ in range(3):\n    print()\nmain()\n"},
            ['data.py: line 10: for _ in range(3): runs at import: put it into a function, or '
             'under if __name__ == "__main__":',
             'data.py: line 12: main() runs at import: put it into a function, or under '
             'if __name__ == "__main__":'],
        ),
        (
            {"train": "args = parser.parse_args()\n" + GOOD["train.py"]},
            ["train.py: line 1: args = parser.parse_args() runs at import: put it into a function, "
             'or under if __name__ == "__main__":'],
        ),
        ({"train": "def train(:\n"}, ["train.py: line 1: not Python: invalid syntax"]),
    ],
)  # fmt: skip
def test_each_breach_has_its_nearest_right_form(changes: dict[str, str], lines: list[str]) -> None:
    assert told(**changes) == lines  # type: ignore[arg-type]


def test_files_with_other_names_are_found() -> None:
    assert told({"models.py": GOOD["model.py"]}, model=None) == [
        "model.py is missing; nearest is models.py: rename it to model.py"
    ]
    assert told({"src/model.py": "x = 1\n"}, model=None)[0] == (
        "model.py is missing; nearest is src/model.py: rename it to model.py"
    )
    assert told({"net.py": GOOD["model.py"], "mode.py": ""}, model=None) == [
        "model.py is missing; nearest is net.py: rename it to model.py"
    ]
    assert told({"models.py": "def get_model(classes): ...\n"}, model=None) == [
        "model.py is missing; nearest is models.py: rename it to model.py",
        "models.py: line 1: get_model(classes) found: rename it to "
        "build_model(spec, pretrained=True)",
    ]
    assert told({"notebook.py": ""}, model=None) == [
        "model.py is missing: add it, it defines build_model(spec, pretrained=True)"
    ]


def test_files_beside_are_not_there_in_a_sandbox() -> None:
    others = {"utils.py": "", "lib/io.py": ""}
    code = "import utils\nfrom lib.io import read\nimport torch\n" + GOOD["data.py"]
    assert told(others, data=code) == [
        f"data.py: line {line}: imports {name}, a file of yours: a sandbox gets the three files "
        "alone, so move what is needed into data.py"
        for line, name in ((1, "utils"), (2, "lib"))
    ]


@given(st.text(st.characters(exclude_categories=()), max_size=60))
def test_whatever_lies_there_is_advised_on(text: str) -> None:
    advise({"data.py": text}, {"other.py": text})
