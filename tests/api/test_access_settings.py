"""Settings of access that contradict each other, and files that cannot be used: no start."""

from pathlib import Path

import pytest

from enrollment_server.app import App
from enrollment_server.db import backends
from enrollment_server.reloading import BadFileError
from enrollment_server.settings import Access, ContradictionError, Settings
from tests.support.certificates import DAY, Authority, dns
from tests.support.issuer import Issuer, key_set

DATABASE = backends.parse_url("sqlite:///none.db")


@pytest.fixture(autouse=True)
def files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Good ones and bad ones, in the current folder."""
    monkeypatch.chdir(folder)
    authority = Authority()
    authority.sign(dns("localhost")).write(folder, "good")
    authority.sign(dns("localhost")).write(folder, "other")
    authority.sign(dns("localhost"), valid=-DAY).write(folder, "expired")
    Path("ca.pem").write_bytes(authority.certificate)
    Path("keys.json").write_bytes(key_set(Issuer(algorithm="ES256")))
    Path("no-keys.json").write_text('{"keys": []}')
    Path("policy.toml").write_text('reader = ["me"]')
    Path("admin.toml").write_text('admin = ["me"]')
    Path("notes.txt").write_text("neither a certificate nor a key")


def access(**given: object) -> Access:
    paths = {"tls_cert", "tls_key", "tls_client_ca", "policy", "jwks"}
    return Access(**{k: Path(str(v)) if k in paths else v for k, v in given.items()})  # type: ignore[arg-type]


CERTIFICATE = {"tls_cert": "good.pem", "tls_key": "good.key"}
ISSUER = {"jwt_issuer": "me", "jwt_audience": "you"}


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"tls_cert": "good.pem"}, "--tls-cert and --tls-key go together"),
        ({"tls_key": "good.key"}, "--tls-cert and --tls-key go together"),
        ({"tls_client_ca": "ca.pem"}, "--tls-client-ca needs --tls-cert and --tls-key"),
        ({**CERTIFICATE, "insecure": True}, "--insecure contradicts --tls-cert"),
        ({"jwks": "keys.json"}, "--jwks, --jwt-issuer and --jwt-audience go together"),
        (
            {"policy": "policy.toml"},
            "--policy speaks of names, and without --tls-client-ca or --jwks nobody has one",
        ),
        (
            {"jwks": "keys.json", **ISSUER},
            "--jwks needs a --policy, which says what each name may do",
        ),
    ],
)
def test_what_contradicts(given: dict[str, object], complaint: str) -> None:
    with pytest.raises(ContradictionError) as refusal:
        App(Settings(DATABASE, access=access(**given)))

    assert str(refusal.value) == complaint


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (
            {"tls_cert": "none.pem", "tls_key": "good.key"},
            "cannot read none.pem: No such file or directory",
        ),
        ({"tls_cert": ".", "tls_key": "good.key"}, "cannot read .: Is a directory"),
        (
            {"tls_cert": "notes.txt", "tls_key": "good.key"},
            "cannot use notes.txt with good.key: the certificate is no certificate in PEM",
        ),
        (
            {"tls_cert": "good.pem", "tls_key": "other.key"},
            "cannot use good.pem with other.key: the key is not the certificate's",
        ),
        (
            {"tls_cert": "good.pem", "tls_key": "notes.txt"},
            "cannot use good.pem with notes.txt:"
            " the key is no private key in PEM without a password",
        ),
        (
            {**CERTIFICATE, "tls_client_ca": "notes.txt"},
            "cannot use good.pem with good.key with notes.txt:"
            " the client CA is no certificate in PEM",
        ),
        (
            {"tls_cert": "expired.pem", "tls_key": "expired.key"},
            "cannot use expired.pem with expired.key: the certificate has expired on ",
        ),
        (
            {"jwks": "no-keys.json", "policy": "policy.toml", **ISSUER},
            "cannot use no-keys.json: it holds no key for signatures, or two of the same id",
        ),
        (
            {"jwks": "keys.json", "policy": "admin.toml", **ISSUER},
            "cannot use admin.toml: there is no role 'admin', only reader, writer",
        ),
    ],
)
def test_what_cannot_be_used(given: dict[str, object], complaint: str) -> None:
    with pytest.raises(BadFileError) as refusal:
        App(Settings(DATABASE, access=access(**given)))

    assert str(refusal.value).startswith(complaint)


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "enrolment.example:0", "10.0.0.1:0"])
def test_plain_text_for_other_machines(listen: str) -> None:
    with pytest.raises(ContradictionError):
        App(Settings(DATABASE, listen=listen))

    App(Settings(DATABASE, listen=listen, access=Access(insecure=True)))


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "127.1.2.3:0", "[::1]:0", "localhost:0"])
def test_plain_text_on_this_machine_is_no_contradiction(listen: str) -> None:
    App(Settings(DATABASE, listen=listen))
