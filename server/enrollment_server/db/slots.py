"""So many at a time, each in its turn."""

import threading
from collections import deque
from collections.abc import Callable

from enrollment_server.deadline import TICK


class Slots:
    """Things of which there are so many, such as connections.

    Whoever gives one back hands it to the first that waits. A semaphore lets those in first
    who come at the right moment: whoever takes one again and again, as a call does that wants
    a locked row, would keep the others out.
    """

    def __init__(self, count: int) -> None:
        self._lock = threading.Lock()
        self._count = self._free = count
        self._waiting: deque[threading.Event] = deque()

    @property
    def taken(self) -> int:
        """How many are taken."""
        return self._count - self._free

    def take(self, in_vain: Callable[[], bool]) -> bool:
        """Wait for one, until that is so; returns whether there is one."""
        with self._lock:
            if self._free:  # and nobody waits
                self._free -= 1
                return True
            mine = threading.Event()
            self._waiting.append(mine)
        while not mine.wait(TICK) and not in_vain():
            pass
        with self._lock:
            if not mine.is_set():
                self._waiting.remove(mine)
            return mine.is_set()

    def give_back(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._free += 1
