"""What the gateway refuses by itself, and in which words: tests/gateway asks it."""

from dataclasses import dataclass

from google.rpc.code_pb2 import Code

from enrollment_server.rpc.errors import DOMAIN
from scripts.reference.contract import Reason
from scripts.reference.schemas import Json

REQUEST_ID = "7b0c3a5e-9f1d-4c2a-8e6b-5d4f3a2c1b0e"


@dataclass(frozen=True)
class OwnRefusal(Reason):
    """One of them. Only what cannot be read has a reason with a name."""

    message: str

    @property
    def body(self) -> Json:
        """Its google.rpc.Status."""
        status: Json = {"code": Code.Value(self.code), "message": self.message, "details": []}
        if self.name:
            status["message"] = f"The request cannot be read: {self.message}"
            status["details"] = [
                {
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": self.name,
                    "domain": DOMAIN,
                    "metadata": {},
                },
                {
                    "@type": "type.googleapis.com/google.rpc.BadRequest",
                    "field_violations": [{"field": "", "description": self.message}],
                },
            ]
        return status


OF_ANY_CALL = (
    OwnRefusal(
        *("INVALID_REQUEST", "INVALID_ARGUMENT", 403),
        meaning="The connection is to become another, such as a WebSocket.",
        message="No connection becomes another here, such as a WebSocket.",
    ),
    OwnRefusal(
        *("", "DEADLINE_EXCEEDED", 408),
        meaning="The headers took more than 5 seconds to come, or the request more than 30."
        " Nothing was done.",
        message="The request took too long to come; nothing was done.",
    ),
    OwnRefusal(
        *("INVALID_REQUEST", "INVALID_ARGUMENT", 426),
        meaning="The request is HTTP/1.0.",
        message="It is HTTP/1.0; HTTP/1.1 and HTTP/2 are spoken here.",
    ),
    OwnRefusal(
        *("", "RESOURCE_EXHAUSTED", 431),
        meaning="More than 12 KiB of headers, the path included, or more than 100 of them.",
        message="There are more than 100 headers, or 12 KiB of them.",
    ),
    OwnRefusal(
        *("", "INTERNAL", 500),
        meaning="The answer is not one that the gateway can print.",
        message=f"The gateway failed; its log tells more under {REQUEST_ID}.",
    ),
    OwnRefusal(
        *("", "UNAVAILABLE", 503),
        meaning="No server answered. Try again, after a pause.",
        message="No server answered; try again after a pause.",
    ),
    OwnRefusal(
        *("", "DEADLINE_EXCEEDED", 504),
        meaning="The deadline passed. It is not known what was done.",
        message="The deadline passed; it is not known what was done.",
    ),
)

OF_A_BODY = (
    OwnRefusal(
        *("", "RESOURCE_EXHAUSTED", 413),
        meaning="The body has more than 4 MiB.",
        message="The body has more than 4 MiB.",
    ),
    OwnRefusal(
        *("INVALID_REQUEST", "INVALID_ARGUMENT", 415),
        meaning="The body is not said to be `application/json`.",
        message="The content-type has to be application/json.",
    ),
)
