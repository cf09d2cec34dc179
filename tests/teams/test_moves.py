import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from situations import LITE, RESNET, apply, context_of, first_files, profile_of, walk

from improve_git import contract
from improve_git.domain import FILES
from improve_git.teams.catalogue import catalogue
from improve_git.teams.moves import neighbours
from improve_git.teams.rendering import read, write

SMALL = profile_of(8, 8)
LARGE = profile_of(300, 200)


def moves_of(files, profile, **changes):
    return {move.slug: move for move in neighbours(context_of(files, profile, **changes))}


def test_every_move_has_a_slug_and_a_subject_that_fit():
    weights = tuple(catalogue()["backbones"])
    for move in neighbours(context_of(first_files(LARGE), LARGE, weights=weights)):
        assert re.fullmatch(r"[a-z0-9-]{1,40}", move.slug)
        assert move.subject[0].isupper() and len(move.subject) <= 72
        assert move.cost > 0 and move.sd > 0


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    profile=st.sampled_from([SMALL, profile_of(32, 32), LARGE]),
    weights=st.sampled_from([(), (LITE, RESNET)]),
)
def test_any_walk_of_moves_keeps_the_contract_and_reads_back(seed, profile, weights):
    files = first_files(profile, weights=weights)
    for later in walk(files, profile, 12, seed, weights=weights):
        changed = [name for name in FILES.values() if later[name] != files[name]]
        assert len(changed) == 1, "a move changes one file"
        assert contract.check(later) == []
        for component, name in FILES.items():
            assert read(component, later[name]) is not None
        files = later


def test_moves_add_up_and_go_back():
    files = first_files(LARGE)
    later = apply(moves_of(files, LARGE)["mixup-up"], files)
    both = apply(moves_of(later, LARGE)["hflip"], later)
    settings_now = read("data", both["data.py"])
    assert (settings_now["MIXUP_ALPHA"], settings_now["HFLIP"]) == (0.2, 0.5)
    once = apply(moves_of(both, LARGE)["hflip-off"], both)
    back = apply(moves_of(once, LARGE)["mixup-down"], once)
    assert back == files


def test_numeric_knobs_step_both_ways():
    files = first_files(SMALL)
    moves = moves_of(files, SMALL)
    assert moves["epochs-up"].after == {"EPOCHS": 16}
    assert moves["epochs-up"].subject == "Train for more epochs (10 to 16)"
    assert moves["shift-up"].subject == "Shift training images at random"
    assert moves["epochs-down"].after == {"EPOCHS": 4}
    assert moves["learning-rate-up"].after == {"LEARNING_RATE": 0.004}
    assert moves["learning-rate-down"].change == "LEARNING_RATE from 0.002 to 0.001"
    assert moves["epochs-up"].cost == pytest.approx(1.6)


def test_flips_and_rotations_are_offered_only_where_labels_allow_them():
    files = first_files(LARGE)
    forbidden = {"hflip", "vflip", "quarter-turns", "rotation-up", "flip-averaging-up"}
    assert forbidden <= set(moves_of(files, LARGE))
    assert not forbidden & set(moves_of(files, LARGE, label_preserving=()))
    some = moves_of(files, LARGE, label_preserving=("vflip",))
    assert forbidden & set(some) == {"vflip", "flip-averaging-up"}
    assert some["flip-averaging-up"].after == {"FLIP_VIEWS": ("vflip",)}


@pytest.mark.parametrize(
    ("profile", "changes", "slug", "offered"),
    [
        (LARGE, {}, "layer-decay-up", False),
        (LARGE, {"weights": (LITE,)}, "layer-decay-up", True),
        (LARGE, {"weights": (LITE,)}, "width-up", False),
        (LARGE, {}, "width-up", True),
        (LARGE, {"weights": (LITE, RESNET)}, "backbone-resnet18-a1-in1k", True),
        (SMALL, {"weights": (LITE, RESNET)}, "backbone-resnet18-a1-in1k", False),
        (LARGE, {"weights": ("vit_base_patch16_224.augreg_in21k",)}, "width-up", True),
        (profile_of(300, 300, imbalance=1.0), {}, "balance-up", False),
        (profile_of(300, 300), {}, "keep-shape-up", False),
        (LARGE, {}, "keep-shape-up", True),
        (SMALL, {}, "crop-up", False),
        (profile_of(32, 32), {}, "crop-up", True),
    ],
)
def test_moves_carry_conditions(profile, changes, slug, offered):
    files = first_files(profile, **changes)
    assert (slug in moves_of(files, profile, **changes)) == offered


def test_resolution_ends_at_twice_the_images_own():
    files = {**first_files(SMALL), "data.py": write("data", {"IMAGE_SIZE": 16})}
    assert "resolution-up" not in moves_of(files, SMALL)
    assert "resolution-down" in moves_of(files, SMALL)


def test_a_component_that_may_not_change_has_no_moves():
    moves = moves_of(first_files(LARGE), LARGE, components=("train",))
    assert {move.component for move in moves.values()} == {"train"}


def test_a_person_may_change_constants():
    files = first_files(SMALL)
    assert "LEARNING_RATE = 0.002" in files["train.py"] and "EPOCHS = 10" in files["train.py"]
    edited = files["train.py"].replace("= 0.002", "= 3e-4").replace("EPOCHS = 10", "EPOCHS = 9")
    moves = moves_of({**files, "train.py": edited}, SMALL)
    assert moves["learning-rate-up"].after == {"LEARNING_RATE": 0.0006}
    assert moves["epochs-up"].after == {"EPOCHS": 16}


@pytest.mark.parametrize(
    "edit",
    [
        lambda source: source.replace("optimizer.zero_grad()", "optimizer.zero_grad(True)"),
        lambda source: source + "\n# mine\n",
        lambda source: source.replace("EPOCHS = 10 ", "EPOCHS = 5 * 2 "),
        lambda source: source.replace("EPOCHS = 10 ", 'EPOCHS = "ten" '),
        lambda source: "def train(:",
        lambda source: "",
        lambda source: "x = 1\0",
    ],
)
def test_a_file_edited_beyond_its_constants_is_left_alone(edit):
    files = first_files(SMALL)
    edited = edit(files["train.py"])
    assert edited != files["train.py"]
    moves = moves_of({**files, "train.py": edited}, SMALL)
    assert {move.component for move in moves.values()} == {"data", "model"}


def test_a_recipe_changes_what_belongs_together_in_one_move():
    files = first_files(LARGE, weights=(LITE,))
    moves = moves_of(files, LARGE, weights=(LITE,))
    longer = moves["long-gentle-training"]
    assert longer.after == {"WARMUP_SHARE": 0.1, "EMA_SHARE": 0.1, "EPOCHS": 8}
    assert longer.cost == pytest.approx(2.1)
    finer = moves["fine-symmetries"]
    assert finer.after["IMAGE_SIZE"] == 160 and len(finer.after) == 4
    assert "fine-symmetries" not in moves_of(files, LARGE, weights=(LITE,), label_preserving=())


def test_a_recipe_of_which_one_setting_is_left_is_that_knobs_own_step():
    flipped = write("data", read("data", first_files(LARGE)["data.py"]) | {"HFLIP": 0.5})
    moves = moves_of(first_files(LARGE) | {"data.py": flipped}, LARGE)
    assert moves["all-symmetries"].after == {"VFLIP": 0.5, "QUARTER_TURNS": 0.5}
    both = write("data", read("data", flipped) | {"VFLIP": 0.5})
    assert "all-symmetries" not in moves_of(first_files(LARGE) | {"data.py": both}, LARGE)
