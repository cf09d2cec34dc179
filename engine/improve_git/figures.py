"""What is measured, and figures as people read them. Imports nothing, so that screens are quick."""

# metric -> whether a higher value is better
METRICS: dict[str, bool] = {
    "accuracy": True,
    "balanced_accuracy": True,
    "macro_f1": True,
    "log_loss": False,
    "roc_auc": True,
    "quadratic_kappa": True,
}
# Fractions of images or of classes: their differences are told in points.
IN_POINTS = {"accuracy", "balanced_accuracy", "macro_f1"}
LARGEST = 1e50  # what is told as larger is damaged or forged; of this much the variance is finite
# What every figure of val's is, once a search has picked by it.
OPTIMISTIC = "on val, optimistic: a search kept the best"
_NAMES = {"macro_f1": "macro-F1", "roc_auc": "ROC-AUC"}


def metric_text(metric: str) -> str:
    """Return a metric's name as it stands in a sentence: ``macro-F1``."""
    return _NAMES.get(metric, metric.replace("_", " "))


def score_text(metric: str, score: float) -> str:
    """Return a metric with its value: ``accuracy 0.9139``."""
    return f"{metric_text(metric)} {score:.4f}"


def gain_text(metric: str, gain: float) -> str:
    """Return a difference of two scores for people: ``+1.11 points``."""
    if metric in IN_POINTS:
        return f"{round(100 * gain, 2) + 0.0:+.2f} points"  # and never -0.00
    return f"{round(gain, 4) + 0.0:+.4f}"


def better_text(metric: str, gain: float) -> str:
    """Return a gain that is positive where something is better as a difference of the scores."""
    return gain_text(metric, gain if METRICS[metric] else -gain)


def interval_text(metric: str, low: float, high: float) -> str:
    """Return the bounds of such a gain: ``+2.87 to +8.61 points``; in a loss, both negative."""
    first, last = (low, high) if METRICS[metric] else (high, low)
    return f"{better_text(metric, first).removesuffix(' points')} to {better_text(metric, last)}"


def level_text(level: float) -> str:
    """Return a confidence in percent: ``98.75 %``."""
    return f"{100 * level:.7g} %"


def size_text(size: float) -> str:
    """Return a number of bytes in the unit that suits it: ``12 MiB``."""
    return f"{size / 2**20:,.0f} MiB" if size >= 2**20 else f"{max(1, size / 2**10):.0f} KiB"


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it: ``40 seconds``, ``6.5 minutes``, ``3.2 hours``."""
    for unit, length in (("hours", 3600), ("minutes", 60)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} seconds"
