"""deploy/envoy.yaml as it is, but for addresses and folders: TLS, tokens, browsers, the log."""

import json
import shutil
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from scripts import gateway

from enrollment import EnrollmentClient, PermissionDenied, Tls
from enrollment_server.settings import Access, Limits
from tests.gateway.conftest import Call
from tests.support.certificates import Authority, Pair, dns
from tests.support.databases import Databases
from tests.support.gateway import Answer, call, envoy, envoy_as_written
from tests.support.issuer import AUDIENCE, ISSUER, Issuer, key_set
from tests.support.places import ROOT
from tests.support.refusing import told_servers
from tests.support.rows import insert_students_and_courses
from tests.support.serving import free_address, serving
from tests.support.waiting import wait_until

DEPLOY = ROOT / "deploy"
AUTHORITY, FOREIGN = Authority(), Authority("foreign")
TOKENS = Issuer()
POLICY = 'reader = ["portal"]\nwriter = ["registrar"]'
ADA = "/students/ada/courses"


@pytest.fixture(scope="module")
def etc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the configuration says to put into /etc/envoy, and what a server has."""
    folder = tmp_path_factory.mktemp("etc")
    (folder / "docs").mkdir()
    for name, path in gateway.files().items():
        shutil.copy(path, folder / name)
    AUTHORITY.sign(dns("localhost")).write(folder, "gateway")
    (folder / "servers-ca.pem").write_bytes(AUTHORITY.certificate)
    (folder / "policy.toml").write_text(POLICY)
    (folder / "keys.json").write_bytes(key_set(TOKENS))
    return folder


def port_of(address: str) -> str:
    return address.rpartition(":")[2]


@contextmanager
def production(databases: Databases, etc: Path, certificate: Pair) -> Iterator[str]:
    """The address of a gateway to a server with this certificate, which wants tokens."""
    url = databases.fresh()
    insert_students_and_courses(url)
    tls_cert, tls_key = certificate.write(etc, "server")
    access = Access(
        tls_cert=tls_cert,
        tls_key=tls_key,
        policy=etc / "policy.toml",
        jwks=etc / "keys.json",
        jwt_issuer=ISSUER,
        jwt_audience=AUDIENCE,
    )
    own, admin = free_address(), free_address()
    with serving(url, access=access) as server:
        dialled = f"localhost, port_value: {port_of(server)}"
        places = {
            "/etc/envoy": str(etc),
            "0.0.0.0, port_value: 8443": f"127.0.0.1, port_value: {port_of(own)}",
            "port_value: 9901": f"port_value: {port_of(admin)}",
            "enrollment-1.example.edu, port_value: 50051": dialled,
            "enrollment-2.example.edu, port_value: 50051": dialled,
        }
        text = (DEPLOY / "envoy.yaml").read_text()
        for example, place in places.items():
            assert example in text
            text = text.replace(example, place)
        with envoy_as_written(text, own) as address:
            yield address


@pytest.fixture(scope="module")
def secure(sqlite_databases: Databases, etc: Path) -> Iterator[str]:
    """The address of such a gateway, to a server that is what it says it is."""
    with production(sqlite_databases, etc, AUTHORITY.sign(dns("localhost"))) as address:
        yield address


class TestTls:
    def call(self, address: str, method: str, path: str, body: str | None, name: str) -> Answer:
        """By HTTPS, with a token for this name, if it is not empty."""
        headers = {"authorization": f"Bearer {TOKENS.token(name)}"} if name else {}
        context = ssl.create_default_context(cadata=AUTHORITY.certificate.decode())
        return call(address, method, path, body, headers, tls=context)

    def test_who_may_do_it_is_answered(self, secure: str) -> None:
        answer = self.call(secure, "POST", ADA, '{"course_ids": ["chess"]}', "registrar")

        assert answer.status == 200
        assert answer.json["associations"][0]["course_id"] == "chess"

    def test_who_may_not_is_told_the_role(self, secure: str) -> None:
        answer = self.call(secure, "POST", ADA, '{"course_ids": ["chess"]}', "portal")

        assert (answer.status, answer.refusal.metadata) == (403, {"role": "writer"})

    def test_who_has_no_token_is_nobody(self, secure: str) -> None:
        answer = self.call(secure, "GET", ADA, None, "")

        assert (answer.status, answer.refusal.reason) == (401, "UNAUTHENTICATED")

    def test_grpc_has_the_same_port(self, secure: str) -> None:
        target = f"localhost:{port_of(secure)}"
        tls = Tls(AUTHORITY.certificate)
        with EnrollmentClient(target, tls=tls, token=lambda: TOKENS.token("registrar")) as client:
            client.associate_courses("ada", ["chess"], timeout=5)

            with pytest.raises(PermissionDenied):
                list(client.list_student_courses("ada", timeout=5))


@pytest.mark.parametrize(
    "certificate",
    [AUTHORITY.sign(dns("elsewhere")), FOREIGN.sign(dns("localhost"))],
    ids=["another name", "another authority"],
)
def test_a_server_that_cannot_prove_its_name_gets_no_calls(
    sqlite_databases: Databases, etc: Path, certificate: Pair
) -> None:
    context = ssl.create_default_context(cadata=AUTHORITY.certificate.decode())
    with production(sqlite_databases, etc, certificate) as address:
        assert call(address, "GET", ADA, tls=context).status == 503


class TestOtherOrigins:
    """Pages of other origins: browsers ask first, and show them what they may see."""

    PORTAL = "https://portal.example.edu"

    def preflight(self, http: Call, origin: str) -> Answer:
        asked = {
            "origin": origin,
            "access-control-request-method": "DELETE",
            "access-control-request-headers": "authorization",
        }
        return http("OPTIONS", f"{ADA}/chess", headers=asked)

    def test_one_that_is_named_may_call(self, http: Call) -> None:
        answer = self.preflight(http, self.PORTAL)

        assert (answer.status, answer.body) == (200, b"")
        assert answer.headers["access-control-allow-origin"] == self.PORTAL
        assert "DELETE" in answer.headers["access-control-allow-methods"]
        assert "authorization" in answer.headers["access-control-allow-headers"]

    def test_another_may_not(self, http: Call) -> None:
        answer = self.preflight(http, "https://elsewhere.example.edu")

        assert "access-control-allow-origin" not in answer.headers

    @pytest.mark.parametrize("path", [ADA, "/students/nobody/courses", "/nowhere", f"{ADA}?x=1"])
    def test_answers_and_refusals_may_be_read(self, http: Call, path: str) -> None:
        answer = http("GET", path, headers={"origin": self.PORTAL})

        assert answer.headers["access-control-allow-origin"] == self.PORTAL
        assert "x-request-id" in answer.headers["access-control-expose-headers"]


class TestLog:
    def test_it_has_a_line_for_each_call_with_ids_in_the_path_alone(self, folder: Path) -> None:
        log = folder / "log"
        with (
            told_servers("") as [server],
            envoy(gateway.local(free_address(), server.address), log) as address,
        ):
            call(address, "GET", ADA, headers={"x-request-id": "r-1"})
            wait_until(lambda: "r-1" in log.read_text())

        [line] = [json.loads(line) for line in log.read_text().splitlines() if "r-1" in line]
        assert (line["method"], line.pop("path"), line["status"]) == ("GET", ADA, 200)
        assert (line["grpc_status"], line["server"]) == ("OK", server.address)
        assert "ada" not in json.dumps(line)

    def test_callers_cannot_write_their_own(self, folder: Path) -> None:
        log = folder / "log"
        forged = {"x-envoy-original-path": "/forged", "x-envoy-original-method": "FORGED"}
        with envoy(gateway.local(free_address(), free_address()), log) as address:
            call(address, "GET", "/nowhere", headers=forged)
            wait_until(lambda: "/nowhere" in log.read_text())

        assert "forged" not in log.read_text().lower()


class TestSettings:
    """What has to agree with the servers' defaults, and what nobody else may reach."""

    CONFIG = yaml.safe_load((DEPLOY / "envoy.yaml").read_text())

    def filter(self, name: str) -> Any:
        filters = gateway.connection_manager(self.CONFIG)["http_filters"]
        [found] = [one["typed_config"] for one in filters if one["name"].endswith(name)]
        return found

    def test_a_body_may_have_as_much_as_a_server_takes(self) -> None:
        assert self.filter("buffer")["max_request_bytes"] == Limits.request_size

    def test_a_call_has_as_long_as_the_server_gives_it(self) -> None:
        [host] = gateway.connection_manager(self.CONFIG)["route_config"]["virtual_hosts"]
        longest = host["routes"][0]["route"]["max_stream_duration"]["max_stream_duration"]

        assert float(longest.removesuffix("s")) > Limits.default_timeout

    def test_servers_are_asked_no_more_often_than_they_allow(self) -> None:
        [cluster] = self.CONFIG["static_resources"]["clusters"]
        [options] = cluster["typed_extension_protocol_options"].values()
        keepalive = options["explicit_http_config"]["http2_protocol_options"][
            "connection_keepalive"
        ]

        assert float(keepalive["interval"].removesuffix("s")) > Limits.client_ping

    def test_the_administrators_port_is_on_loopback(self) -> None:
        assert self.CONFIG["admin"]["address"]["socket_address"]["address"] == "127.0.0.1"
