"""What is told of calls, after them."""

import json
import threading
from collections.abc import Iterable

import pytest

from enrollment_server.calls import Call
from enrollment_server.metrics import Metrics
from enrollment_server.ops.logging import CallLog
from enrollment_server.ops.telemetry import Telemetry
from tests.support.waiting import wait_until


def ended(number: int) -> Call:
    return Call("RemoveCourse", request_id=f"r-{number}", seconds=0.01)


def counted(metrics: Metrics) -> float | None:
    labels = {"grpc_method": "/RemoveCourse", "grpc_status": "OK"}
    name = "grpc_server_call_duration_seconds_count"
    return metrics.registry.get_sample_value(name, labels)


def test_is_told_soon(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = Metrics()
    telemetry = Telemetry(metrics, CallLog("json"))
    telemetry.start()

    telemetry.ended(ended(1))
    telemetry.ended(ended(2))

    wait_until(lambda: counted(metrics) == 2)
    telemetry.stop(10)
    lines = capsys.readouterr().err.splitlines()
    assert [json.loads(line)["request_id"] for line in lines] == ["r-1", "r-2"]


def test_is_told_before_the_server_ends(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry = Telemetry(Metrics(), CallLog("json"))
    telemetry.start()

    for number in range(1000):
        telemetry.ended(ended(number))
    telemetry.stop(10)

    assert len(capsys.readouterr().err.splitlines()) == 1000


def test_a_log_that_takes_nothing_holds_nobody_up() -> None:
    stuck, reading = threading.Event(), threading.Event()

    class Stuck(CallLog):
        def write(self, calls: object) -> None:
            stuck.set()
            reading.wait(10)

    metrics = Metrics()
    telemetry = Telemetry(metrics, Stuck("json"))
    telemetry.start()
    assert stuck.wait(10)

    for number in range(1000):
        telemetry.ended(ended(number))
    wait_until(lambda: counted(metrics) == 1000)
    telemetry.stop(0.01)

    reading.set()


def test_goes_on_after_a_fault(capsys: pytest.CaptureFixture[str]) -> None:
    faults = [OSError("no space left")]

    class Failing(CallLog):
        def write(self, calls: Iterable[Call]) -> None:
            if faults:
                raise faults.pop()
            super().write(calls)

    telemetry = Telemetry(Metrics(), Failing("json"))
    telemetry.start()
    wait_until(lambda: not faults)
    telemetry.ended(ended(1))
    telemetry.stop(10)

    assert '"r-1"' in capsys.readouterr().err
