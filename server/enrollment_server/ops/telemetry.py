"""What the server tells of its calls: afterwards, and in threads of its own.

To count a call and write its line takes a good part of what the call takes itself, and to
write gives up Python's lock. So a call only leaves a note, and soon after it is told.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence

from enrollment_server.calls import Call
from enrollment_server.metrics import Metrics
from enrollment_server.ops.logging import CallLog

PAUSE = 0.1  # seconds until a call is told, at most
MOST = 50_000  # calls that wait to be told; if that takes too long, the oldest are forgotten

logger = logging.getLogger(__name__)


class Telemetry:
    """Tells the metrics and the log of every call; neither waits for the other."""

    def __init__(self, metrics: Metrics, log: CallLog) -> None:
        self._metrics = metrics
        self._tellers = (_Teller("metrics", self._count), _Teller("log", log.write))

    def start(self) -> None:
        for teller in self._tellers:
            teller.thread.start()

    def started(self, method: str) -> None:
        """See `enrollment_server.calls.Observer`."""
        self._metrics.started(method)

    def ended(self, call: Call) -> None:
        """See `enrollment_server.calls.Observer`."""
        for teller in self._tellers:
            teller.calls.append(call)

    def stop(self, timeout: float) -> None:
        """Tell what is left, if that is done in so many seconds: nobody may read the log."""
        for teller in self._tellers:
            teller.stopping.set()
        for teller in self._tellers:
            teller.thread.join(timeout)

    def _count(self, calls: Sequence[Call]) -> None:
        for call in calls:
            self._metrics.ended(call)


class _Teller:
    """A thread that tells of calls, now and then."""

    def __init__(self, name: str, tell: Callable[[Sequence[Call]], None]) -> None:
        self.calls: deque[Call] = deque(maxlen=MOST)
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._tell = tell

    def _run(self) -> None:
        while not self.stopping.wait(PAUSE):
            self._tell_all()
        self._tell_all()

    def _tell_all(self) -> None:
        calls = [self.calls.popleft() for _ in range(len(self.calls))]
        try:
            self._tell(calls)
        except Exception:
            logger.exception("%d calls could not be told", len(calls))
