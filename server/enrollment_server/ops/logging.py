"""The log: standard error, a line for every call and for whatever goes wrong.

As JSON, an object a line, or as text for people. It holds no token, no password, nothing of
a request but the student's id, and that hashed if so asked.
"""

import hashlib
import logging
import sys
from dataclasses import fields

from pythonjsonlogger.json import JsonFormatter

from enrollment_server.calls import Call

logger = logging.getLogger("enrollment_server.calls")

_FIELDS = tuple(field.name for field in fields(Call))
_TOLD = ("reason", "caller", "student_id", "request_id", "trace_id")  # of a call, in a text


class _TextFormatter(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        line = super().formatMessage(record)
        if hasattr(record, "seconds"):
            line += f" {record.seconds * 1000:.1f} ms"
        told = ((key, getattr(record, key, "")) for key in _TOLD)
        return " ".join([line, *(f"{key}={value}" for key, value in told if value)])


def configure(form: str = "auto") -> None:
    """`form` is json, text, or auto: text if a terminal shows it."""
    if form == "auto":
        form = "text" if sys.stderr.isatty() else "json"
    handler = logging.StreamHandler()
    if form == "json":
        renamed = {"levelname": "level", "name": "logger"}
        fields = "%(levelname)s %(name)s %(message)s"
        handler.setFormatter(JsonFormatter(fields, rename_fields=renamed, timestamp="time"))
    else:
        handler.setFormatter(_TextFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logger.setLevel(logging.INFO)


class CallLog:
    """Logs a line for each call when it has ended."""

    def __init__(self, *, hash_ids: bool = False) -> None:
        self._hash_ids = hash_ids

    def started(self, method: str) -> None:
        pass

    def ended(self, call: Call) -> None:
        told = {name: getattr(call, name) for name in _FIELDS}
        if call.student_id and self._hash_ids:
            told["student_id"] = hashed(call.student_id)
        logger.info("%s %s", call.method, call.code, extra=told)


def hashed(student_id: str) -> str:
    """The same for the same id, everywhere. Whoever knows all ids can find out which it was."""
    return hashlib.blake2b(student_id.encode(), digest_size=8).hexdigest()
