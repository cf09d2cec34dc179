import json
import re
from dataclasses import replace
from functools import cache

import pytest
from cases import (
    CONFUSION,
    LITE,
    attempt,
    context_of,
    first_files,
    long_history,
    profile_of,
    training_of,
)

from improve_git.domain import FILES, ROLES, Assignment, Context, Machine, Outcome, Weights
from improve_git.figures import METRICS
from improve_git.llm.reckoning import tokens as tokens_of
from improve_git.teams.agents import asking

TOKENS = 4000  # of the history
ASSIGNMENTS = {
    name: Assignment(name, "wider", "More room helps.", "Do it with care.", "", "head")
    for name in FILES
}
WEIRD = ["a`b", "```", "x\ny", "\u202ertl", "", "{{ 7 * 7 }}", "{% if %}", "n\0l", "\ud800", "é|"]
FAILURES = [
    Outcome("crashed", "ValueError: x (train.py:3)", detail="Traceback\n" * 2000),
    Outcome("invalid", "two\nlines", detail="```\nnot the end"),
    Outcome("out-of-memory", peak_memory_bytes=7 * 2**30, info={"batch": "64 x 3 x 224 x 224"}),
    Outcome("out-of-memory"),
    Outcome("timeout", curve=[{"epoch": 1}, {"epoch": 2}], seconds=240.0),
    Outcome("timeout"),
    Outcome("diverged", "the predictions of 3 of 150 images are not finite", log_tail="tail"),
]


def situations() -> dict[str, Context]:
    full = context_of(attempts=long_history(20), recent={20: training_of()})
    classes = [f"class {n}" for n in range(1000)]
    return {
        "fresh": context_of(),
        "at init": Context(0, 0, {}, profile_of(), []),
        "nothing measured": Context(0, 0, first_files(), profile_of(), []),
        "full": full,
        "long": context_of(attempts=long_history(500), notes="try larger images", about="A scan."),
        "failures": context_of(attempts=[attempt(n, "failed") for n in range(1, 10)]),
        "no weights": context_of(weights=()),
        "gpu": replace(full, machine=Machine(16, 2**36, "an NVIDIA GPU"), hours_limited=True,
                       weights=tuple(Weights(f"net{n}.in1k") for n in range(200))),
        "many classes": context_of(profile=profile_of(*classes), training=training_of(
            tune_confusion=[])),
        "fifty classes": context_of(profile=profile_of(*classes[:50]), training=training_of(
            tune_confusion=[[1] * 50 for _ in range(50)])),
        "weird": context_of(profile=profile_of(*WEIRD), about="```\nIgnore this.\0\ud800",
                            notes="````", components=("data",), trainings_left=None),
        "nothing reported": context_of(training=training_of(curve=[], tune_confusion=[])),
        "clock": context_of(training=training_of(stopped_by="clock"), stop_seconds=None),
        **{metric: context_of(metric=metric, higher_is_better=METRICS[metric],
                              smallest_gain=None, attempts=long_history(9))
           for metric in METRICS},
    }  # fmt: skip


SITUATIONS = situations()


@cache
def prompts_of(name: str) -> dict[str, str]:
    return prompts(SITUATIONS[name])


def prompts(context: Context) -> dict[str, str]:
    """Return every prompt that can be rendered for a context."""
    found = {f"system {role}": asking.system(role, context) for role in ROLES}
    for sheet in (True, False):
        found[f"design {sheet}"] = asking.design(context, 8 if sheet else None, sheet)
        found[f"assign {sheet}"] = asking.assign(context, TOKENS, sheet)
    if context.files:
        for name, assignment in ASSIGNMENTS.items():
            found[f"rewrite {name}"] = asking.rewrite(assignment, context, TOKENS)
            for place, outcome in enumerate(FAILURES):
                failed = context.files[FILES[name]]
                found[f"repair {name} {place}"] = asking.repair(
                    assignment, failed, outcome, context
                )
    return found


@pytest.mark.parametrize("name", SITUATIONS)
def test_every_prompt_can_be_rendered_and_sent(name):
    for text in prompts_of(name).values():
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]", text)
        assert not re.search(r"\bNone\b(?!\))", outside_fences(text))
        assert "\n\n\n" not in outside_fences(text)


def outside_fences(text: str) -> str:
    return re.sub(r"^(`{3,}).*?^\1$", "(fenced)", text, flags=re.M | re.S)


@pytest.mark.parametrize("name", SITUATIONS)
def test_fences_of_prompts_are_whole(name):
    """Whatever users and programs write, it stays inside its fence."""
    for kind, text in prompts_of(name).items():
        open_fence = ""
        for line in text.split("\n"):
            found = re.match(r"^(`{3,})", line)
            if not open_fence and found:
                open_fence = found[1]
            elif open_fence and line == open_fence:
                open_fence = ""
        assert not open_fence, kind


@pytest.mark.parametrize(
    ("name", "kind", "most"),
    [
        *[("full", f"system {role}", most) for role, most in
          {"architect": 2000, "analyst": 4000, "data": 2500, "model": 2500, "train": 2500}.items()],
        ("many classes", "system data", 2800),
        ("gpu", "system analyst", 4800),
        ("fresh", "assign True", 4500),
        ("long", "assign True", 4500 + TOKENS),
        ("long", "rewrite train", 4000 + TOKENS // 2),
        ("long", "repair train 0", 4500),
        ("at init", "design True", 700),
    ],
)  # fmt: skip
def test_prompts_are_of_a_bounded_size(name, kind, most):
    size = tokens_of(prompts_of(name)[kind])
    print(f"{name}, {kind}: {size} tokens")
    assert size <= most


def test_a_long_search_costs_no_more_than_a_shorter_one():
    sizes = [tokens_of(asking.assign(context_of(attempts=long_history(n)), TOKENS, False))
             for n in (50, 500)]  # fmt: skip
    assert sizes[1] <= 1.1 * sizes[0]


def test_no_exact_score_of_val_is_told():
    attempts = long_history(200)
    context = context_of(attempts=attempts, score=0.8137)
    told = "\n".join(prompts(context).values())
    scores = {a.score for a in attempts if a.score is not None} | {0.8137}
    for score in scores:
        for digits in (f"{score:.4f}", f"{score:.6g}", f"{100 * score:.2f}"):
            assert digits not in told
    assert "81.5 %" in told and "0.8051 under" not in told


def test_the_analyst_is_told_how_a_gain_is_confirmed_and_how_noisy_seeds_are():
    context = context_of(confirming_seeds=3, seed_noise=0.0123)
    text = asking.assign(context, TOKENS, True)
    for fact in (
        "Merged is only a gain that 3 trainings with other seeds confirm.",
        "Noise between seeds: the same pipeline trained again scores give or take 1 points.",
    ):
        assert fact in text
    assert "Any gain is merged" not in text


def test_the_analyst_is_told_what_an_expert_would_ask_for():
    attempts = [attempt(n, component="train", mechanism="schedule") for n in range(1, 5)]
    context = context_of(attempts=attempts, notes="try larger images", recent={4: training_of()})
    text = asking.system("analyst", context) + asking.assign(context, TOKENS, True)
    for fact in (
        "Score on the 5000 hidden images: 81.5 % (scores are rounded to steps of 0.5 points",
        "Any gain is merged, but only one of 1.1 points or more is evidence",
        "Noise between seeds: not measured, one seed",
        "Training: 5 epochs of 6 planned in 50 s on cpu, 10 s an epoch; ended as planned",
        "Best tuning accuracy: 84.0 % in epoch 3, the last is within its noise (100 tuning images",
        "give or take 3.7 points",
        "Training above tuning accuracy: +8.0 points at the end, +2.0 points at the best epoch",
        "Peak memory: 3.0 GiB of 8.0 GiB",
        "Parameters: 4.6 M",
        "Safety stop of a training: 240 s",
        "| 3 | 0.3333 | 86.0 % | 84.0 % | 0.001 |",
        "\n\nA classifier that knows nothing has the loss ln(3) = 1.10.\n",
        "dog taken for cat: 9 of 36",
        "dog: 69.4 % of 36",
        "Trainings left: 30",
        "train.py: 4 tried, 0 merged, 0 failed.",
        "4 measured; on average +0.8 points expected, -1 points got.",
        "4 attempts in a row without a merge",
        "These pairs of component and mechanism are refused:\n- train, schedule\n",
        "train, schedule: 4 tried, none better",
        "training: 5 epochs, train 90.0 %, tune 70.0, 78.0, 84.0, 83.0, 82.0 %, 50 s",
        "tf_efficientnet_lite0.in1k, 4.7 M parameters, pretrained at 224 pixels",
        "win over your own preference",
        "```\ntry larger images\n```",
        "- label smoothing: Targets short of certainty",
        "The image shows a few training images of each class",
        "IMAGE_SIZE = 96",
    ):  # fmt: skip
        assert fact in text, fact


@pytest.mark.parametrize("curve", [[], [{"epoch": 1, "tune_accuracy": 0.5, "loss": "low"}]])
def test_the_loss_of_guessing_is_told_only_where_losses_are(curve):
    text = asking.assign(context_of(training=training_of(curve=curve)), TOKENS, False)
    assert "knows nothing" not in text


@pytest.mark.parametrize(
    "forged", ["abc", True, -5, 0, [1], {}, float("nan"), 10**400, None], ids=lambda v: str(v)[:9]
)
def test_figures_that_cannot_be_true_are_left_out(forged):
    """Records come from anybody's clone: a prompt must be made of whatever they hold."""
    training = training_of(
        seconds=forged, peak_memory_bytes=forged, parameters=forged,
        curve=[{"epoch": forged, "epochs": forged, "loss": forged, "tune_accuracy": forged}],
        tune_confusion=[[forged] * 3] * 3,
    )  # fmt: skip
    context = context_of(training=training, recent={2: training, 1: training_of(
        seconds=forged, curve=[])}, attempts=[attempt(1), attempt(2)],
        weights=(Weights("net.in1k", forged, forged),))  # fmt: skip
    outcome = Outcome("timeout", peak_memory_bytes=forged, seconds=forged, curve=[{}])
    for kind, text in (
        prompts(context) | {"": asking.repair(ASSIGNMENTS["train"], "x", outcome, context)}
    ).items():
        assert "Peak memory" not in text and "Parameters:" not in text, kind
        assert "parameters, " not in text and "pretrained at" not in text, kind
    assert "- net.in1k\n" in asking.system("data", context)
    assert "1 epochs in unknown s on cpu" in asking.assign(context, TOKENS, False)


def test_what_the_user_writes_comes_whole_with_the_word_that_it_was_cut():
    """The briefing has cut it already."""
    text = "x " * 4000 + "\n(cut here: the rest is left out)"
    context = context_of(about=text, notes=text)
    assert text in asking.system("data", context) and text in asking.assign(context, TOKENS, False)


def test_a_training_that_the_clock_stopped_or_that_still_rose_is_told():
    text = asking.assign(context_of(training=training_of(stopped_by="clock")), TOKENS, False)
    assert "stopped by the clock before its end" in text
    rising = training_of(curve=training_of().curve[:3])
    text = asking.assign(context_of(training=rising), TOKENS, False)
    assert "in epoch 3, the last: only a longer plan could show more" in text


@pytest.mark.parametrize("classes", [("left", "right"), ("6", "9")])
def test_what_a_label_means_reaches_the_data_engineer(classes):
    about = "the label is the orientation of the object"
    context = context_of(profile=profile_of(*classes), about=about)
    text = asking.system("data", context)
    assert f"```\n{about}\n```" in text
    assert f"0: {classes[0]} (300)\n1: {classes[1]} (300)" in text
    assert "Labels must stay true under augmentation" in text
    assert "a mirrored or turned image has another label" in text
    assert "The user has not said which flips or turns leave labels true" in text
    said = asking.system("data", replace(context, label_preserving=("vflip",)))
    assert "The user says that these leave every label true: vflip." in said


def test_every_role_knows_the_contract_and_the_data_set():
    for role in ROLES:
        text = asking.system(role, SITUATIONS["fresh"])
        for needed in (
            "def build_loaders(train_samples, tune_samples, spec)",
            "label_preserving",
            "must load strictly",
            "1000 images of 3 classes",
            "0: cat (200)",
        ):
            assert needed in text


@pytest.mark.parametrize("name", FILES)
def test_an_engineer_sees_its_file_whole_and_the_others_to_read(name):
    context = context_of(attempts=[attempt(1), attempt(2, component="model", mechanism="head")])
    text = asking.rewrite(ASSIGNMENTS[name], context, TOKENS)
    for file, source in context.files.items():
        assert f"```python\n{source}```" in text
        assert ("# Your file: " + file in text) == (file == FILES[name])
    assert "Do it with care." in text and f"````python {FILES[name]}\n" in text
    assert ("data, augmentation: idea-1" in text) == (name == "data")


def test_of_a_huge_file_of_anothers_beginning_and_end_are_shown():
    files = first_files()
    huge = {**files, "model.py": files["model.py"] + "# filler\n" * 20_000 + "LAST = 1\n"}
    text = asking.rewrite(ASSIGNMENTS["data"], context_of(files=huge), TOKENS)
    assert "characters left out ...]" in text and "LAST = 1" in text
    assert tokens_of(text) < 13_000
    assert huge["model.py"] in asking.rewrite(ASSIGNMENTS["model"], context_of(files=huge), TOKENS)


def test_a_repair_tells_what_went_wrong():
    context = context_of()

    def told(component, place):
        failed = context.files[FILES[component]]
        return asking.repair(ASSIGNMENTS[component], failed, FAILURES[place], context)

    crash = told("train", 0)
    assert "Status: crashed" in crash and "```\nValueError: x (train.py:3)\n```" in crash
    assert "characters left out" in crash and len(crash) < 15_000
    assert (
        "It had taken 7.0 GiB; the limit is 8.0 GiB. A training batch was 64 x 3 x 224 x 224 "
        in (told("data", 2))
    )
    assert "the limit is 8.0 GiB.\nLower the batch size" in told("data", 3)
    assert "The batch size is data.py's: make the network smaller" in told("model", 3)
    assert "2 epochs were done, 120 s an epoch; the safety stop is 240 s." in told("train", 4)
    assert "Not one epoch was done; the safety stop is 240 s." in told("train", 5)
    assert "Main's own training takes 50 s" in told("train", 5)
    assert "Predictions were not finite" in told("train", 6)


def test_the_system_prompt_stays_the_same_all_through_a_run():
    early, late = context_of(), context_of(
        number=40, attempts=long_history(39), score=0.91, notes="hurry", trainings_left=1,
        training=training_of(seconds=99.0), files={},
    )  # fmt: skip
    for role in ROLES:
        assert asking.system(role, early) == asking.system(role, late)


def test_the_playbooks_moves_are_ideas_for_what_may_change():
    text = asking.system("analyst", context_of(components=("train",)))
    assert "- ema share:" in text and "- head dropout:" not in text and "- hflip:" not in text


def test_an_idea_is_told_once():
    lines = asking.system("analyst", context_of()).split("# Ideas")[1].splitlines()
    reasons = [line.partition(": ")[2] for line in lines if line.startswith("- ")]
    assert len(reasons) > 20 and len(set(reasons)) == len(reasons)


def test_a_symmetry_is_an_idea_only_where_it_may_leave_labels_true():
    def ideas(*preserving):
        return asking.system("analyst", context_of(label_preserving=preserving))

    assert "- hflip: Only if it leaves labels true. A mirrored" in ideas()
    assert "- hflip: A mirrored" in ideas("hflip") and "- vflip:" not in ideas("hflip")


def test_the_form_of_the_analysts_answer_is_an_answer():
    text = asking.assign(context_of(), TOKENS, False)
    form = json.loads(text[text.rindex("\n{") : text.rindex("}") + 1])
    assert list(form) == ["diagnosis", "component", "mechanism", "title", "hypothesis",
                          "instruction", "expected_gain"]  # fmt: skip
    assert LITE.name not in text and str(CONFUSION) not in text
