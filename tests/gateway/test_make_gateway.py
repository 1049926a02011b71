"""What `make gateway` runs, with the sample university, and the calls that it says to paste."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil
import pytest
from scripts import gateway
from sqlalchemy import URL

from tests.support.databases import Databases, locked, spelled_out
from tests.support.gateway import call
from tests.support.places import BIN, ROOT, copy_source
from tests.support.sample import sample_database
from tests.support.serving import free_address
from tests.support.waiting import wait_until

SCRIPT = ROOT / "scripts" / "gateway.py"
LISTEN = "127.0.0.1:8080"  # in what people paste
COURSES = "/students/s-10001/courses"

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not there")


@pytest.fixture(scope="module")
def sample(sqlite_databases: Databases) -> URL:
    return sample_database(sqlite_databases)


@pytest.fixture
def url(sample: URL, folder: Path) -> URL:
    """A copy of it."""
    return sample.set(database=str(shutil.copy(str(sample.database), folder)))


@dataclass(frozen=True)
class Running:
    """The script, and what it started."""

    process: "subprocess.Popen[str]"
    address: str
    children: dict[str, psutil.Process]
    _errors: IO[str]

    def said(self) -> str:
        """What it wrote to standard error when it ended; nothing that it started is left."""
        self.process.wait(timeout=30)
        assert not any(child.is_running() for child in self.children.values())
        self._errors.seek(0)
        return self._errors.read()


@contextmanager
def running(folder: Path, url: URL, **environment: str) -> Iterator[Running]:
    address = free_address()
    arguments = ("--listen", address, "--database-url", spelled_out(url))
    with (folder / "errors").open("w+") as errors:
        process = subprocess.Popen(
            [sys.executable, SCRIPT, *arguments],
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == f"the gateway is ready on http://{address}\n"
            console = f"its console, for browsers, is http://{address}/docs\n"
            assert process.stdout.readline() == console
            started = psutil.Process(process.pid).children()
            server, envoy = sorted(started, key=psutil.Process.create_time)
            yield Running(process, address, {"enrollment-server": server, "envoy": envoy}, errors)
        finally:
            process.terminate()  # a failed test may have left it running
            process.communicate()


@pytest.fixture(scope="module")
def address(sample: URL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of one that nobody ends."""
    with running(tmp_path_factory.mktemp("gateway"), sample) as one:
        yield one.address


def pasted(command: str, address: str) -> str:
    """What a call prints that somebody pastes."""
    result = subprocess.run(
        ["bash", "-c", command.replace(LISTEN, address)],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return result.stdout


def without_times(text: str) -> str:
    return re.sub(r'"create_time":"[^"]*Z"', '"create_time":"..."', text.strip())


@needs_curl
def test_the_page_tells_the_truth(address: str) -> None:
    page = (ROOT / "docs" / "http.md").read_text()
    examples = re.findall(r"```sh\n(.*?)```\n```json\n(.*?)```", page, re.DOTALL)
    assert len(examples) == 4

    for command, answer in examples:
        assert without_times(pasted(command, address)) == without_times(answer)


@needs_curl
def test_the_calls_that_it_prints_can_be_pasted(address: str) -> None:
    text = (ROOT / "examples" / "http.txt").read_text()
    calls = [part for part in text.split("\n\n") if part.startswith("curl ")]
    assert len(calls) == 3

    for command in calls:
        pasted(command.replace("curl ", "curl --fail "), address)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_both(folder: Path, url: URL, number: signal.Signals) -> None:
    with running(folder, url) as one:
        one.process.send_signal(number)

        one.said()
        assert one.process.returncode == 0


def test_calls_that_have_begun_are_answered_before_it_ends(folder: Path, url: URL) -> None:
    metrics = free_address()
    method = "enrollment.v1.EnrollmentService/AssociateCourses"
    started = f'grpc_server_call_started_total{{grpc_method="{method}"}} 1'

    def begun() -> bool:
        with urllib.request.urlopen(f"http://{metrics}/metrics") as response:
            return started in response.read().decode()

    with (
        running(folder, url, ENROLLMENT_METRICS_LISTEN=metrics) as one,
        ThreadPoolExecutor(1) as threads,
    ):
        with locked(url):
            answer = threads.submit(
                call, one.address, "POST", COURSES, '{"course_ids": ["cs-101"]}'
            )
            wait_until(begun)
            one.process.terminate()
        assert answer.result(timeout=30).status == 200

        one.said()
        assert one.process.returncode == 0


@pytest.mark.parametrize("name", ["enrollment-server", "envoy"])
def test_if_either_ends_by_itself_so_does_the_other(folder: Path, url: URL, name: str) -> None:
    with running(folder, url) as one:
        one.children[name].kill()

        assert f"{name} ended by itself, with -9\n" in one.said()
        assert one.process.returncode == 1


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = subprocess.run(
            [sys.executable, SCRIPT, "--listen", address],
            capture_output=True,
            text=True,
            timeout=30,
        )

    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"cannot listen on {address}: Address already in use\n"


def test_a_database_of_an_older_version_is_migrated(
    sqlite_databases: Databases, folder: Path
) -> None:
    with running(folder, sqlite_databases.empty()) as one:
        assert call(one.address, "GET", COURSES).refusal.reason == "STUDENT_NOT_FOUND"


def test_make_gateway_makes_the_database_and_serves_it_until_ctrl_c(folder: Path) -> None:
    source = copy_source(folder / "source")
    installed = {".venv": BIN.parent, ".venv-gateway": gateway.ENVOY_VENV}
    for name, place in installed.items():
        (source / name).symlink_to(place)
    as_they_are = [f"--old-file={name}/bin/installed" for name in installed]
    address = free_address()
    with subprocess.Popen(
        ["make", *as_they_are, "gateway", f"LISTEN={address}"],
        cwd=source,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as make:
        assert make.stdout is not None
        try:
            assert f"the gateway is ready on http://{address}\n" in make.stdout
            assert call(address, "GET", COURSES).status == 200
        finally:
            os.killpg(make.pid, signal.SIGINT)

    with pytest.raises(ConnectionRefusedError):
        call(address, "GET", COURSES)


def test_without_a_database_it_does_not_start(folder: Path) -> None:
    result = subprocess.run(
        [sys.executable, SCRIPT, "--listen", free_address(), "--database-url", "sqlite:////no/x"],
        capture_output=True,
        text=True,
        timeout=30,
    )

    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.endswith("enrollment-server did not start\n")
