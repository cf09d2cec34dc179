from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from improve_git.domain import COMPONENTS
from improve_git.errors import SettingsError
from improve_git.figures import METRICS
from improve_git.settings.compose import compose, render, scored
from improve_git.settings.improve_yaml import improve_yaml
from improve_git.settings.schema import (
    CHOICES,
    EFFORTS,
    LABEL_PRESERVING,
    AcceptSettings,
    AgentsSettings,
    BudgetSettings,
    DataSettings,
    LlmSettings,
    MetricSettings,
    ModelSettings,
    PriceSettings,
    SandboxSettings,
    Settings,
    SplitSettings,
)
from improve_git.settings.validation import parse_bytes


def test_nothing_said_gives_the_defaults() -> None:
    assert compose("") == Settings()
    assert Settings().budget == BudgetSettings("default", 40, None, None, 600.0, 2, None, None, 5)


def test_file_then_words() -> None:
    text = """
llm: none
sandbox: docker
metric: {name: macro_f1}
budget: {iterations: 3, repairs: 1}
data:
  images: /photos of cats
  split: {val: 0.2}
epochs: 10
"""
    found = compose(text, ["budget.iterations=8", "seed=7", "data.label_preserving=[hflip,rot90]"])
    assert found == Settings(
        sandbox=SandboxSettings(name="docker"),
        metric=MetricSettings("macro_f1"),
        budget=BudgetSettings(iterations=8, repairs=1),
        data=DataSettings(
            images="/photos of cats",
            split=SplitSettings(val=0.2),
            label_preserving=["hflip", "rot90"],
        ),
        epochs=10,
        seed=7,
    )


def test_values_meant_for_another_choice_are_left_aside() -> None:
    text = "sandbox: {name: docker, memory: 4g}"
    assert compose(text).sandbox == SandboxSettings("docker", memory="4g")
    assert compose(text, ["sandbox=docker"]).sandbox == SandboxSettings("docker", memory="4g")
    assert compose(text, ["sandbox=process"]).sandbox == SandboxSettings("process")
    # Values that name no choice hold for whatever is chosen.
    unnamed = compose("sandbox: {memory: 4g}", ["sandbox=process"])
    assert unnamed.sandbox == SandboxSettings("process", memory="4g")


def test_every_choice_of_every_group_composes() -> None:
    for group, choices in CHOICES.items():
        for choice in choices:
            assert getattr(compose(f"{group}: {choice}"), group).name == choice


@pytest.mark.parametrize("metric", METRICS)
def test_direction_belongs_to_the_metric(metric: str) -> None:
    assert compose(f"metric: {metric}").metric.higher_is_better is (metric != "log_loss")


@pytest.mark.parametrize(
    ("text", "words", "message"),
    [
        (
            "budget: {iteration: 3}",
            [],
            "improve.yaml: budget.iteration: no such setting; did you mean budget.iterations?",
        ),
        (
            "iterations: 3",
            [],
            "improve.yaml: iterations: no such setting; did you mean budget.iterations?",
        ),
        ("", ["metrik=accuracy"], "metrik=accuracy: metrik: no such setting; did you mean metric?"),
        (
            "sandbox: doker",
            [],
            "improve.yaml: sandbox: doker is none of auto, docker, process",
        ),
        (
            "budget: {iterations: many}",
            [],
            "improve.yaml: budget.iterations: "
            "Value 'many' of type 'str' could not be converted to Integer",
        ),
        (
            "seed: true",
            [],
            "improve.yaml: seed: Value 'True' of type 'bool' could not be converted",
        ),
        ("seed: null", [], "improve.yaml: seed: field 'seed' is not Optional"),
        ("a: 1\na: 2", [], "improve.yaml: line 2: found duplicate key a"),
        ("[" * 5000, [], "improve.yaml: it is nested too deeply"),
        ("a: [", [], "improve.yaml: line 1: expected the node content"),
        ("- a", [], "improve.yaml: no settings stand in it"),
        ("5", [], "improve.yaml: no settings stand in it"),
        ("data: 5", [], "improve.yaml: data: a section with the keys data.images, "),
        ("data: {split: {val: .nan}}", [], "data.split.val: nan is not between 0 and 1"),
        ("data: {split: {val: 0.8}}", [], "data.split: tune, val and test leave nothing"),
        ("data: {label_preserving: [hflop]}", [], "data.label_preserving: hflop is none of hflip"),
        ("weights: 5", [], "weights: neither auto nor a list"),
        ("", ["seed=-1"], "seed: -1 is negative"),
        ("", ["epochs=0"], "epochs: 0 is not a positive number"),
        ("", ["budget.hours=inf"], "budget.hours: inf is not a positive number"),
        ("", ["data.max_unreadable=2"], "data.max_unreadable: 2.0 is not between"),
        ("", ["llm=opnai"], "llm=opnai: llm: opnai is none of none, openai, "),
        ("llm: {models: {annalist: x}}", [], "improve.yaml: llm.models.annalist: no such setting"),
        ("", ["llm.reasoning_effort=hi"], "llm.reasoning_effort: hi is none of none, minimal"),
        ("", ["llm.price.input=1"], "llm.price: one of input and output is missing"),
        ("", ["llm.temperature=-1"], "llm.temperature: -1.0 is negative"),
        ("", ["llm.timeout=0"], "llm.timeout: 0.0 is not a positive number"),
        ("", ["llm.model=''"], "llm.model: '' is not a name"),
        ("", ["llm.api_base=localhost"], "llm.api_base: 'localhost' is not an address"),
        ("", ["llm.api_base='http://me:hunter2@x/v1'"], "llm.api_base: a password does not belong"),
        ("agents: {components: []}", [], "agents.components: nothing may change"),
        ("agents: {components: [modell]}", [], "agents.components: modell is none of data, model"),
        ("", ["sandbox.memory=lots"], "sandbox.memory: 'lots' is not a size"),
        ("", ["accept.seeds=1"], "accept.seeds: 1 is not between 2 and 100"),
        ("", ["accept.confidence=1"], "accept.confidence: 1.0 is not from 0.5 to below 1"),
        ("", ["accept=confirmd"], "accept=confirmd: accept: confirmd is none of improves, confirm"),
        ("", ["sandbox.processes=511"], "sandbox.processes: 511 is too few: threads count too"),
        ("", ["sandbox.gpus=some"], "sandbox.gpus: 'some' is neither"),
        ("", ["sandbox.gpus=0,1"], "sandbox.gpus=0,1: cannot be read"),
        ("", ["data.images=(a"], "data.images=(a: cannot be read"),
        ("", ["seed"], "seed: expected key=value"),
        ("", ["+seed=1"], "+seed=1: expected key=value"),
        ("", ["~seed"], "~seed: expected key=value"),
    ],
)
def test_errors_are_one_line(text: str, words: list[str], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        compose(text, words)
    assert caught.value.message.startswith(message)
    assert "\n" not in caught.value.message
    assert caught.value.fix


@pytest.mark.parametrize(
    ("word", "fix"),
    [
        ("metric=acc", "write for instance accuracy"),
        ("sandbox=foo", "write for instance auto"),
        ("budget.iterations=-1", "write 0 or more, below 4294967296"),
        ("data.split.val=0.9", "make them smaller, so that their sum stays below 1"),
        ("data.split.val=1.5", "write for instance 0.15"),
        ("data.split.val=0,2", "write a point, not a comma: data.split.val=0.2"),
        ("data.label_preserving=[flip]", "write for instance vflip"),
        ("sandbox.gpus=0,1", "put the value in quotes: \"sandbox.gpus='...'\""),
        ("metrik=accuracy", "write its name, or take it out"),
    ],
)
def test_every_error_has_a_fix(word: str, fix: str) -> None:
    with pytest.raises(SettingsError) as caught:
        compose("", [word])
    assert caught.value.fix == fix


@pytest.mark.parametrize(
    "value",
    [
        "${oc.env:SECRET}",
        "a${oc.env:SECRET}b",
        "\\${x}",
        "${x",
        "[[{a: '${oc.env:SECRET}'}]]",
        "???",
    ],
)
@pytest.mark.parametrize("key", ["data.images", "weights", "metric", "sandbox.base_image", "odd"])
def test_no_interpolation_is_resolved(
    monkeypatch: pytest.MonkeyPatch, key: str, value: str
) -> None:
    monkeypatch.setenv("SECRET", "hunter2")
    quoted = value if value.startswith("[") else f"'{value}'"
    for text, words in [(f"{key}: {quoted}", []), ("", [f"{key}={value}"])]:
        with pytest.raises(SettingsError) as caught:
            compose(text, words)
        assert "hunter2" not in str(caught.value)


def test_parse_bytes() -> None:
    sizes = {"8g": 8 * 2**30, "512m": 2**29, "1.5 GiB": 3 * 2**29, "64KB": 2**16, "1024": 1024}
    assert {text: parse_bytes(text) for text in sizes} == sizes
    for text in ("", "g", "-1g", "0", "8 gigs", "1e9"):
        with pytest.raises(SettingsError):
            parse_bytes(text)


def test_scored_is_what_affects_a_score() -> None:
    usual = scored(Settings())
    for word in [
        "metric=log_loss",
        "seed=1",
        "epochs=3",
        "weights=[resnet18.a1_in1k]",
        "data.split.val=0.2",
        "data.split_seed=1",
        "data.cache_side=64",
        "data.label_preserving=[hflip]",
        "budget.train_seconds=5",
        "sandbox.cpus=1",
    ]:
        assert scored(compose("", [word])) != usual, word
    for word in ["sandbox=process", "budget.iterations=3", "data.images=digits", "budget.hours=1"]:
        assert scored(compose("", [word])) == usual, word
    hflip_first = compose("", ["data.label_preserving=[hflip,vflip]"])
    vflip_first = compose("", ["data.label_preserving=[vflip,hflip]"])
    assert scored(hflip_first) == scored(vflip_first)


def test_llm_from_is_another_word_for_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # A word speaks of where it is typed, improve.yaml of where it lies.
    assert compose("", ["llm=replay", "llm.from=old"]).llm.folder == str(tmp_path / "old")
    assert compose("llm: {name: replay, from: old}").llm.folder == "old"
    assert compose("llm: {name: replay, folder: old}").llm.folder == "old"
    assert "  folder: old" in improve_yaml(compose("llm: {name: replay, from: old}"))


def test_a_new_pipeline_says_which_model_writes_it() -> None:
    words = ["llm=openai", "llm.models.analyst=small", "budget.usd=5", "agents.components=[data]"]
    some = compose("", words)
    written = [line.split("  #")[0].rstrip() for line in improve_yaml(some).splitlines()]
    assert written[3:8] == [
        "llm:",
        "  name: openai",
        f"  model: {some.llm.model}",
        "  models: {analyst: small}",
        "sandbox: auto",
    ]
    assert "  usd: 5.0" in written
    assert "  tokens: null" not in written
    assert written[written.index("agents:") + 1] == "  components: [data]"
    assert "key" not in {field.lower() for field in vars(LlmSettings())}


FRACTIONS = st.floats(0.01, 0.3)
POSITIVE = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
SIZES = st.integers(1, 10**6).flatmap(lambda n: st.sampled_from([f"{n}", f"{n}g", f"{n} MiB"]))
# Any path that Linux allows, bytes that are no UTF-8 (surrogate escapes) included.
PATHS = st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape"))
NAMES = st.none() | st.sampled_from(["m", "org/some-model:30b", "null", "12", "a b", "ü"])
PRICES = st.floats(0, 1000)
ANY_SETTINGS = st.builds(
    Settings,
    llm=st.builds(
        LlmSettings,
        name=st.sampled_from(CHOICES["llm"]),
        model=NAMES,
        models=st.builds(ModelSettings, NAMES, NAMES, NAMES, NAMES, NAMES),
        fallback=NAMES,
        api_base=st.none() | st.sampled_from(["http://localhost:8000/v1", "https://a.example"]),
        temperature=st.none() | st.floats(0, 2),
        reasoning_effort=st.none() | st.sampled_from(EFFORTS),
        max_tokens=st.integers(1, 10**6),
        history_tokens=st.integers(1, 10**6),
        timeout=POSITIVE,
        stream=st.booleans(),
        json_schema=st.none() | st.booleans(),
        vision=st.none() | st.booleans(),
        price=st.builds(PriceSettings) | st.builds(PriceSettings, PRICES, PRICES),
        folder=NAMES,
    ),
    accept=st.builds(
        AcceptSettings,
        name=st.sampled_from(CHOICES["accept"]),
        seeds=st.integers(2, 100),
        confidence=st.floats(0.5, 0.999),
        certify=st.booleans(),
    ),
    agents=st.builds(
        AgentsSettings, st.lists(st.sampled_from(COMPONENTS), min_size=1, unique=True)
    ),
    sandbox=st.builds(
        SandboxSettings,
        name=st.sampled_from(CHOICES["sandbox"]),
        base_image=st.none() | st.just("python:3.12-slim"),
        memory=SIZES,
        cpus=st.none() | POSITIVE,
        processes=st.integers(512, 10**6),
        scratch=SIZES,
        shm=SIZES,
        output=SIZES,
        gpus=st.sampled_from(["all", "none", "0", "0,1"]),
        allow_unisolated=st.booleans(),
    ),
    metric=st.builds(MetricSettings, st.sampled_from(sorted(METRICS))),
    budget=st.builds(
        BudgetSettings,
        name=st.just("default"),
        iterations=st.integers(0, 10**6),
        hours=st.none() | POSITIVE,
        train_seconds=st.none() | POSITIVE,
        predict_seconds=POSITIVE,
        repairs=st.integers(0, 9),
        usd=st.none() | st.floats(0, 1000),
        tokens=st.none() | st.integers(0, 10**9),
        failures=st.none() | st.integers(1, 99),
    ),
    data=st.builds(
        DataSettings,
        images=PATHS.filter(lambda path: "${" not in path and "???" not in path),
        split=st.builds(SplitSettings, FRACTIONS, FRACTIONS, FRACTIONS),
        split_seed=st.integers(0, 2**32 - 1),
        cache_side=st.integers(1, 10**5),
        label_preserving=st.lists(st.sampled_from(LABEL_PRESERVING), unique=True),
        max_unreadable=st.floats(0, 1),
        max_pixels=st.integers(1, 10**12),
    ),
    seed=st.integers(0, 2**32 - 1),
    epochs=st.none() | st.integers(1, 10**4),
    weights=st.just("auto") | st.lists(st.sampled_from(["resnet18.a1_in1k", "null", "tf_b0"])),
)


@settings(max_examples=30, deadline=None)
@given(ANY_SETTINGS)
def test_what_is_written_reads_back(some: Settings) -> None:
    assert compose(improve_yaml(some)) == some
    assert compose(render(some)) == some


def test_a_path_that_could_not_be_read_back_is_not_written() -> None:
    with pytest.raises(SettingsError, match="rename the folder"):
        improve_yaml(Settings(data=DataSettings(images="/photos/${cats}")))


def test_improve_yaml_is_small_and_commented() -> None:
    text = improve_yaml(replace(Settings(), data=DataSettings(images="/photos")))
    lines = text.splitlines()
    assert len(lines) < 25
    assert "accept: confirmed" in text
    assert "  images: /photos" in text
    assert sum("#" in line for line in lines) > len(lines) / 2
    assert max(map(len, lines)) <= 110
