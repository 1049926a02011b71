"""Calls that the server does not take are refused at once; the rest is answered."""

from collections.abc import Iterator
from threading import Event, Semaphore
from typing import Any, cast

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from enrollment.v1 import enrollment_pb2 as pb
from enrollment_server.metrics import Metrics
from enrollment_server.ops.health import Health
from enrollment_server.rpc.admission import Admission, CallThreads
from enrollment_server.rpc.server import SERVICE, create_server
from enrollment_server.service.association import AssociationService
from enrollment_server.settings import Limits
from tests.support.statuses import Refusal, refusal
from tests.support.waiting import wait_until

THREADS, QUEUE = 2, 3


class Slow:
    """A service that answers when it is let."""

    def __init__(self, threads: CallThreads) -> None:
        self.begun = Semaphore(0)
        self.may_end = Event()
        self._threads = threads

    async def remove_student_course(self, *_: object, **__: object) -> bool:
        with self._threads.blocking():
            self.begun.release()
            return self.may_end.wait(timeout=30)


@pytest.fixture
def admission() -> Admission:
    return Admission(threads=THREADS, queue=QUEUE)


@pytest.fixture
def service(admission: Admission) -> Iterator[Slow]:
    slow = Slow(admission.threads)
    yield slow
    slow.may_end.set()


@pytest.fixture
def channel(service: Slow, admission: Admission) -> Iterator[grpc.Channel]:
    server = create_server(cast(AssociationService, service), admission, Metrics(), limits=Limits())
    health = Health(SERVICE)
    health.set_serving(True)
    health_pb2_grpc.add_HealthServicer_to_server(health.servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    service.may_end.set()
    server.stop(None).wait()


def call(channel: grpc.Channel) -> Any:
    method: Any = channel.unary_unary(
        f"/{SERVICE}/RemoveCourse", response_deserializer=pb.RemoveCourseResponse.FromString
    )
    request = pb.RemoveCourseRequest(student_id="ada", course_id="chess")
    return method.future(request.SerializeToString(), timeout=30)


def fill(channel: grpc.Channel, service: Slow) -> list[Any]:
    """Calls for every thread, and for every place in the queue."""
    running = [call(channel) for _ in range(THREADS)]
    for _ in running:
        assert service.begun.acquire(timeout=10)
    return running + [call(channel) for _ in range(QUEUE)]


def test_the_excess_is_refused_and_the_rest_is_answered(
    channel: grpc.Channel, service: Slow
) -> None:
    accepted = fill(channel, service)

    # Calls of one channel arrive in the order in which they are made.
    excess = call(channel)
    error = excess.exception(timeout=5)

    assert refusal(error.code(), error.details(), error.trailing_metadata()) == Refusal(
        "RESOURCE_EXHAUSTED",
        "The server has more calls than it can take; try again after a pause.",
        "OVERLOADED",
    )
    assert [one for one in accepted if one.done()] == []
    service.may_end.set()
    assert all(one.result(timeout=10).removed for one in accepted)


def test_calls_are_taken_again_when_the_queue_is_shorter(
    channel: grpc.Channel, service: Slow
) -> None:
    accepted = fill(channel, service)
    assert call(channel).exception(timeout=5) is not None

    service.may_end.set()
    for one in accepted:
        one.result(timeout=10)

    assert call(channel).result(timeout=10).removed


def test_a_server_that_stops_refuses_new_calls_and_answers_the_others(
    channel: grpc.Channel, service: Slow, admission: Admission
) -> None:
    accepted = fill(channel, service)
    wait_until(lambda: admission.waiting == QUEUE)

    admission.close()
    error = call(channel).exception(timeout=5)

    assert refusal(error.code(), error.details(), error.trailing_metadata()) == Refusal(
        "UNAVAILABLE",
        "This server is about to stop; try again, on another.",
        "SHUTTING_DOWN",
    )
    assert not admission.wait_until_idle(0)
    service.may_end.set()
    assert admission.wait_until_idle(10)
    assert all(one.result(timeout=10).removed for one in accepted)


def test_calls_are_answered_while_somebody_who_has_the_turn_is_held_up(
    channel: grpc.Channel, service: Slow, admission: Admission
) -> None:
    service.may_end.set()

    with admission.threads.undisturbed():
        assert call(channel).result(timeout=10).removed


def test_callers_who_give_up_do_not_make_room_for_more_work(
    channel: grpc.Channel, service: Slow, admission: Admission
) -> None:
    """What was begun, or waits, for a caller who has left is still to be gone through."""
    calls = fill(channel, service)
    wait_until(lambda: len(admission.threads._tasks) == QUEUE)
    for one in calls:
        one.cancel()

    assert call(channel).exception(timeout=5).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    service.may_end.set()


def test_health_is_answered_whatever_waits(channel: grpc.Channel, service: Slow) -> None:
    fill(channel, service)

    answer = health_pb2_grpc.HealthStub(channel).Check(
        health_pb2.HealthCheckRequest(service=SERVICE), timeout=5
    )

    assert answer.status == health_pb2.HealthCheckResponse.SERVING


class TestThreads:
    @pytest.fixture
    def threads(self) -> Iterator[CallThreads]:
        threads = CallThreads(2)
        yield threads
        threads.stop()

    def test_one_that_blocks_has_another_take_its_place(self, threads: CallThreads) -> None:
        may_end, done = Event(), Semaphore(0)

        def blocks() -> None:
            with threads.blocking():
                may_end.wait(10)
            done.release()

        threads.run(blocks)
        threads.run(done.release)

        assert done.acquire(timeout=10)
        assert threads.busy
        may_end.set()
        assert done.acquire(timeout=10)
        wait_until(lambda: not threads.busy)

    def test_when_all_are_blocked_the_first_that_is_back_goes_on(
        self, threads: CallThreads
    ) -> None:
        may_end, done = Event(), Semaphore(0)
        for _ in range(2):
            threads.submit(may_end.wait, 10)
        threads.run(done.release)

        may_end.set()

        assert done.acquire(timeout=10)

    def test_one_that_blocks_while_it_blocks_keeps_nobody(self, threads: CallThreads) -> None:
        may_end, done = Event(), Semaphore(0)

        def blocks() -> None:
            with threads.blocking(), threads.blocking():
                may_end.wait(10)

        threads.run(blocks)
        threads.run(done.release)

        assert done.acquire(timeout=10)
        may_end.set()

    def test_a_task_that_fails_costs_no_thread(
        self, threads: CallThreads, caplog: pytest.LogCaptureFixture
    ) -> None:
        done = Semaphore(0)
        for _ in range(3):
            threads.submit(int, "no number")
        threads.run(done.release)

        assert done.acquire(timeout=10)
        wait_until(lambda: not threads.busy)
        assert [record.message for record in caplog.records] == 3 * ["a call was lost"]

    def test_tasks_are_done_though_no_more_threads_can_be_had(
        self, threads: CallThreads, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        done = Semaphore(0)
        threads.run(done.release)
        assert done.acquire(timeout=10)

        def none_left(_: object) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr("threading.Thread.start", none_left)
        may_end = Event()
        threads.submit(may_end.wait, 10)
        threads.run(done.release)
        may_end.set()

        assert done.acquire(timeout=10)
