"""The policy: which callers may read, and which may write.

    # A name stands for itself, or, with * at its end, for all that begin so.
    reader = ["spiffe://example.org/portal", "spiffe://example.org/reports/*"]
    writer = ["spiffe://example.org/registrar"]

That is a file in TOML. Each role is given by itself: who reads and writes is in both.
"""

import tomllib
from collections.abc import Mapping, Sequence
from enum import Enum


class Role(Enum):
    """What a caller may do; the values are the policy's words."""

    READER = "reader"
    WRITER = "writer"


class BadPolicyError(ValueError):
    """The file is not a policy; the message says why."""


class Policy:
    """Which names have which roles."""

    def __init__(self, names: Mapping[Role, Sequence[str]]) -> None:
        self._exact = {
            role: frozenset(name for name in names.get(role, ()) if not name.endswith("*"))
            for role in Role
        }
        self._prefixes = {
            role: tuple(name[:-1] for name in names.get(role, ()) if name.endswith("*"))
            for role in Role
        }

    def allows(self, caller: str, role: Role) -> bool:
        """Whether the caller of this name has the role."""
        return caller in self._exact[role] or caller.startswith(self._prefixes[role])


def parse(content: bytes) -> Policy:
    """The policy that a file holds. Raises BadPolicyError."""
    try:
        table = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadPolicyError(f"it is not TOML: {error}") from None
    names: dict[Role, Sequence[str]] = {}
    for key, value in table.items():
        try:
            role = Role(key)
        except ValueError:
            known = ", ".join(role.value for role in Role)
            raise BadPolicyError(f"there is no role {key!r}, only {known}") from None
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            raise BadPolicyError(f"{key} is not a list of names")
        for name in value:
            if not name or "*" in name[:-1]:
                raise BadPolicyError(f"{name!r} is no name: * may stand at its end only")
        names[role] = value
    return Policy(names)
