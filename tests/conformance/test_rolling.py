"""Two servers are restarted in turn, over and over, under load: not one call is lost."""

import signal
from contextlib import ExitStack, nullcontext

from sqlalchemy import URL

from enrollment import EnrollmentClient
from tests.conformance.conftest import COURSES, EXECUTABLE
from tests.support.rows import insert_students_and_courses
from tests.support.serving import free_address, serving_process
from tests.support.writing import Load


def test_rolling_two_servers_loses_no_call(url: URL, soak: bool) -> None:
    insert_students_and_courses(url, *COURSES)
    addresses = [free_address(), free_address()]

    with ExitStack() as stack:
        servers = {
            address: stack.enter_context(serving_process(EXECUTABLE, url, "--listen", address))
            for address in addresses
        }
        client = stack.enter_context(EnrollmentClient(f"ipv4:{','.join(addresses)}"))
        load = Load(lambda: nullcontext(client), COURSES)
        with load.running():
            for _ in range(25 if soak else 2):
                for address in addresses:
                    load.goes_on()
                    servers[address].process.send_signal(signal.SIGTERM)
                    assert servers[address].process.wait(30) == 0
                    load.goes_on()
                    servers[address] = stack.enter_context(
                        serving_process(EXECUTABLE, url, "--listen", address)
                    )

        assert load.take_refused() == []
        load.check_acknowledged(client)
