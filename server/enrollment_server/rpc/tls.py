"""Transport security: the server's certificate, and whose client certificates it takes."""

from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from enrollment_server.reloading import Reloaded


def credentials(certificate: Path, key: Path, client_ca: Path | None) -> grpc.ServerCredentials:
    """Credentials that follow the files (PEM): a new connection has what is in them then.

    With `client_ca`, clients need a certificate that one of its certificates has signed.
    Raises BadFileError.
    """
    paths = [certificate, key, *([client_ca] if client_ca else [])]
    configuration = Reloaded(paths, _configuration, nullcontext)
    given = configuration()

    def changed() -> grpc.ServerCertificateConfiguration | None:
        # This is asked for every connection; None leaves what gRPC has made of the last.
        nonlocal given
        before, given = given, configuration()
        return None if given is before else given

    return grpc.dynamic_ssl_server_credentials(
        given, cast(Any, changed), require_client_authentication=client_ca is not None
    )


def _configuration(
    certificate: bytes, key: bytes, client_ca: bytes | None = None
) -> grpc.ServerCertificateConfiguration:
    """Raises ValueError for what a client or gRPC itself would refuse later."""
    own, *_ = _certificates(certificate, "the certificate")
    now = datetime.now(UTC)
    if now > own.not_valid_after_utc:
        raise ValueError(f"the certificate has expired on {own.not_valid_after_utc:%Y-%m-%d}")
    if now < own.not_valid_before_utc:
        raise ValueError(f"the certificate is not valid before {own.not_valid_before_utc:%Y-%m-%d}")
    try:
        private_key = load_pem_private_key(key, password=None)
    except (ValueError, TypeError):  # TypeError: it has a password
        raise ValueError("the key is no private key in PEM without a password") from None
    if private_key.public_key() != own.public_key():
        raise ValueError("the key is not the certificate's")
    if client_ca is not None:
        _certificates(client_ca, "the client CA")
    return grpc.ssl_server_certificate_configuration([(key, certificate)], client_ca)


def _certificates(content: bytes, name: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError:
        raise ValueError(f"{name} is no certificate in PEM") from None
