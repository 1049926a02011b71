"""Unary calls that keep no thread while they wait, be it for a request or for an answer.

gRPC's server has a thread wait for each call, and wakes it three times: to begin, when the
request has come, and when its answer is there; that takes longer than all the rest. Here a
call is an object: its request is told of in the thread that takes calls, and its answer is
sent by whichever thread has it. For this, functions are needed that gRPC keeps to itself
(`grpc._server`). They are used in this module alone, and all tests of calls run on the
oldest and on the newest grpcio that is allowed.
"""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, cast

import grpc
from grpc import _cython, _server

from enrollment_server.calls import Metadata
from enrollment_server.rpc.admission import DONE

_NO_FLAGS = 0

logger = logging.getLogger(__name__)


# The stubs that types come from know nothing of either.
server: Any = _server
cygrpc: Any = cast(Any, _cython).cygrpc


class UnaryCall:
    """A call that has begun. All of it can be used in any thread."""

    def __init__(self, event: Any, state: Any) -> None:
        self._event = event
        self._state = state
        self.context: Any = server._Context(event, state, None)
        self.metadata: Metadata = event.invocation_metadata

    def receive(self, then: Callable[[bytes | None], object]) -> None:
        """Have `then` called with the request, once it has come; with None if none comes.

        It is called in the thread that takes calls: it has to be quick.
        """

        def received(event: Any) -> Any:
            with self._state.condition:
                finished = server._possibly_finish_call(self._state, server._RECEIVE_MESSAGE_TOKEN)
            try:
                then(event.batch_operations[0].message())
            except Exception:  # it would be the last call that is taken
                logger.exception("a call was lost")
                self.context.cancel()
            return finished

        with self._state.condition:
            operations = (cygrpc.ReceiveMessageOperation(_NO_FLAGS),)
            self._event.call.start_server_batch(operations, received)
            self._state.due.add(server._RECEIVE_MESSAGE_TOKEN)

    def answer(self, response: bytes | None) -> None:
        """End the call with the status and the trailing metadata that its context has.

        Without a response, nothing goes before the status: a client that has seen headers
        does not retry (gRFC A6).
        """
        server._status(self._event, self._state, response)


def unary_call_handler(begin: Callable[[UnaryCall], object]) -> "grpc.RpcMethodHandler[Any, Any]":
    """A handler whose calls are given to `begin`, in the thread that takes calls.

    It has to be quick.
    """

    def behavior(_request: object, _context: object) -> None:
        """Is never called: in the place of a pool, `_Begin` gives the call to `begin`."""

    cast(Any, behavior).experimental_thread_pool = _Begin(begin)
    return grpc.unary_unary_rpc_method_handler(behavior)


class _Begin(ThreadPoolExecutor):  # gRPC takes nothing else for a pool; it starts no thread
    def __init__(self, begin: Callable[[UnaryCall], object]) -> None:
        self._begin = begin

    def submit(self, task: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        _respond, event, state, *_ = args
        call = UnaryCall(event, state)
        try:
            self._begin(call)
        except Exception:  # it would be the last call that is taken
            logger.exception("a call was lost")
            call.context.cancel()
        return DONE
