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

    def committing(self) -> None:
        """What is left to do is to commit: that cannot be called back."""


class Latest(Deadline):
    """The latest of several: it is over when nobody of them waits any more."""

    def __init__(self, deadlines: Sequence[Deadline]) -> None:
        self._deadlines = deadlines

    def remaining(self) -> float:
        return max(deadline.remaining() for deadline in self._deadlines)


class Bounded(Deadline):
    """No more than some seconds of another, until it comes to committing."""

    def __init__(self, deadline: Deadline, seconds: float) -> None:
        super().__init__(seconds)
        self._deadline = deadline
        self._committing = False

    def remaining(self) -> float:
        left = self._deadline.remaining()
        return left if self._committing else min(left, super().remaining())

    def committing(self) -> None:
        self._committing = True


NEVER = Deadline(threading.TIMEOUT_MAX)
"""Whoever waits, waits as long as it takes."""
