import pytest
from hypothesis import given
from hypothesis import strategies as st

from improve_git import contract

GOOD = {
    "data.py": (
        "def build_loaders(train_samples, tune_samples, spec): ...\ndef eval_transform(spec): ...\n"
    ),
    "model.py": "def build_model(spec, pretrained=True): ...\n",
    "train.py": "def train(model, train_loader, tune_loader, spec, report): ...\n",
}


def test_what_keeps_the_contract_passes():
    assert contract.check(GOOD) == []
    more = GOOD["model.py"].replace(
        "pretrained=True", "pretrained=True, width=3, *, depth=2, **rest"
    )
    assert contract.check({**GOOD, "model.py": more}) == []
    nested = GOOD["train.py"].replace("...", "\n    def batches(): yield 1\n    return model")
    assert contract.check({**GOOD, "train.py": nested}) == []
    foreign = GOOD["train.py"] + "# größer als σ\nLABEL = 'größer als σ'\n"
    assert contract.check({**GOOD, "train.py": foreign}) == []


@pytest.mark.parametrize(
    ("name", "source", "message"),
    [
        ("train.py", "def train(:", "train.py: line 1: not Python"),
        ("train.py", "", "def train(model, train_loader, tune_loader, spec, report) is missing"),
        ("train.py", "class A:\n    " + GOOD["train.py"], "is missing at the top level"),
        (
            "train.py",
            GOOD["train.py"].replace("spec, report", "report, spec"),
            "should be def train(",
        ),
        ("train.py", GOOD["train.py"].replace("report)", "report, more)"), "must not require more"),
        ("train.py", GOOD["train.py"].replace("report)", "report, *, k)"), "must not require k"),
        ("train.py", "async " + GOOD["train.py"], "is async"),
        ("train.py", GOOD["train.py"].replace("...", "yield model"), "is a generator"),
        ("train.py", GOOD["train.py"] + "def train(): ...", "train() should be"),
        (
            "model.py",
            "def build_model(spec, pretrained): ...",
            "pretrained of build_model needs a default",
        ),
        ("model.py", "from . import data\n" + GOOD["model.py"], "line 1: relative import"),
        ("model.py", GOOD["model.py"] + "def f():\n    import train\n", "line 3: imports train"),
        ("data.py", "from model import x\n" + GOOD["data.py"], "line 1: imports model"),
        ("data.py", GOOD["data.py"] + "x = '\0'\n", "U+0000"),
        (
            "data.py",
            GOOD["data.py"] + "# \u202e evil\n",
            "line 3: holds the invisible character U+202E",
        ),
        ("data.py", GOOD["data.py"] + "# \u2066\n", "U+2066"),
        ("data.py", GOOD["data.py"] + "l\u043ess = 1\n", "line 3: the name 'l\\u043ess' is not"),
        ("data.py", GOOD["data.py"] + "#" * 200_000, "at most 200,000"),
        ("data.py", GOOD["data.py"] + "# \udc80", "no UTF-8"),
        ("data.py", "x = " + "(" * 5000 + ")" * 5000, "data.py: "),
    ],
)
def test_a_breach_is_told_with_its_place(name, source, message):
    breaches = contract.check({**GOOD, name: source})
    assert breaches and all(breach.startswith(f"{name}: ") for breach in breaches)
    assert any(message in breach for breach in breaches), breaches


def test_a_missing_file_is_told():
    files = {name: source for name, source in GOOD.items() if name != "model.py"}
    assert contract.check(files) == ["model.py is missing"]


@given(st.text(), st.sampled_from(sorted(GOOD)))
def test_any_text_gets_an_answer_in_lines(source, name):
    for breach in contract.check({**GOOD, name: source}):
        assert breach.startswith(f"{name}: ")


@given(
    st.lists(
        st.sampled_from(
            ["def ", "train", "(", ")", ":", "\n", " ", "spec", "=", "*", "/", ",", "1"]
        ),
        max_size=40,
    )
)
def test_any_near_python_gets_an_answer(words):
    assert isinstance(contract.check({**GOOD, "train.py": "".join(words)}), list)
