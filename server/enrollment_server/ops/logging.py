"""The log: standard error, a line for every call and for whatever goes wrong.

As JSON, an object a line, or as text for people. It holds no token, no password, nothing of
a request but the student's id, and that hashed if so asked.
"""

import hashlib
import json
import logging
import select
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime

from pythonjsonlogger.json import JsonFormatter

from enrollment_server.calls import Call

_TEXT = logging.Formatter("%(asctime)s %(levelname)s %(message)s")
_NAME = "enrollment_server.calls"
_TOLD = ("reason", "caller", "student_id", "request_id", "trace_id")  # of a call, in a text


def configure(form: str = "auto") -> None:
    """`form` is json, text, or auto: text if a terminal shows it."""
    handler = logging.StreamHandler()
    if _is_json(form):
        renamed = {"levelname": "level", "name": "logger"}
        fields = "%(levelname)s %(name)s %(message)s"
        handler.setFormatter(JsonFormatter(fields, rename_fields=renamed, timestamp="time"))
    else:
        handler.setFormatter(_TEXT)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


class CallLog:
    """Writes a line for each call that has ended, in this form (see `configure`).

    Not by `logging`, which takes several times as long: there is a line for every call.
    """

    def __init__(self, form: str = "auto", *, hash_ids: bool = False) -> None:
        self._hash_ids = hash_ids
        self._line = _json_line if _is_json(form) else _text_line

    def write(self, calls: Iterable[Call]) -> None:
        """Write their lines; if nobody reads the log any more, nothing."""
        lines = (self._line(call, self._told_id(call)) for call in calls)
        with suppress(OSError, ValueError):
            for piece in _pieces(lines):
                sys.stderr.write(piece)
                sys.stderr.flush()

    def _told_id(self, call: Call) -> str:
        return hashed(call.student_id) if call.student_id and self._hash_ids else call.student_id


def hashed(student_id: str) -> str:
    """The same for the same id, everywhere. Whoever knows all ids can find out which it was."""
    return hashlib.blake2b(student_id.encode(), digest_size=8).hexdigest()


def _is_json(form: str) -> bool:
    return form == "json" or (form == "auto" and not sys.stderr.isatty())


def _pieces(lines: Iterable[str]) -> Iterator[str]:
    """The lines, some at a time: as much as a pipe takes whole, for others may write to it."""
    piece = ""
    for line in lines:
        if piece and len((piece + line).encode()) > select.PIPE_BUF:
            yield piece
            piece = ""
        piece += line
    if piece:
        yield piece


def _json_line(call: Call, student_id: str) -> str:
    told = {
        "level": "INFO",
        "logger": _NAME,
        "message": f"{call.method} {call.code}",
        "time": datetime.fromtimestamp(call.end_time, UTC).isoformat(),
        "method": call.method,
        "request_id": call.request_id,
        "trace_id": call.trace_id,
        "caller": call.caller,
        "student_id": student_id,
        "code": call.code,
        "reason": call.reason,
        "seconds": call.seconds,
        "request_size": call.request_size,
        "response_size": call.response_size,
    }
    return json.dumps(told) + "\n"


def _text_line(call: Call, student_id: str) -> str:
    what = f"{call.method} {call.code} {call.seconds * 1000:.1f} ms"
    record = logging.LogRecord(_NAME, logging.INFO, "", 0, what, None, None)
    record.created, record.msecs = call.end_time, call.end_time % 1 * 1000
    values = (call.reason, call.caller, student_id, call.request_id, call.trace_id)
    told = (f" {key}={value}" for key, value in zip(_TOLD, values, strict=True) if value)
    return "".join([_TEXT.format(record), *told, "\n"])
