"""Who makes tokens in tests."""

import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

ISSUER = "https://issuer.test"
AUDIENCE = "enrollment"


class Issuer:
    """Has a key of its own, RSA or elliptic, and an id for it."""

    def __init__(self, key_id: str = "one", *, algorithm: str = "RS256") -> None:
        self.key_id = key_id
        self.algorithm = algorithm
        self.key: Any
        if algorithm == "RS256":
            self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            public = RSAAlgorithm.to_jwk(self.key.public_key())
        else:
            self.key = ec.generate_private_key(ec.SECP256R1())
            public = ECAlgorithm.to_jwk(self.key.public_key())
        self.jwk = {**json.loads(public), "kid": key_id, "use": "sig"}

    def token(self, name: str = "registrar", **claims: Any) -> str:
        """A token for this name; `claims` replace its claims, and None takes them out."""
        return jwt.encode(
            self.claims(name, **claims),
            self.key,
            algorithm=self.algorithm,
            headers={"kid": self.key_id},
        )

    def claims(self, name: str = "registrar", **claims: Any) -> dict[str, Any]:
        now = int(time.time())
        usual = {"sub": name, "iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 60}
        return {key: value for key, value in {**usual, **claims}.items() if value is not None}


def key_set(*issuers: Issuer) -> bytes:
    """Their public keys, as a JSON Web Key Set."""
    return json.dumps({"keys": [issuer.jwk for issuer in issuers]}).encode()
