"""What a refusal by HTTP says."""

from typing import TypeAlias

from tests.support.gateway import Answer

# What a program goes by: HTTP, gRPC, reason, violations.
Told: TypeAlias = tuple[int, str, str, dict[str, str]]

NOTHING_HERE: Told = (404, "NOT_FOUND", "", {})


def told(answer: Answer) -> Told:
    refusal = answer.refusal
    return answer.status, refusal.code, refusal.reason, refusal.violations


def malformed(answer: Answer) -> dict[str, str]:
    """The violations that the answer lists."""
    status, code, reason, violations = told(answer)
    assert (status, code, reason) == (400, "INVALID_ARGUMENT", "INVALID_REQUEST")
    return violations


def refused_by_envoy(answer: Answer) -> str:
    """What it says: Envoy knows no field, and stops at the first violation."""
    [(field, description)] = malformed(answer).items()
    assert field == ""
    assert answer.refusal.message == f"The request cannot be read: {description}"
    return description
