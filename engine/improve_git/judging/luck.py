"""What luck alone would show: the line that the best of many idle changes reaches."""

import math
from collections import Counter
from collections.abc import Sequence


def luck_line(errors: Sequence[float], level: float = 0.95) -> float:
    """Return the largest gain that as many candidates without any merit would show by chance.

    Under no difference each image's paired difference could as well have the other sign (the
    sign-flip test; Fisher, "The Design of Experiments", 1935, section 21). ``errors`` holds for
    each candidate the standard deviation of its gain under all such flips (see
    ``significance.flip_error``); where the noise between seeds is known, it is added, since all
    images share a seed's shift. A sum over many flipped images is normal, so the ``level`` quantile
    of the best of them all is where the product of their distribution functions reaches ``level``.
    """
    if not errors:
        return 0.0
    counts = Counter(errors).items()
    low, high = 0.0, 10 * max(errors)
    for _ in range(50):
        middle = (low + high) / 2
        below = math.prod(_normal(middle / error) ** count for error, count in counts)
        low, high = (middle, high) if below < level else (low, middle)
    return high


def _normal(value: float) -> float:
    """Return the standard normal distribution function."""
    return math.erfc(-value / math.sqrt(2)) / 2
