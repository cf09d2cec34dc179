"""What a run is doing at this moment, as rows of a screen."""

from collections.abc import Sequence

from improve_git.cli.screen import clean, sparkline
from improve_git.figures import duration
from improve_git.live import Live

_MOST_EPOCHS = 1e6  # what is told as more is no count
_SHORT = (("loss", "loss"), ("tune_accuracy", "tune"))


def now_rows(live: Live, now: float) -> list[tuple[str, str]]:
    """Return what is trained or asked at ``now`` (seconds since 1970), a label and a text each."""
    if live.doing:
        return [("agent", f"{clean(live.doing, 100)}, {duration(max(0, now - live.doing_since))}")]
    if live.title:
        return [("training", clean(live.title, 100)), ("progress", _epoch(live, now))]
    return [("now", "between two steps")]


def curve_rows(live: Live, width: int) -> list[tuple[str, str]]:
    """Return the learning curve of what is trained, a row of bars for each figure."""
    rows = []
    for key, short in _SHORT:
        values = [row[key] for row in live.curve if key in row]
        if len(values) > 1:
            bars = sparkline(values, min(values), max(values), max(2, width))
            rows.append((short, f"{bars}  {values[0]:.3f} to {values[-1]:.3f}"))
    return rows


def _epoch(live: Live, now: float) -> str:
    elapsed = max(0.0, now - live.title_since)
    if not live.curve:
        return f"{clean(live.phase, 40) or 'starting'}, {duration(elapsed)}"
    last = live.curve[-1]
    done, planned = _planned(live, live.curve)
    told = [f"epoch {done:.0f} of {planned:.0f}" if planned else f"epoch {done:.0f}"]
    told += [f"{short} {last[key]:.3f}" for key, short in _SHORT if key in last]
    told.append(duration(elapsed))
    if planned >= done >= 1:
        told.append(f"{duration(elapsed / done * (planned - done))} left")
    return ", ".join(told)


def _planned(live: Live, curve: Sequence[dict[str, float]]) -> tuple[float, float]:
    """Return how many epochs are done and planned; 0: unknown. A candidate tells them."""
    last, counted = curve[-1], float(len(curve))
    done, planned = last.get("epoch", counted), last.get("epochs", float(live.epochs or 0))
    return done if abs(done) < _MOST_EPOCHS else counted, planned if planned < _MOST_EPOCHS else 0.0
