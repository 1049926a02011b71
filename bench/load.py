"""Load: lists by h2load, which costs little beside the server; writes by processes of Python.

Run as a program, it is one process of writers.
"""

import asyncio
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import grpc

from bench.servers import STUDENTS, UNKNOWN, Server, fresh_pair
from enrollment.v1 import enrollment_pb2 as pb
from enrollment.v1.enrollment_pb2_grpc import EnrollmentServiceStub

PROCESSES = 8  # of h2load, each with one connection, and a student of its own
WRITERS = 2  # processes
CHANNELS = 4  # of each writing process
ASSOCIATED = 3  # courses in a call
SERVICE = "enrollment.v1.EnrollmentService"


class Measured(NamedTuple):
    """What some callers saw, and what it cost the server."""

    rate: float  # calls a second
    p50: float  # milliseconds
    p99: float  # milliseconds
    cpu: float  # microseconds of the server's processor time for each call
    statements: float  # for each call


class Meter:
    """What a server uses from now on."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._cpu = server.cpu()
        self._statements = server.statements()

    def read(self, latencies: Sequence[float], seconds: float) -> Measured:
        """`latencies`, in milliseconds, are of all calls meanwhile."""
        calls = len(latencies)
        if calls < 2:  # it stands still
            return Measured(calls / seconds, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN)
        quantiles = statistics.quantiles(latencies, n=100)
        return Measured(
            calls / seconds,
            quantiles[49],
            quantiles[98],
            (self._server.cpu() - self._cpu) / calls * 1e6,
            (self._server.statements() - self._statements) / calls,
        )


def lists(server: Server, callers: int, seconds: int) -> Measured:
    """So many calls in flight, of h2load."""
    if not shutil.which("h2load"):
        sys.exit("h2load is needed: Debian has it in the package nghttp2-client")
    processes = min(callers, PROCESSES)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if not server.http:
            expect_courses(server, [f"s-{number * 100}" for number in range(processes)])
        meter = Meter(server)
        running = []
        for number in range(processes):
            student = f"s-{number * 100}"
            command = ["h2load", f"--duration={seconds}", f"--log-file={folder / f'log{number}'}"]
            if server.http:
                command += ["--h1", f"--clients={callers // processes}"]
                command += [f"http://{server.address}/students/{student}/courses"]
            else:
                encoded = pb.ListStudentCoursesRequest(student_id=student).SerializeToString()
                body = folder / f"request{number}"
                body.write_bytes(b"\0" + len(encoded).to_bytes(4, "big") + encoded)
                command += ["--clients=1", f"--max-concurrent-streams={callers // processes}"]
                command += [f"--data={body}", "--header=content-type:application/grpc"]
                command += ["--header=te:trailers"]
                command += [f"http://{server.address}/{SERVICE}/ListStudentCourses"]
            running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        outputs = [process.communicate()[0] for process in running]
        for output in outputs:
            assert re.search(r"\b0 failed, 0 errored, 0 timeout", output), output
            assert re.search(r"\b0 4xx, 0 5xx", output), output
        # Each line has a start, a status, and microseconds.
        latencies = [
            int(line.split()[2]) / 1000
            for number in range(processes)
            for line in (folder / f"log{number}").read_text().splitlines()
        ]
        return meter.read(latencies, seconds)


def expect_courses(server: Server, students: Sequence[str]) -> None:
    """See that these are answered: h2load does not know a failed call when it sees one."""
    with grpc.insecure_channel(server.address) as channel:
        for student in students:
            request = pb.ListStudentCoursesRequest(student_id=student)
            assert EnrollmentServiceStub(channel).ListStudentCourses(request).courses


def writes(method: str, server: Server, callers: int, seconds: int, first: int) -> Measured:
    """So many calls in flight of AssociateCourses, 3 at a time, or RemoveCourse.

    Each of `pairs` that are not used elsewhere, from the number `first` on.
    """
    processes = min(callers, WRITERS)
    meter = Meter(server)
    running = []
    for number in range(processes):
        command = [sys.executable, "-m", "bench.load", method, server.address]
        command += ["http" if server.http else "grpc", str(callers // processes), str(seconds)]
        command += [str(first + number), str(processes)]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    latencies = [one for process in running for one in json.loads(process.communicate()[0])]
    return meter.read(latencies, seconds)


Write = Callable[[int, int], Awaitable[None]]  # takes the caller's number, and the call's


class GrpcWriters:
    """Writes over gRPC; a failure is an exception."""

    def __init__(self, address: str) -> None:
        options = [("grpc.use_local_subchannel_pool", 1)]
        self._channels = [grpc.aio.insecure_channel(address, options) for _ in range(CHANNELS)]
        self._stubs = [EnrollmentServiceStub(channel) for channel in self._channels]

    async def associate(self, caller: int, number: int) -> None:
        student, courses = to_associate(number)
        request = pb.AssociateCoursesRequest(student_id=student, course_ids=courses)
        await self._stubs[caller % CHANNELS].AssociateCourses(request)

    async def remove(self, caller: int, number: int) -> None:
        student, course = fresh_pair(number)
        request = pb.RemoveCourseRequest(student_id=student, course_id=course)
        await self._stubs[caller % CHANNELS].RemoveCourse(request)

    async def close(self) -> None:
        for channel in self._channels:
            await channel.close()


class HttpWriters:
    """Writes over HTTP/1.1, a connection for each caller; a failure is an exception."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._connections: dict[int, tuple[asyncio.StreamReader, asyncio.StreamWriter]] = {}

    async def associate(self, caller: int, number: int) -> None:
        student, courses = to_associate(number)
        body = json.dumps({"course_ids": courses})
        await self._send(caller, "POST", f"/students/{student}/courses", body)

    async def remove(self, caller: int, number: int) -> None:
        student, course = fresh_pair(number)
        await self._send(caller, "DELETE", f"/students/{student}/courses/{course}", "")

    async def _send(self, caller: int, method: str, path: str, body: str) -> None:
        if caller not in self._connections:
            host, port = self._address.split(":")
            self._connections[caller] = await asyncio.open_connection(host, int(port))
        reader, writer = self._connections[caller]
        head = f"{method} {path} HTTP/1.1\r\nhost: {self._address}\r\n"
        head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write((head + body).encode())
        answer = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"content-length: (\d+)", answer)
        assert answer.startswith("HTTP/1.1 200"), answer
        assert length, answer
        await reader.readexactly(int(length[1]))

    async def close(self) -> None:
        for _, writer in self._connections.values():
            writer.close()


def to_associate(number: int) -> tuple[str, list[str]]:
    """The student and the courses of a call."""
    turn, place = divmod(number, STUDENTS)
    pairs = [fresh_pair((turn * ASSOCIATED + k) * STUDENTS + place) for k in range(ASSOCIATED)]
    return pairs[0][0], [course for _, course in pairs]


async def write(write_one: Write, callers: int, seconds: float, numbers: range) -> list[float]:
    """The milliseconds that each call took."""
    latencies: list[float] = []
    left = iter(numbers)
    end = time.monotonic() + seconds

    async def again_and_again(caller: int) -> None:
        while (start := time.monotonic()) < end:
            await write_one(caller, next(left))
            latencies.append((time.monotonic() - start) * 1000)

    await asyncio.gather(*(again_and_again(caller) for caller in range(callers)))
    return latencies


async def main() -> None:
    method, address, protocol, callers, seconds, first, step = sys.argv[1:]
    writers = HttpWriters(address) if protocol == "http" else GrpcWriters(address)
    write_one = writers.associate if method == "AssociateCourses" else writers.remove
    numbers = range(int(first), 10**9, int(step))
    json.dump(await write(write_one, int(callers), float(seconds), numbers), sys.stdout)
    await writers.close()


if __name__ == "__main__":
    asyncio.run(main())
