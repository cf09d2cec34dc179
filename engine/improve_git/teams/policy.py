"""Which move next: Thompson sampling on the gain for what it costs, with expert priors.

Each move has a normal prior over its gain, written by an expert in playbook.yaml as a share of the
error that remains (1 - score; the score itself for a metric where less is better). Every attempt
at the same move on the trail updates it as a noisy observation (conjugate normal update, known
noise). A gain is then drawn from each open move's posterior and divided by what it costs; the
largest quotient is tried. So promising moves come first, an unsure move is tried now and then, and
what has failed to help here is tried less. The draws depend on the seed and the iteration's number
alone. (Thompson 1933; Russo et al. 2017, arXiv:1707.02038.)

What a move costs is what the run is short of. Under a budget of hours that is its training time.
Under a budget of iterations alone each counts the same, and the time only by its square root: of
many small moves most are lost in the noise of val, whatever their speed.

A move is closed once it has been tried since main last changed: each merge, of its own component
or of another, opens it again, since it then means something else. It stays closed if it ever failed
(crash, timeout, out of memory) or would take back the merge that main has just seen.
"""

from collections.abc import Sequence
from statistics import median

from improve_git.domain import Attempt, Context
from improve_git.teams.moves import Move

NOISE_SD = 0.15  # of one observed gain: luck of the seed and of the val part
LEAST_ERROR = 0.01  # below this a share of the remaining error means nothing
OVERHEAD_SECONDS = 10.0  # of every iteration: start-up and prediction
USUAL_SECONDS = 60.0  # of a training, until the trail tells


def choose(moves: Sequence[Move], context: Context) -> Move | None:
    """Return the move to try next, or None where all are closed."""
    import numpy as np

    generator = np.random.default_rng([context.seed % 2**63, context.number])
    best, best_value = None, float("-inf")
    for move in sorted(open_moves(moves, context.attempts), key=lambda move: move.slug):
        gain, sd = posterior(move, context)
        drawn = generator.normal(gain, sd)
        cost = expected_minutes(move, context.attempts) ** (1.0 if context.hours_limited else 0.5)
        # Where a loss was drawn, a longer training makes it worse, not better.
        value = drawn / cost if drawn > 0 else drawn * cost
        if value > best_value:
            best, best_value = move, value
    return best


def open_moves(moves: Sequence[Move], attempts: Sequence[Attempt]) -> list[Move]:
    """Return the moves that may be tried now."""
    changes = [n for n, tried in enumerate(attempts) if tried.verdict in ("merged", "measured")]
    since = attempts[changes[-1] + 1 :] if changes else attempts
    closed = {_move(tried) for tried in since}
    closed |= {_move(tried) for tried in attempts if tried.verdict == "failed"}
    undone = _move(attempts[changes[-1]]) if changes else None
    return [move for move in moves if move.slug not in closed and move.inverse != undone]


def posterior(move: Move, context: Context) -> tuple[float, float]:
    """Return the mean and the deviation of a move's gain, given the attempts at it so far."""
    shares = [
        gained(tried, context.higher_is_better)
        for tried in context.attempts
        if _move(tried) == move.slug
    ]
    seen = [share for share in shares if share is not None]
    precision = move.sd**-2 + len(seen) * NOISE_SD**-2
    mean = (move.gain * move.sd**-2 + sum(seen) * NOISE_SD**-2) / precision
    return mean, float(precision**-0.5)


def gained(tried: Attempt, higher_is_better: bool) -> float | None:
    """Return what an attempt took off the remaining error, as a share of it; None if unmeasured."""
    if tried.score is None or tried.main_score is None:
        return None
    error = 1 - tried.main_score if higher_is_better else tried.main_score
    change = tried.score - tried.main_score
    share = (change if higher_is_better else -change) / max(error, LEAST_ERROR)
    return max(-1.0, min(1.0, share))  # one collapsed training must not outweigh all else


def expected_minutes(move: Move, attempts: Sequence[Attempt]) -> float:
    """Return how long an iteration with this move should take."""
    merged = [a.train_seconds for a in attempts if a.train_seconds and a.verdict == "merged"]
    others = [a.train_seconds for a in attempts if a.train_seconds]
    usual = merged[-1] if merged else median(others) if others else USUAL_SECONDS
    return (OVERHEAD_SECONDS + move.cost * usual) / 60


def _move(tried: Attempt) -> str | None:
    """Return the move that an attempt was at; None for a person's, whose branch has any name."""
    return None if tried.proposer else tried.slug
