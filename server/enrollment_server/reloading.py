"""Files that can be replaced while the server runs: certificates, keys, the policy."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar

T = TypeVar("T")
Blocking: TypeAlias = Callable[[], AbstractContextManager[object]]

LOOK = 1.0  # seconds in which the files are not looked at again

logger = logging.getLogger(__name__)


class BadFileError(Exception):
    """A file cannot be read or used; the message names it and says why."""


class Reloaded(Generic[T]):
    """What some files hold together, as of a moment ago.

    `parse` is given their contents, and raises something if they are of no use. Then, and
    when one cannot be read, what they held before stays in force, and the log says so.
    """

    def __init__(self, paths: Sequence[Path], parse: Callable[..., T], blocking: Blocking) -> None:
        """`blocking` is entered to look at the files, which may take long.

        Raises BadFileError: before the first time, there is nothing to stay in force.
        """
        self._paths = paths
        self._parse = parse
        self._blocking = blocking
        self._lock = threading.Lock()
        self._looked = time.monotonic()
        self._complaint = ""
        self._state: object = self._stat()
        self._value = self._read()

    def __call__(self) -> T:
        """What is in force."""
        if time.monotonic() - self._looked > LOOK and self._lock.acquire(blocking=False):
            try:
                with self._blocking():
                    self._reload()
            finally:
                self._looked = time.monotonic()
                self._lock.release()
        return self._value

    def _reload(self) -> None:
        state = self._stat()  # before it is read: what changes meanwhile is seen next time
        if state == self._state:
            return
        try:
            self._value = self._read()
        except BadFileError as error:
            # It is read again and again: a certificate may come to be valid, for instance.
            if str(error) != self._complaint:
                self._complaint = str(error)
                logger.error("%s; what was in force before stays so", error)  # noqa: TRY400
        else:
            self._state, self._complaint = state, ""
            logger.warning("reloaded %s", ", ".join(map(str, self._paths)))

    def _stat(self) -> list[tuple[int, ...] | None]:
        found: list[tuple[int, ...] | None] = []
        for path in self._paths:
            try:
                stat = path.stat()
            except OSError:
                found.append(None)
            else:
                found.append((stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size))
        return found

    def _read(self) -> T:
        contents = []
        for path in self._paths:
            try:
                contents.append(path.read_bytes())
            except OSError as error:
                raise BadFileError(f"cannot read {path}: {error.strerror}") from None
        try:
            return self._parse(*contents)
        except Exception as error:  # noqa: BLE001 - a parser may stumble over anything
            raise BadFileError(
                f"cannot use {' with '.join(map(str, self._paths))}: {error}"
            ) from None
