"""Whether the database answers, asked again and again."""

import logging
import threading
from collections.abc import Callable

from enrollment_server.db import faults
from enrollment_server.deadline import Deadline

# With both, silence is noticed within four seconds.
INTERVAL = 1.0  # seconds from an answer, or none, to the next question
PATIENCE = 2.5  # seconds to wait for an answer

logger = logging.getLogger(__name__)


class Monitor:
    """Asks after the database in a thread of its own, and tells when it goes and comes back.

    `ping` raises when there is no answer, or not the right one; `tell` is given whether
    there is, each time that this changes. There was at the start. `tick` is called each time.
    """

    def __init__(
        self,
        ping: Callable[[Deadline], None],
        tell: Callable[[bool], None],
        tick: Callable[[], None],
    ) -> None:
        self._ping = ping
        self._tell = tell
        self._tick = tick
        self._answering = True
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="monitor", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Tell nothing any more."""
        self._stopping.set()

    def _watch(self) -> None:
        while not self._stopping.wait(INTERVAL):
            try:
                self._look()
            except Exception:  # nobody else would notice that it has gone
                logger.exception("the monitor failed")

    def _look(self) -> None:
        answering = self._ask()
        if answering != self._answering and not self._stopping.is_set():
            self._answering = answering
            self._tell(answering)
        self._tick()

    def _ask(self) -> bool:
        try:
            self._ping(Deadline(PATIENCE))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no answer
            if self._answering:
                cause = error.__cause__ or error
                logger.warning("the database cannot be used: %s", faults.summary(cause))
            return False
        if not self._answering:
            logger.warning("the database can be used again")
        return True
