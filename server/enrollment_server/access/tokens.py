"""Bearer tokens: JWTs (RFC 7519) of one issuer, signed by a key of a JSON Web Key Set.

Only signatures by a private key are taken, by the algorithm that the key is for: whoever
can check a token cannot make one, `none` is no algorithm, and a public key is no secret.
"""

import json
from collections.abc import Callable
from typing import NamedTuple

import jwt

from enrollment_server.errors import Unauthenticated

LEEWAY = 30  # seconds by which the clocks of issuer and server may differ

_ALGORITHMS = frozenset(
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
)


class BadKeysError(ValueError):
    """The file is not a set of keys that can be used; the message says why."""


class Keys(NamedTuple):
    """Public keys, by their ids; one without an id is under the empty one."""

    by_id: dict[str, jwt.PyJWK]

    def of(self, token: str) -> jwt.PyJWK:
        """The key that a token says it is signed by. Raises a PyJWTError or KeyError."""
        key_id = jwt.get_unverified_header(token).get("kid", "")
        if not key_id and len(self.by_id) == 1:
            [key] = self.by_id.values()
            return key
        return self.by_id[key_id]


def parse_keys(content: bytes) -> Keys:
    """The keys of a JSON Web Key Set (RFC 7517) that are for signatures. Raises BadKeysError."""
    try:
        found = json.loads(content)["keys"]
        usable = [jwk for jwk in found if jwk.get("use", "sig") == "sig"]
        private = any({"d", "k"} & jwk.keys() for jwk in usable)
        keys = [jwt.PyJWK(jwk) for jwk in usable]
    except Exception as error:  # noqa: BLE001 - there are many ways to be no key
        raise BadKeysError(f"it is not a JSON Web Key Set: {error!r}") from None
    if private:
        raise BadKeysError("it holds a private key, or a secret one; give the public keys alone")
    if others := {key.algorithm_name for key in keys} - _ALGORITHMS:
        raise BadKeysError(f"it holds a key for {', '.join(sorted(others))}, which is not taken")
    by_id = {key.key_id or "": key for key in keys}
    if not keys or len(by_id) != len(keys):
        raise BadKeysError("it holds no key for signatures, or two of the same id")
    return Keys(by_id)


class Tokens:
    """Checks tokens; `keys` gives the keys that are in force."""

    def __init__(self, keys: Callable[[], Keys], *, issuer: str, audience: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience

    def caller(self, token: str) -> str:
        """The name (`sub`) of whom the token was made for. Raises Unauthenticated."""
        try:
            key = self._keys().of(token)
            claims = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                issuer=self._issuer,
                audience=self._audience,
                leeway=LEEWAY,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("The token has expired.") from None
        except (jwt.PyJWTError, KeyError, ValueError, TypeError, RecursionError):
            # What exactly is wrong with it would help whoever forges one.
            raise Unauthenticated("The token is not valid here.") from None
        name = str(claims["sub"])
        if not name.isprintable() or not name.strip():
            raise Unauthenticated("The token is not valid here.")
        return name
