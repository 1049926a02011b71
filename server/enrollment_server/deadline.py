"""Until when an answer is wanted."""

import threading
import time
from collections.abc import Callable, Sequence

TICK = 0.05  # seconds between two looks at whether a deadline is over


class Deadline:
    """A moment after which nobody waits for the answer; or somebody leaves before it.

    It goes with a call through every layer, down to the statement that the database runs.
    """

    def __init__(self, seconds: float, wanted: Callable[[], bool] = lambda: True) -> None:
        """`seconds` from now; `wanted` says whether the caller still waits, in any thread."""
        self._end = time.monotonic() + seconds
        self._wanted = wanted

    def remaining(self) -> float:
        """The seconds that are left; 0 when it has passed, or the caller has left."""
        return max(self._end - time.monotonic(), 0.0) if self._wanted() else 0.0

    @property
    def over(self) -> bool:
        """Whether nobody waits any more."""
        return self.remaining() == 0.0


class LastDeadline(Deadline):
    """Is over when all of these are."""

    def __init__(self, deadlines: Sequence[Deadline]) -> None:
        self._deadlines = deadlines

    def remaining(self) -> float:
        return max(deadline.remaining() for deadline in self._deadlines)

    @property
    def over(self) -> bool:
        return all(deadline.over for deadline in self._deadlines)


NEVER = Deadline(threading.TIMEOUT_MAX)
"""Whoever waits, waits as long as it takes."""
