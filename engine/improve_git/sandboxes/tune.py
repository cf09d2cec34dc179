"""The classes that a candidate predicts for the tune images, as its training sent them.

A candidate can forge them. That is harmless: it sees these images with their labels anyway, no
verdict comes of them, and none but the agents that improve it read them.
"""

import json

from improve_git.sandboxes.base import TrainJob

_BYTES = 4  # of one class: a signed number, little-endian


class TuneClasses:
    """Collects them, in memory bounded by the number of tune images."""

    def __init__(self, job: TrainJob) -> None:
        about = json.loads((job.packs / "tune" / "pack.json").read_text())
        self._expected = _BYTES * int(about["count"])
        self._classes = int(job.spec["num_classes"])
        self._received = bytearray()

    def take(self, data: bytes) -> None:
        """Take the next bytes; what is beyond the last image is not kept."""
        # One byte more than expected is enough to see that there were too many.
        self._received += data[: self._expected + 1 - len(self._received)]

    def told(self) -> list[int]:
        """Return the class of each tune image in pack order; [] unless all came and are classes."""
        import numpy as np

        if not self._expected or len(self._received) != self._expected:
            return []
        classes = np.frombuffer(bytes(self._received), dtype="<i4")
        fine = classes.min() >= 0 and classes.max() < self._classes
        return [int(index) for index in classes] if fine else []
