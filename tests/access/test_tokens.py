"""Bearer tokens: the good ones, and the known kinds of forged ones."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm

from enrollment_server.access.tokens import LEEWAY, BadKeysError, Tokens, parse_keys
from enrollment_server.errors import Unauthenticated
from tests.support.issuer import AUDIENCE, ISSUER, Issuer, key_set

RSA, ELLIPTIC, FOREIGN = Issuer("rsa"), Issuer("elliptic", algorithm="ES256"), Issuer("rsa")


@pytest.fixture
def tokens() -> Tokens:
    keys = parse_keys(key_set(RSA, ELLIPTIC))
    return Tokens(lambda: keys, issuer=ISSUER, audience=AUDIENCE)


def now() -> int:
    return int(time.time())


@pytest.mark.parametrize("issuer", [RSA, ELLIPTIC], ids=["rsa", "elliptic"])
def test_a_token_names_the_caller(tokens: Tokens, issuer: Issuer) -> None:
    assert tokens.caller(issuer.token("portal")) == "portal"


def test_the_only_key_needs_no_id() -> None:
    keys = parse_keys(key_set(RSA))
    token = jwt.encode(RSA.claims("portal"), RSA.key, algorithm="RS256")

    assert Tokens(lambda: keys, issuer=ISSUER, audience=AUDIENCE).caller(token) == "portal"


@pytest.mark.parametrize(
    "claims",
    [
        lambda: {"exp": now() - LEEWAY + 15},
        lambda: {"nbf": now() + LEEWAY - 15},
        lambda: {"aud": ["other", AUDIENCE]},
    ],
    ids=["just expired", "soon valid", "one of its audiences"],
)
def test_a_token_is_not_taken_too_strictly(
    tokens: Tokens, claims: Callable[[], dict[str, Any]]
) -> None:
    assert tokens.caller(RSA.token("portal", **claims())) == "portal"


def text(part: object) -> bytes:
    encoded = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(encoded).rstrip(b"=")


def signed_with_the_public_key() -> str:
    """Key confusion: the public key of an RSA pair, taken for the secret of an HMAC."""
    secret = RSA.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signed = text({"alg": "HS256", "typ": "JWT", "kid": "rsa"}) + b"." + text(RSA.claims())
    return (signed + b"." + text(hmac.digest(secret, signed, hashlib.sha256))).decode()


def unsigned() -> str:
    parts = [text({"alg": "none", "typ": "JWT", "kid": "rsa"}), text(RSA.claims()), b""]
    return b".".join(parts).decode()


def signed_by_hand(header: object) -> str:
    """Signed with the right key, under a header of any kind."""
    signed = text(header) + b"." + text(RSA.claims())
    signature = RSA.key.sign(signed, PKCS1v15(), SHA256())
    return (signed + b"." + text(signature)).decode()


def with_other_claims() -> str:
    header, _, signature = RSA.token("portal").split(".")
    return f"{header}.{text(RSA.claims('registrar')).decode()}.{signature}"


FORGED: dict[str, Callable[[], str]] = {
    "of another issuer's key": FOREIGN.token,
    "of a key that is not there": Issuer("unknown").token,
    "signed with the public key": signed_with_the_public_key,
    "unsigned": unsigned,
    "with other claims": with_other_claims,
    "with its own key": lambda: jwt.encode(
        FOREIGN.claims(), FOREIGN.key, algorithm="RS256", headers={"jwk": FOREIGN.jwk}
    ),
    "expired": lambda: RSA.token(exp=now() - LEEWAY - 5),
    "not yet valid": lambda: RSA.token(nbf=now() + LEEWAY + 5),
    "of another issuer": lambda: RSA.token(iss="https://elsewhere.test"),
    "for another audience": lambda: RSA.token(aud="library"),
    "without expiry": lambda: RSA.token(exp=None),
    "without issuer": lambda: RSA.token(iss=None),
    "without audience": lambda: RSA.token(aud=None),
    "without a name": lambda: RSA.token(sub=None),
    "with a number for a name": lambda: RSA.token(sub=7),
    "with an empty name": lambda: RSA.token(""),
    "with a blank name": lambda: RSA.token(" "),
    "with a name of two lines": lambda: RSA.token("a\nb"),
    "with a header too deep": lambda: (
        text(b"[" * 9000) + b"." + text(RSA.claims()) + b"."
    ).decode(),
    "of two parts": lambda: ".".join(RSA.token().split(".")[:2]),
    "of no parts": lambda: "token",
    "empty": lambda: "",
    "with a list for a key id": lambda: signed_by_hand({"alg": "RS256", "kid": ["rsa"]}),
    "with a list for a header": lambda: signed_by_hand(["RS256"]),
}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
def test_a_forged_token_is_refused(tokens: Tokens, forged: Callable[[], str]) -> None:
    with pytest.raises(Unauthenticated) as refusal:
        tokens.caller(forged())

    assert refusal.value.message in ("The token is not valid here.", "The token has expired.")


NO_PUBLIC_KEYS = {
    "nothing": b"",
    "no keys": b"{}",
    "a list": b"[]",
    "an empty set": b'{"keys": []}',
    "a shared secret": b'{"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "one"}]}',
    "a key without numbers": b'{"keys": [{"kty": "RSA", "kid": "one"}]}',
    "an id that is a list": b'{"keys": [{"kty": "RSA", "kid": ["one"]}]}',
    "deep brackets": b'{"keys": ' + b"[" * 9000,
    "a key for encryption": json.dumps({"keys": [{**RSA.jwk, "use": "enc"}]}).encode(),
    "a private key": json.dumps({"keys": [json.loads(RSAAlgorithm.to_jwk(RSA.key))]}).encode(),
    "two keys with one id": key_set(RSA, FOREIGN),
    "no UTF-8": b"\xff",
}


@pytest.mark.parametrize("content", NO_PUBLIC_KEYS.values(), ids=NO_PUBLIC_KEYS)
def test_what_is_no_set_of_public_keys_is_refused(content: bytes) -> None:
    with pytest.raises(BadKeysError):
        parse_keys(content)
