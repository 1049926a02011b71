"""What is known of a call, for the log, the metrics and whoever else looks on."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeAlias

Metadata: TypeAlias = Sequence[tuple[str, str | bytes]]


@dataclass(slots=True)
class Call:
    """One call; it is filled in as the call goes on."""

    method: str  # as in the contract, without its service
    request_id: str  # the caller's own, or one made for the call
    trace_id: str = ""  # of the trace that it is part of (W3C Trace Context), if any
    caller: str = ""  # who calls, by name; empty if nobody asked
    student_id: str = ""  # whom it is about, if that was an id
    code: str = "OK"  # the name of its gRPC status code
    reason: str = ""  # of ErrorReason, without its prefix; empty if OK
    seconds: float = 0.0  # from its arrival to its answer
    end_time: float = 0.0  # when it was answered, in seconds since the epoch
    request_size: int = 0  # bytes
    response_size: int = 0  # bytes


class Observer(Protocol):
    """Is told of every call. What it does is done while callers wait: it has to be quick."""

    def started(self, method: str) -> None:
        """A call has arrived."""

    def ended(self, call: Call) -> None:
        """Its answer is on its way."""


class Tracer(Protocol):
    """Makes every call part of a trace."""

    def span(self, call: Call, metadata: Metadata) -> AbstractContextManager[object]:
        """Is entered when the call is worked on, and left when `call` says how it ended.

        `metadata` came with the call, and names its trace, if it is part of one already.
        """
