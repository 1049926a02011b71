"""Several processes that do the same work: one that dies is replaced.

They are spawned, not forked: gRPC's threads and sockets would not survive a fork.
"""

import contextlib
import logging
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds before one that died is replaced
STEADY = 60.0  # seconds after which one that dies has not died at its start
STOPPING = (signal.SIGINT, signal.SIGTERM)

logger = logging.getLogger(__name__)


class WorkerFailedError(Exception):
    """A worker could not start; the message is what it said."""


class Worker:
    """One process. It says over a pipe that it is ready, or why it cannot be."""

    def __init__(self, target: Callable[[Connection], None]) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pipe, theirs = spawn.Pipe()
        self.process: SpawnProcess = spawn.Process(target=target, args=(theirs,))
        self.process.start()
        theirs.close()  # so that the pipe ends when either side does
        self.started = time.monotonic()
        self.ready = False

    @property
    def sentinel(self) -> int:
        """What becomes ready when the process ends."""
        return self.process.sentinel

    def wait_until_ready(self) -> None:
        """Raises WorkerFailedError."""
        try:
            complaint = self._pipe.recv()
        except (EOFError, OSError):
            complaint = "a worker ended before it was ready"
        if complaint:
            raise WorkerFailedError(complaint)
        self.ready = True

    def complaint(self) -> str:
        """What it has said before it ended, if it could not begin."""
        if self.ready:
            return ""
        try:
            complaint = str(self._pipe.recv())
        except (EOFError, OSError):
            return "it said nothing"
        self.ready = not complaint
        return complaint

    def stop(self, number: int) -> None:
        if self.process.is_alive() and self.process.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, number)


class Supervisor:
    """Keeps `count` workers running until SIGTERM or SIGINT.

    Each runs `target`, which can be pickled and is given its end of a pipe: it sends an
    empty text when it is ready, or else a complaint, and ends when the pipe does. `buried` is
    given the process id of each that has died, and whether it had been ready.
    """

    def __init__(
        self,
        count: int,
        target: Callable[[Connection], None],
        buried: Callable[[int, bool], None],
        patience: float,
    ) -> None:
        """`patience` is how many seconds the workers have to end by themselves."""
        self._count = count
        self._target = target
        self._buried = buried
        self._patience = patience
        self._pause = FIRST_PAUSE
        self._workers: list[Worker] = []
        self._missing: list[float] = []  # when to replace each that died

    def run(self, ready: Callable[[], None], stopping: Callable[[], None]) -> None:
        """Call `ready` when all are, look after them, and call `stopping` before they stop.

        Raises WorkerFailedError.
        """
        with _signals() as signals:
            self._workers = [Worker(self._target) for _ in range(self._count)]
            try:
                for worker in self._workers:
                    worker.wait_until_ready()
                ready()
                while not self._wait(signals):
                    self._replace()
                stopping()
            finally:
                self._stop(signals)

    def _wait(self, signals: int) -> bool:
        """Wait until something happens; returns whether it is time to stop."""
        soonest = min(self._missing, default=None)
        timeout = None if soonest is None else max(soonest - time.monotonic(), 0)
        happened = wait([signals, *(w.sentinel for w in self._workers)], timeout)
        for worker in self._workers[:]:
            if worker.sentinel in happened:
                self._bury(worker)
        if signals in happened:
            os.read(signals, 1)
            return True
        return False

    def _bury(self, worker: Worker) -> None:
        worker.process.join()
        self._workers.remove(worker)
        complaint = worker.complaint()
        if worker.process.pid:
            self._buried(worker.process.pid, worker.ready)
        now = time.monotonic()
        if now - worker.started > STEADY:
            self._pause = FIRST_PAUSE
        logger.error(
            "worker %s ended with code %s%s",
            worker.process.pid,
            worker.process.exitcode,
            f": {complaint}" if complaint else "",
        )
        self._put_off(now)

    def _put_off(self, now: float) -> None:
        """Have another started after a pause, and the next after a longer one."""
        logger.error("another worker starts in %.0f seconds", self._pause)
        self._missing.append(now + self._pause)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _replace(self) -> None:
        now = time.monotonic()
        due = [moment for moment in self._missing if moment <= now]
        self._missing = [moment for moment in self._missing if moment > now]
        for _ in due:
            try:
                self._workers.append(Worker(self._target))
            except OSError:  # no memory or no processes are left, for the moment
                logger.exception("no worker could be started")
                self._put_off(now)

    def _stop(self, signals: int) -> None:
        """Have all end, in time or by force; a second signal does not wait."""
        for worker in self._workers:
            worker.stop(signal.SIGTERM)
        end = time.monotonic() + self._patience
        alive = [worker.sentinel for worker in self._workers]
        while alive and (left := end - time.monotonic()) > 0:
            ended = wait([*alive, signals], left)
            if signals in ended:
                break
            alive = [sentinel for sentinel in alive if sentinel not in ended]
        for worker in self._workers:
            worker.stop(signal.SIGKILL)
            worker.process.join()


@contextmanager
def _signals() -> Iterator[int]:
    """A file that can be read from, a byte for every signal that asks to stop.

    Whichever thread the signal comes to: only a file wakes a thread that waits for others.
    """
    read, write = os.pipe()
    os.set_blocking(write, False)
    before = signal.set_wakeup_fd(write)
    for number in STOPPING:
        signal.signal(number, lambda *_: None)
    try:
        yield read
    finally:
        signal.set_wakeup_fd(before)
        os.close(read)
        os.close(write)
