"""What the server tells of its calls: afterwards, and in a thread of its own.

To count a call and write its line takes a good part of what the call takes itself, and to
write gives up Python's lock. So a call only leaves a note, and soon after it is told.
"""

import threading
from collections import deque

from enrollment_server.calls import Call
from enrollment_server.metrics import Metrics
from enrollment_server.ops.logging import CallLog

PAUSE = 0.1  # seconds until a call is told, at most
MOST = 50_000  # calls that wait to be told; if the log takes no more, the oldest are forgotten


class Telemetry:
    """Tells the metrics and the log of every call."""

    def __init__(self, metrics: Metrics, log: CallLog) -> None:
        self._metrics = metrics
        self._log = log
        self._ended: deque[Call] = deque(maxlen=MOST)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._tell_all, name="telemetry", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def started(self, method: str) -> None:
        """See `enrollment_server.calls.Observer`."""
        self._metrics.started(method)

    def ended(self, call: Call) -> None:
        """See `enrollment_server.calls.Observer`."""
        self._ended.append(call)

    def stop(self, timeout: float) -> None:
        """Tell what is left, if that is done in so many seconds: nobody may read the log."""
        self._stopping.set()
        self._thread.join(timeout)

    def _tell_all(self) -> None:
        while not self._stopping.wait(PAUSE):
            self._tell()
        self._tell()

    def _tell(self) -> None:
        calls = [self._ended.popleft() for _ in range(len(self._ended))]
        for call in calls:
            self._metrics.ended(call)
        if calls:
            self._log.write(calls)
