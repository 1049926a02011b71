"""Who is let in, on a real port: certificates, tokens, the policy, and their replacement."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.reflection import SERVICE_NAME
from sqlalchemy import URL

from enrollment import (
    CourseNotFound,
    EnrollmentClient,
    PermissionDenied,
    Tls,
    Unauthenticated,
    Unavailable,
)
from enrollment_server import reloading
from enrollment_server.settings import Access
from tests.support.certificates import DAY, Authority, Pair, dns, uri
from tests.support.databases import Databases
from tests.support.issuer import AUDIENCE, ISSUER, Issuer, key_set
from tests.support.rows import insert_students_and_courses
from tests.support.serving import serving
from tests.support.writing import Load

AUTHORITY, FOREIGN = Authority(), Authority("foreign")
SERVER = AUTHORITY.sign(dns("localhost"))
ISSUER_OF_TOKENS = Issuer()

COURSES = [f"c{number}" for number in range(8)]
POLICY = """
reader = ["spiffe://test/portal", "reports.*", "reports"]
writer = ["spiffe://test/registrar"]
"""


@pytest.fixture(autouse=True)
def looks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reloading, "LOOK", -1)


@pytest.fixture
def url(sqlite_databases: Databases) -> URL:
    url = sqlite_databases.fresh()
    insert_students_and_courses(url, *COURSES)
    return url


@pytest.fixture
def policy(folder: Path) -> Path:
    path = folder / "policy.toml"
    path.write_text(POLICY)
    return path


@contextmanager
def calling(address: str, pair: Pair | None = None, **options: Any) -> Iterator[EnrollmentClient]:
    """A client of a server with a certificate."""
    own = {"private_key": pair.key, "certificate_chain": pair.certificate} if pair else {}
    tls = Tls(AUTHORITY.certificate, **own)
    target = f"localhost:{address.rpartition(':')[2]}"
    with EnrollmentClient(target, tls=tls, timeout=5, retry=None, **options) as client:
        yield client


class TestMutualTls:
    @pytest.fixture
    def address(self, url: URL, folder: Path, policy: Path) -> Iterator[str]:
        certificate, key = SERVER.write(folder, "server")
        authority = folder / "ca.pem"
        authority.write_bytes(AUTHORITY.certificate)
        access = Access(tls_cert=certificate, tls_key=key, tls_client_ca=authority, policy=policy)
        with serving(url, access=access) as address:
            yield address

    def test_a_spiffe_id_names_the_caller(self, address: str) -> None:
        pair = AUTHORITY.sign(dns("reports"), uri("spiffe://test/registrar"))
        with calling(address, pair) as client:
            assert client.remove_course("ada", "chess", allow_missing=True) is False
            with pytest.raises(PermissionDenied) as denial:
                list(client.list_student_courses("ada"))
        assert denial.value.metadata == {"role": "reader"}

    @pytest.mark.parametrize("name", ["reports", "reports.daily"])
    def test_without_one_a_dns_name_does(self, address: str, name: str) -> None:
        with calling(address, AUTHORITY.sign(dns(name))) as client:
            assert list(client.list_student_courses("ada")) == []
            with pytest.raises(PermissionDenied):
                client.associate_courses("ada", ["chess"])

    def test_a_certificate_without_a_name_names_nobody(self, address: str) -> None:
        with calling(address, AUTHORITY.sign()) as client, pytest.raises(Unauthenticated):
            list(client.list_student_courses("ada"))

    @pytest.mark.parametrize(
        "pair",
        [
            None,
            FOREIGN.sign(uri("spiffe://test/registrar")),
            AUTHORITY.sign(uri("spiffe://test/registrar"), valid=-DAY),
        ],
        ids=["none", "foreign", "expired"],
    )
    def test_without_a_good_certificate_there_is_no_connection(
        self, address: str, pair: Pair | None
    ) -> None:
        with calling(address, pair) as client, pytest.raises(Unavailable) as refusal:
            list(client.list_student_courses("ada"))
        assert refusal.value.reason == ""

    def test_plain_text_is_not_understood(self, address: str) -> None:
        with (
            EnrollmentClient(address, timeout=5, retry=None) as client,
            pytest.raises(Unavailable),
        ):
            list(client.list_student_courses("ada"))


class TestTokens:
    @pytest.fixture
    def jwks(self, folder: Path) -> Path:
        path = folder / "keys.json"
        path.write_bytes(key_set(ISSUER_OF_TOKENS))
        return path

    @pytest.fixture
    def address(self, url: URL, policy: Path, jwks: Path) -> Iterator[str]:
        access = Access(policy=policy, jwks=jwks, jwt_issuer=ISSUER, jwt_audience=AUDIENCE)
        with serving(url, access=access) as address:
            yield address

    def client(self, address: str, token: str) -> EnrollmentClient:
        return EnrollmentClient(address, timeout=5, retry=None, token=lambda: token)

    def test_a_token_names_the_caller(self, address: str) -> None:
        with self.client(address, ISSUER_OF_TOKENS.token("reports")) as client:
            assert list(client.list_student_courses("ada")) == []
            with pytest.raises(PermissionDenied):
                client.associate_courses("ada", ["chess"])

    def test_a_call_without_one_is_refused(self, address: str) -> None:
        with EnrollmentClient(address) as client, pytest.raises(Unauthenticated) as refusal:
            list(client.list_student_courses("ada"))
        assert refusal.value.message == "This service takes calls with a token only."

    @pytest.mark.parametrize(
        "token",
        [Issuer().token("reports"), "", "not-a-token", "a.b.c"],
        ids=["another issuer's", "empty", "no token", "no JSON"],
    )
    def test_a_bad_one_is_refused(self, address: str, token: str) -> None:
        with self.client(address, token) as client, pytest.raises(Unauthenticated):
            list(client.list_student_courses("ada"))

    def test_a_refusal_says_nothing_of_what_was_asked(self, address: str) -> None:
        """Not whether the request is well formed, nor whether there is such a student."""
        answers = set()
        with self.client(address, ISSUER_OF_TOKENS.token("stranger")) as client:
            for student_id in ("ada", "nobody", "not an id", ""):
                with pytest.raises(PermissionDenied) as refusal:
                    client.associate_courses(student_id, [])
                answers.add(str(refusal.value))
        assert len(answers) == 1

    def test_the_request_id_finds_a_refused_call(self, address: str) -> None:
        with EnrollmentClient(address) as client, pytest.raises(Unauthenticated) as refusal:
            client.remove_course("ada", "x", metadata=[("x-request-id", "r-1")])
        assert refusal.value.request_id == "r-1"
        returned = cast(Any, refusal.value.rpc_error).trailing_metadata()
        assert dict(returned)["x-request-id"] == "r-1"

    def test_health_is_open(self, address: str) -> None:
        with grpc.insecure_channel(address) as channel:
            answer = HealthStub(channel).Check(HealthCheckRequest(), timeout=5)
        assert answer.status == HealthCheckResponse.SERVING

    def test_keys_are_replaced_under_load(self, address: str, jwks: Path) -> None:
        new = Issuer("two")
        token = new.token("reports")
        with self.client(address, token) as client:
            with pytest.raises(Unauthenticated):
                list(client.list_student_courses("ada"))
            jwks.write_bytes(key_set(ISSUER_OF_TOKENS, new))
            assert list(client.list_student_courses("ada")) == []

    def test_a_policy_is_replaced_and_a_broken_one_is_not(self, address: str, policy: Path) -> None:
        with self.client(address, ISSUER_OF_TOKENS.token("reports")) as client:
            policy.write_text('reader = ["reports"]\nwriter = ["reports"]')
            with pytest.raises(CourseNotFound):
                client.associate_courses("ada", ["no-course"])
            policy.write_text("reader = ")
            with pytest.raises(CourseNotFound):
                client.associate_courses("ada", ["no-course"])


class TestCertificates:
    @pytest.fixture
    def address(self, url: URL, folder: Path) -> Iterator[str]:
        certificate, key = SERVER.write(folder, "server")
        with serving(url, access=Access(tls_cert=certificate, tls_key=key)) as address:
            yield address

    def served(self, address: str) -> bytes:
        """The certificate that a new connection is shown."""
        port = int(address.rpartition(":")[2])
        return ssl.get_server_certificate(("localhost", port)).encode()

    def test_a_client_is_served_and_sends_no_certificate(self, address: str) -> None:
        with calling(address) as client:
            assert list(client.list_student_courses("ada")) == []

    def test_new_connections_have_what_the_files_have_and_old_ones_go_on(
        self, address: str, folder: Path
    ) -> None:
        new = AUTHORITY.sign(dns("localhost"))
        with calling(address) as client:
            assert list(client.list_student_courses("ada")) == []
            new.write(folder, "server")
            assert self.served(address) == new.certificate
            assert list(client.list_student_courses("ada")) == []

    def test_no_call_is_lost_while_they_are_replaced(self, address: str, folder: Path) -> None:
        load = Load(lambda: calling(address), COURSES)
        with load.running():
            for _ in range(5):
                new = AUTHORITY.sign(dns("localhost"))
                new.write(folder, "server")
                assert self.served(address) == new.certificate
                load.goes_on()

        assert load.take_refused() == []

    def test_a_broken_one_leaves_the_old_in_force(self, address: str, folder: Path) -> None:
        expired = AUTHORITY.sign(dns("localhost"), valid=-DAY)
        expired.write(folder, "server")
        assert self.served(address) == SERVER.certificate


def test_a_unix_socket_is_served_in_plain_text(url: URL, folder: Path) -> None:
    with (
        serving(url, listen=f"unix:{folder}/socket") as address,
        EnrollmentClient(address) as client,
    ):
        assert list(client.list_student_courses("ada")) == []


@pytest.mark.parametrize(
    ("reflection", "code"), [(None, "OK"), (True, "OK"), (False, "UNIMPLEMENTED")]
)
def test_reflection_on_loopback_follows_its_flag(
    url: URL, reflection: bool | None, code: str
) -> None:
    with (
        serving(url, access=Access(reflection=reflection)) as address,
        grpc.insecure_channel(address) as channel,
    ):
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
        answers = stub.ServerReflectionInfo(iter([request]), timeout=5)
        with suppress(grpc.RpcError):
            list(answers)
        assert answers.code().name == code


def test_reflection_is_off_for_other_machines(url: URL) -> None:
    with (
        serving(url, listen="0.0.0.0:0", access=Access(insecure=True)) as address,
        grpc.insecure_channel(f"127.0.0.1:{address.rpartition(':')[2]}") as channel,
    ):
        method: Any = channel.stream_stream(f"/{SERVICE_NAME}/ServerReflectionInfo")
        assert method(iter([b""]), timeout=5).code() is grpc.StatusCode.UNIMPLEMENTED
