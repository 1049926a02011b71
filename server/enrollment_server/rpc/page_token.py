"""Page tokens: where a walk over a student's courses goes on (AIP-158).

A token is the id of the last course given, and a digest that binds it to the student.
The digest guards against mistakes, not against attackers: a token opens nothing that its
student's first page would not. So there is no secret to configure, and a token works on
every server of the same database, also after a restart.
"""

import base64
import hashlib
import hmac

from enrollment_server.errors import PageTokenInvalid

_VERSION = b"\x01"
_DIGEST_SIZE = 8  # bytes
_LONGEST = 1000  # characters; no id makes a token as long


def encode(student_id: str, after: str) -> str:
    """The token for the page of this student's courses after the id `after`."""
    return _text(_VERSION + _digest(student_id, after) + after.encode())


def decode(student_id: str, token: str) -> str:
    """The id after which to go on; empty for the first page, as is its token.

    Raises PageTokenInvalid, unless the token is, to the letter, one made for this student.
    """
    if not token:
        return ""
    if len(token) > _LONGEST:
        raise PageTokenInvalid
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        after = raw[len(_VERSION) + _DIGEST_SIZE :].decode()
    except ValueError:  # not base64, or not UTF-8
        raise PageTokenInvalid from None
    # Comparing the whole also refuses other spellings of the same bytes.
    made_here = hmac.compare_digest(encode(student_id, after).encode(), token.encode())
    if not made_here or "\0" in after:  # no id has a NUL, and PostgreSQL takes none
        raise PageTokenInvalid
    return after


def _digest(student_id: str, after: str) -> bytes:
    content = f"{student_id}\0{after}".encode()
    return hashlib.blake2b(content, digest_size=_DIGEST_SIZE, person=b"page").digest()


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
