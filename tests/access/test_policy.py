"""The policy: who may do what."""

import pytest

from enrollment_server.access.policy import BadPolicyError, Role, parse

POLICY = parse(
    b"""
    reader = ["portal", "spiffe://example.org/reports/*"]
    writer = ["registrar"]
    """
)


@pytest.mark.parametrize(
    ("caller", "role"),
    [
        ("portal", Role.READER),
        ("spiffe://example.org/reports/daily", Role.READER),
        ("spiffe://example.org/reports/", Role.READER),
        ("registrar", Role.WRITER),
    ],
)
def test_a_name_or_its_beginning_has_the_role(caller: str, role: Role) -> None:
    assert POLICY.allows(caller, role)


@pytest.mark.parametrize(
    ("caller", "role"),
    [
        ("portal", Role.WRITER),
        ("registrar", Role.READER),  # a role is given by itself
        ("portal2", Role.READER),
        ("Portal", Role.READER),
        ("spiffe://example.org/report", Role.READER),
        ("", Role.READER),
    ],
)
def test_others_do_not(caller: str, role: Role) -> None:
    assert not POLICY.allows(caller, role)


def test_a_star_alone_is_everybody() -> None:
    assert parse(b'reader = ["*"]').allows("anyone", Role.READER)


def test_an_empty_policy_allows_nothing() -> None:
    assert not any(parse(b"").allows("portal", role) for role in Role)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"reader = [", "it is not TOML"),
        (b"\xff", "it is not TOML"),
        (b'admin = ["me"]', "there is no role 'admin', only reader, writer"),
        (b'reader = "me"', "reader is not a list of names"),
        (b"reader = [1]", "reader is not a list of names"),
        (b'reader = ["a*b"]', "'a*b' is no name"),
        (b'reader = [""]', "'' is no name"),
    ],
)
def test_what_is_no_policy_is_refused(content: bytes, complaint: str) -> None:
    with pytest.raises(BadPolicyError, match=complaint.replace("*", r"\*")):
        parse(content)
