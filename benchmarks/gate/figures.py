"""What the bank says: effects of the variants, spread of the cells, and what a seed does.

A seed changes a cell's accuracy in two ways: by a shift that all images share (a better or worse
network), and image by image. The first stays however many images judge. They are told apart by
the two-way analysis of variance with seeds and images as rows and columns (Scheffe, The Analysis
of Variance, 1959, chapter 7): the mean square between seeds is residual + images x shift variance.
"""

import numpy as np
from numpy.typing import NDArray

from store import Bank

JUDGES = 400  # images of a validation part

Array = NDArray[np.float64]


def table(bank: Bank) -> str:
    """Return the figures of all seeds that are trained in full."""
    full = [number for number in range(len(bank.seeds)) if bank.there[number].all()]
    trained = (
        f"{bank.there.sum()} trainings of {bank.there[0].size} cells; seeds in full: "
        f"{', '.join(str(bank.seeds[number]) for number in full)}"
    )
    if len(full) < 2:
        return f"{trained}. Two are needed for figures.\n"
    right = bank.right[full].astype(np.float64)
    parts = [trained, "", margins(bank, right.mean(axis=-1)), cells(bank, right), seeds(right)]
    return "\n".join(parts)


def margins(bank: Bank, accuracy: Array) -> str:
    """Return each variant's accuracy and its effect against the first, in all cells and alone."""
    lines = ["variant             accuracy   effect in all cells   effect alone (points, +- s.e.)"]
    for axis, (component, names) in enumerate(bank.variants.items()):
        by_variant = np.moveaxis(accuracy, axis + 1, 1)  # (seeds, variant, others, others)
        for number, name in enumerate(names):
            step = 100 * (by_variant[:, number] - by_variant[:, 0])
            overall, alone = step.mean(axis=(1, 2)), step[:, 0, 0]
            lines.append(
                f"{component:5} {name:14} {by_variant[:, number].mean():.4f}"
                + (f"    {_told(overall)}       {_told(alone)}" if number else "")
            )
    return "\n".join(lines) + "\n"


def cells(bank: Bank, right: Array) -> str:
    """Return how far apart the cells are; the noise of the seeds is taken off the spread."""
    accuracy = right.mean(axis=-1)
    mean, noise = accuracy.mean(axis=0), accuracy.var(axis=0, ddof=1).mean() / len(accuracy)
    spread = np.sqrt(max(0.0, mean.var(ddof=1) - noise))
    best = np.unravel_index(mean.argmax(), mean.shape)
    names = [names[i] for names, i in zip(bank.variants.values(), best, strict=True)]
    worse = (mean < mean[0, 0, 0]).mean()
    return (
        f"cells: {mean.min():.4f} to {mean.max():.4f} ({'.'.join(names)}), median "
        f"{np.median(mean):.4f}; standard deviation between cells {100 * spread:.2f} points\n"
        f"first: {mean[0, 0, 0]:.4f}; {worse:.0%} of the cells are worse\n"
    )


def seeds(right: Array) -> str:
    """Return what the seeds do, on all images and on as many as a validation part has."""
    flat = right.reshape(len(right), -1, right.shape[-1])  # (seeds, cells, images)
    accuracy = flat.mean(axis=-1)
    within = accuracy.var(axis=0, ddof=1)
    shift, rest = np.transpose([components(flat[:, cell]) for cell in range(flat.shape[1])])
    count = flat.shape[1]
    common = (count * accuracy.mean(axis=1).var(ddof=1) - within.mean()) / (count - 1)
    steps = np.concatenate(list(_steps(right.mean(axis=-1))), axis=1)
    on_few = shift.mean() + rest.mean() / JUDGES
    spread = np.quantile(np.sqrt(within), [0.1, 0.5, 0.9])
    lines = (
        f"between seeds, within cells, on all {flat.shape[-1]} images: standard deviation "
        f"{_points(within.mean())}; of cells, 10/50/90 %: "
        + "/".join(f"{100 * value:.2f}" for value in spread),
        f"  a shift shared by all images {_points(shift.mean())}, image by image "
        f"{_points(rest.mean() / flat.shape[-1])}",
        f"on {JUDGES} images: {_points(on_few)}, of which the shift makes "
        f"{shift.mean() / on_few:.0%} of the variance",
        f"  ({shift.mean() / (shift + rest / flat.shape[-1]).mean():.0%} on all images)",
        f"of the shift, common to all cells of a seed: {common / shift.mean():.0%} of the variance",
        "the difference of two cells with one variant changed, same seed, all images: "
        f"{_points(steps.var(axis=0, ddof=1).mean())} (two independent seeds: "
        f"{_points(2 * within.mean())})",
    )
    return "\n".join(lines) + "\n"


def components(right: Array) -> tuple[float, float]:
    """Return the variances of the shift and of the rest of one cell's (seeds, images) array."""
    rows, columns = right.shape
    by_seed, by_image = right.mean(axis=1, keepdims=True), right.mean(axis=0, keepdims=True)
    residual = right - by_seed - by_image + right.mean()
    rest = float((residual**2).sum() / ((rows - 1) * (columns - 1)))
    return float(by_seed.var(ddof=1)) - rest / columns, rest


def _steps(accuracy: Array) -> "list[Array]":
    """Return the differences, by seed, of each variant from the first where the others stay."""
    found = []
    for axis in range(1, accuracy.ndim):
        moved = np.moveaxis(accuracy, axis, 1)
        found.append((moved[:, 1:] - moved[:, :1]).reshape(len(accuracy), -1))
    return found


def _told(values: Array) -> str:
    return f"{values.mean():+6.2f} +- {values.std(ddof=1) / np.sqrt(len(values)):.2f}"


def _points(variance: float) -> str:
    return f"{100 * np.sqrt(max(0.0, variance)):.2f} points"
