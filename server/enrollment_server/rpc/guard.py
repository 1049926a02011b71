"""Who calls, and whether they may: before anything else of a call is looked at."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import grpc

from enrollment_server.access.policy import Policy, Role
from enrollment_server.access.tokens import Tokens
from enrollment_server.calls import Metadata
from enrollment_server.errors import PermissionDenied, Unauthenticated

_ROLES = {"ListStudentCourses": Role.READER}  # all other methods need a writer

_SCHEME = "bearer "

# What gRPC found in a certificate that it has verified, by what is the better name.
_NAMES = ("peer_spiffe_id", "peer_dns")


class CallerGuard:
    """Names callers by their tokens, if `tokens` checks them, else by their certificates.

    `policy` gives the policy in force; without one, whoever has a name may do everything.
    """

    def __init__(self, policy: Callable[[], Policy] | None, tokens: Tokens | None) -> None:
        self._policy = policy
        self._tokens = tokens

    def name(self, context: grpc.ServicerContext, metadata: Metadata) -> str:
        """Who calls. Raises Unauthenticated."""
        if self._tokens is not None and (token := _bearer_token(metadata)):
            return self._tokens.caller(token)
        name = _certified_name(cast(Any, context.auth_context()))
        if not name:
            needed = "a token" if self._tokens is not None else "a certificate that names you"
            raise Unauthenticated(f"This service takes calls with {needed} only.")
        return name

    def check(self, caller: str, method: str) -> None:
        """Raises PermissionDenied unless this caller may call this method."""
        role = _ROLES.get(method, Role.WRITER)
        if self._policy is not None and not self._policy().allows(caller, role):
            raise PermissionDenied(role.value)


def _bearer_token(metadata: Metadata) -> str:
    """Empty if there is none. Raises Unauthenticated if there are several."""
    sent = [str(value) for key, value in metadata if key == "authorization"]
    tokens = [value[len(_SCHEME) :].strip() for value in sent if value.lower().startswith(_SCHEME)]
    if len(tokens) > 1:
        raise Unauthenticated("There is more than one token.")
    return tokens[0] if tokens else ""


def _certified_name(properties: Mapping[str, Iterable[bytes]]) -> str:
    for key in _NAMES:
        for value in properties.get(key, ()):
            return value.decode()
    return ""
