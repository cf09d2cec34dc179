"""Trains what the playbook renders, in this process, on a handful of made-up images."""

import math

import numpy as np
import pytest
import torch
from contract_calls import run, samples_of, seed_all, spec_for
from situations import LITE, RESNET, SYMMETRIES, apply, context_of, first_files, profile_of, walk

from improve_git.teams.moves import neighbours
from improve_git.teams.rendering import read, write

pytestmark = pytest.mark.torch
CLASSES = 3
SMALL = profile_of(24, 20)
LARGE = profile_of(64, 48)


def made_up(count, width, height, seed=0):
    """Images whose brightness tells their class."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % CLASSES
    noise = rng.integers(0, 80, (count, height, width, 3))
    return samples_of((noise + 80 * labels[:, None, None, None]).astype(np.uint8), labels)


def quick(files):
    """Return the files with one epoch of two small batches."""
    data = read("data", files["data.py"]) | {"BATCH_SIZE": 6}
    train = read("train", files["train.py"]) | {"EPOCHS": 1}
    return {**files, "data.py": write("data", data), "train.py": write("train", train)}


def trains(files, width, height, **changes):
    train, tune, unseen = (
        made_up(12, width, height),
        made_up(4, width, height),
        made_up(5, width, height),
    )
    spec = spec_for(train, CLASSES, **changes)
    curve, logits = run(files, train, tune, unseen, spec)
    assert logits.shape == (5, CLASSES) and logits.isfinite().all()
    figures = [value for scalars in curve for value in scalars.values() if value != "clock"]
    assert all(math.isfinite(value) for value in figures)
    assert {"epoch", "loss", "train_accuracy", "tune_accuracy", "lr", "seconds"} <= set(curve[-1])
    return curve


def test_every_single_move_trains():
    files = first_files(SMALL)
    settled = quick(files)
    for move in neighbours(context_of(settled, SMALL)):
        if move.slug not in ("epochs-up", "batch-size-up"):
            trains(apply(move, settled), 24, 20)


@pytest.mark.parametrize("seed", range(6))
def test_walks_of_moves_train(seed):
    for files in walk(first_files(SMALL), SMALL, 60, seed)[9::10]:
        trains(quick(files), 24, 20)


@pytest.mark.parametrize("seed", range(3))
def test_walks_with_a_backbone_train(seed):
    weights = (LITE, RESNET)
    first = first_files(LARGE, weights=weights)
    for files in walk(first, LARGE, 50, seed, weights=weights)[24::25]:
        data = read("data", files["data.py"]) | {"IMAGE_SIZE": 48}  # quick
        trains(quick({**files, "data.py": write("data", data)}), 64, 48)


def test_everything_at_once_trains():
    data = {
        "IMAGE_SIZE": 24, "BATCH_SIZE": 6, "FIT": "pad", "AUTOCONTRAST": 1, "BALANCE": 0.5,
        "AUGMENT_OPS": 2, "HFLIP": 0.5, "VFLIP": 0.5, "QUARTER_TURNS": 0.5, "ROTATE_DEGREES": 20,
        "SHIFT": 0.1, "CROP_AREA": 0.6, "JITTER": 0.2, "ERASE_SIDE": 0.4, "MIXUP_ALPHA": 0.2,
        "CUTMIX_ALPHA": 1.0,
    }  # fmt: skip
    model = {
        "WIDTH": 8, "SQUEEZE": 4, "ACTIVATION": "SiLU", "HEAD_DROPOUT": 0.2, "DEPTH": 2,
        "STOCHASTIC_DEPTH": 0.1, "POOLS": ("mean", "amax"), "SHIFT_VIEWS": 1,
        "FLIP_VIEWS": ("hflip", "vflip", "rot90"),
    }  # fmt: skip
    train = {
        "EPOCHS": 2, "WARMUP_SHARE": 0.1, "BOTTOM_RATE": 0.2, "FREEZE_SHARE": 0.25,
        "LABEL_SMOOTHING": 0.1, "LOGIT_ADJUSTMENT": 0.5, "FOCAL_GAMMA": 1.0, "CLIP_NORM": 1.0,
        "EMA_SHARE": 0.2,
    }  # fmt: skip
    settings = {"data": data, "model": model, "train": train}
    trains({f"{name}.py": write(name, settings[name]) for name in settings}, 24, 20)


def test_it_learns_and_reports_every_epoch():
    files = first_files(SMALL)
    train, tune, unseen = (made_up(count, 24, 20, count) for count in (90, 30, 31))
    curve, logits = run(files, train, tune, unseen, spec_for(train, CLASSES))
    assert [scalars["epoch"] for scalars in curve] == list(range(1, 11))
    assert curve[-1]["loss"] < curve[0]["loss"] and curve[-1]["tune_accuracy"] > 0.9
    right = logits.argmax(dim=1).numpy() == [sample.label for sample in unseen]
    assert right.mean() > 0.9


def test_the_same_seed_gives_the_same_result():
    files = walk(first_files(SMALL), SMALL, 30, seed=1)[-1]
    train, tune = made_up(12, 24, 20), made_up(4, 24, 20)
    results = [run(quick(files), train, tune, tune, spec_for(train, CLASSES)) for _ in range(2)]
    assert torch.equal(results[0][1], results[1][1])


def test_the_clock_is_a_safety_stop_that_is_reported():
    curve = trains(first_files(SMALL), 24, 20, time_budget_s=0.0)
    assert len(curve) == 1 and curve[0]["stopped_by"] == "clock"
    assert "stopped_by" not in trains(quick(first_files(SMALL)), 24, 20)[-1]


def test_training_images_are_augmented_and_the_others_are_not():
    from contract_calls import module_of

    data = module_of("data", write("data", {"IMAGE_SIZE": 20, "SHIFT": 0.25, "HFLIP": 0.5}))
    train, tune = made_up(12, 20, 20), made_up(4, 20, 20)
    train_loader, tune_loader = data.build_loaders(train, tune, spec_for(train, CLASSES))
    transform = data.eval_transform(None)
    ((images, labels),) = list(tune_loader)
    assert torch.equal(images, torch.stack([transform(sample.image) for sample in tune]))
    assert labels.tolist() == [sample.label for sample in tune]
    seed_all(0)
    first, second = (torch.cat([images for images, _ in train_loader]) for _ in range(2))
    assert not torch.equal(first, second) and first.min() >= 0 and first.max() <= 1


def test_averaging_over_all_symmetries_makes_predictions_symmetric():
    from contract_calls import module_of

    views = SYMMETRIES[:3]
    model_file = module_of("model", write("model", {"WIDTH": 8, "FLIP_VIEWS": views}))
    model = model_file.build_model(spec_for(made_up(6, 16, 16), CLASSES)).eval()
    images = torch.rand(2, 3, 16, 16)
    for same in (images.flip(3), images.flip(2), images.rot90(1, (2, 3)), images.rot90(3, (2, 3))):
        torch.testing.assert_close(model(same), model(images))
    assert len(model_file.views(images)) == 8


@pytest.mark.parametrize("focal", [0.0, 1.0])
def test_the_loss_is_the_same_for_labels_and_for_shares(focal):
    from contract_calls import module_of

    train = module_of("train", write("train", {"LABEL_SMOOTHING": 0.1, "FOCAL_GAMMA": focal}))
    logits, labels = torch.randn(8, 5), torch.randint(5, (8,))
    shares = torch.nn.functional.one_hot(labels, 5).float()
    torch.testing.assert_close(train.loss_of(logits, labels), train.loss_of(logits, shares))


def test_freezing_and_layerwise_rates_need_no_known_model():
    from contract_calls import module_of

    train = module_of("train", write("train", {"BOTTOM_RATE": 0.1, "FREEZE_SHARE": 0.25}))
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    groups = train.build_optimizer(model).param_groups
    assert [group["lr"] for group in groups] == pytest.approx([1e-4, 1e-4, 1e-3, 1e-3])
    assert [group["weight_decay"] for group in groups] == [0.05, 0.0, 0.05, 0.0]
    assert train.layers(model)[-1] is model[-1]


@pytest.mark.parametrize("half", ["bfloat16", "float16"])
def test_half_precision_trains_too(half):
    """On a CPU, where the pipeline itself would not use it: the same code runs on a GPU."""
    files = quick(first_files(SMALL))
    halved = files["train.py"].replace("        return None\n", f"        return torch.{half}\n")
    assert halved != files["train.py"]
    trains({**files, "train.py": halved}, 24, 20)
