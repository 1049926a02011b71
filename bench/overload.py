"""What ten times the callers do to a server: how many calls it still answers, and how soon.

Callers in several processes list courses, each again as soon as it is answered, or refused and
after the pause that a caller makes who heeds RESOURCE_EXHAUSTED. First as many as keep the server
busy, then ten times as many, in turn, for some rounds. One more caller asks for the server's
health all the time. Prints the median of each, and the ratio.
"""

import argparse
import asyncio
import multiprocessing
import random
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub

from bench.load import SERVICE
from bench.servers import BATCHES, STUDENTS, fill
from enrollment.v1 import enrollment_pb2 as pb

LIST = f"/{SERVICE}/ListStudentCourses"
CALLERS = 32  # enough to keep the server busy
PROCESSES = 2  # one alone would be slower than the server
CHANNELS = 4  # of each process
PAUSE = 0.1  # seconds that a caller waits who was refused


class Run(NamedTuple):
    """What some callers saw."""

    answered: float  # calls a second
    refused: float  # calls a second
    p50: float  # seconds to an answer
    p99: float
    health: float  # seconds to the slowest answer of a health check


class Seen(NamedTuple):
    """What the callers of one process saw."""

    latencies: list[float]
    refused: int
    health: list[float]


async def call(address: str, callers: int, seconds: float) -> Seen:
    """Let so many callers call for so long. A status that is not expected ends it."""
    seen = Seen([], 0, [])
    refused = 0
    requests = [
        pb.ListStudentCoursesRequest(student_id=f"s-{n}").SerializeToString()
        for n in range(STUDENTS)
    ]
    end = time.monotonic() + seconds

    async def list_again_and_again(channel: grpc.aio.Channel) -> None:
        nonlocal refused
        # Of bytes, and asked for its status only: messages and exceptions would take more of
        # the processor, which is the server's, too, than the call.
        list_courses: Any = channel.unary_unary(LIST)
        while (start := time.monotonic()) < end:
            code = await list_courses(random.choice(requests)).code()
            if code is grpc.StatusCode.OK:
                seen.latencies.append(time.monotonic() - start)
            else:
                assert code is grpc.StatusCode.RESOURCE_EXHAUSTED, code
                refused += 1
                await asyncio.sleep(PAUSE)

    async def check_again_and_again(stub: Any) -> None:
        while (start := time.monotonic()) < end:
            await stub.Check(HealthCheckRequest())
            seen.health.append(time.monotonic() - start)
            await asyncio.sleep(PAUSE)

    # Channels of one process share a connection unless told otherwise.
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
    channels = [grpc.aio.insecure_channel(address, options) for _ in range(CHANNELS)]
    await asyncio.gather(
        check_again_and_again(HealthStub(channels[0])),
        *(list_again_and_again(channels[n % CHANNELS]) for n in range(callers)),
    )
    for channel in channels:
        await channel.close()
    return seen._replace(refused=refused)


def call_alone(address: str, callers: int, seconds: float) -> Seen:
    """The same, as the whole of a process."""
    return asyncio.run(call(address, callers, seconds))


def load(address: str, callers: int, seconds: float) -> Run:
    """Share the callers out to processes, and put together what they saw."""
    # Not forked: gRPC has threads, which a fork would not have.
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as processes:
        futures = [
            processes.submit(call_alone, address, callers // PROCESSES, seconds)
            for _ in range(PROCESSES)
        ]
        seen = [future.result() for future in futures]
    latencies = [latency for one in seen for latency in one.latencies]
    quantiles = statistics.quantiles(latencies, n=100)
    return Run(
        answered=len(latencies) / seconds,
        refused=sum(one.refused for one in seen) / seconds,
        p50=quantiles[49],
        p99=quantiles[98],
        health=max(latency for one in seen for latency in one.health),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each run")
    arguments = parser.parse_args()

    counts = (CALLERS, 10 * CALLERS)
    runs: dict[int, list[Run]] = {callers: [] for callers in counts}
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/bench.db"
        fill(url, Path(folder))
        with BATCHES.serving(url) as server:
            load(server.address, CALLERS, 2.0)  # warms it up
            for _ in range(arguments.rounds):
                for callers in counts:
                    runs[callers].append(load(server.address, callers, arguments.seconds))

    print(
        f"{'callers':>8} {'answered/s':>11} {'refused/s':>10}"
        f" {'p50 ms':>7} {'p99 ms':>7} {'health ms':>10}"
    )
    for callers in counts:
        run = Run(*(statistics.median(column) for column in zip(*runs[callers], strict=True)))
        print(
            f"{callers:8} {run.answered:11.0f} {run.refused:10.0f}"
            f" {run.p50 * 1000:7.0f} {run.p99 * 1000:7.0f} {run.health * 1000:10.0f}"
        )
    ratios = [
        more.answered / few.answered
        for few, more in zip(*(runs[callers] for callers in counts), strict=True)
    ]
    print(f"answered under ten times the callers: {statistics.median(ratios):.2f} of the peak")


if __name__ == "__main__":
    main()
