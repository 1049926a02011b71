"""Load: lists by h2load, which costs little beside the server; writes by processes of Python.

Run as a program, it is one process of writers.
"""

import asyncio
import json
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import grpc

from bench.servers import COURSES, STUDENTS, Server
from enrollment.v1 import enrollment_pb2 as pb
from enrollment.v1.enrollment_pb2_grpc import EnrollmentServiceStub

PROCESSES = 8  # of h2load, each with one connection, and a student of its own
WRITERS = 2  # processes
SERVICE = "enrollment.v1.EnrollmentService"


class Measured(NamedTuple):
    """What some callers saw, and what it cost the server."""

    rate: float  # calls a second
    p50: float  # milliseconds
    p99: float  # milliseconds
    cpu: float  # microseconds of the server's processor time for each call


def measured(latencies: Sequence[float], seconds: float, cpu: float) -> Measured:
    """`latencies` are in milliseconds, `cpu` in seconds."""
    quantiles = statistics.quantiles(latencies, n=100)
    count = len(latencies)
    return Measured(count / seconds, quantiles[49], quantiles[98], cpu / count * 1e6)


def lists(server: Server, callers: int, seconds: int) -> Measured:
    """So many calls in flight, of h2load."""
    if not shutil.which("h2load"):
        sys.exit("h2load is needed: Debian has it in the package nghttp2-client")
    processes = min(callers, PROCESSES)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cpu = server.cpu()
        running = []
        for number in range(processes):
            request = pb.ListStudentCoursesRequest(student_id=f"s-{number * 100}")
            encoded = request.SerializeToString()
            body = folder / f"request{number}"
            body.write_bytes(b"\0" + len(encoded).to_bytes(4, "big") + encoded)
            command = ["h2load", f"--duration={seconds}", "--clients=1"]
            command += [f"--max-concurrent-streams={callers // processes}", f"--data={body}"]
            command += ["--header=content-type:application/grpc", "--header=te:trailers"]
            command += [f"--log-file={folder / f'log{number}'}"]
            command += [f"http://{server.address}/{SERVICE}/ListStudentCourses"]
            running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        outputs = [process.communicate()[0] for process in running]
        cpu = server.cpu() - cpu
        for output in outputs:
            assert re.search(r"\b0 failed, 0 errored, 0 timeout", output), output
        # Each line has a start, a status, and microseconds.
        latencies = [
            int(line.split()[2]) / 1000
            for number in range(processes)
            for line in (folder / f"log{number}").read_text().splitlines()
        ]
    return measured(latencies, seconds, cpu)


def writes(method: str, server: Server, callers: int, seconds: int) -> Measured:
    """So many calls in flight of AssociateCourses (3 new ones) or RemoveCourse."""
    processes = min(callers, WRITERS)
    cpu = server.cpu()
    command = [sys.executable, "-m", "bench.load", method, server.address]
    command += [str(callers // processes), str(seconds)]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    latencies = [one for p in running for one in json.loads(p.communicate()[0])]
    return measured(latencies, seconds, server.cpu() - cpu)


async def write(method: str, address: str, callers: int, seconds: float) -> list[float]:
    """The milliseconds that each call took."""
    latencies: list[float] = []
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(address, options) for _ in range(4)]
    end = time.monotonic() + seconds

    async def again_and_again(stub: Any) -> None:
        while (start := time.monotonic()) < end:
            student = f"s-{random.randrange(STUDENTS)}"
            courses = [f"c-{number}" for number in random.sample(range(COURSES), 3)]
            if method == "AssociateCourses":
                await stub.AssociateCourses(
                    pb.AssociateCoursesRequest(student_id=student, course_ids=courses)
                )
            else:
                await stub.RemoveCourse(
                    pb.RemoveCourseRequest(
                        student_id=student, course_id=courses[0], allow_missing=True
                    )
                )
            latencies.append((time.monotonic() - start) * 1000)

    stubs = [EnrollmentServiceStub(channel) for channel in channels]
    await asyncio.gather(*(again_and_again(stubs[n % 4]) for n in range(callers)))
    for channel in channels:
        await channel.close()
    return latencies


if __name__ == "__main__":
    method, address, callers, seconds = sys.argv[1:]
    json.dump(asyncio.run(write(method, address, int(callers), float(seconds))), sys.stdout)
