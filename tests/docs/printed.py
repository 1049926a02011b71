"""What a command prints, without what differs from run to run."""

import json
import re

_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")


def parts(text: str) -> list[object]:
    """The words and the JSON objects of a text, in order, with the same time for every time."""
    text = _TIME.sub("TIME", text)
    found: list[object] = []
    while text := text.lstrip():
        if text.startswith("{"):
            value, end = json.JSONDecoder().raw_decode(text)
        else:
            value = text.split(maxsplit=1)[0]
            end = len(value)
        found.append(value)
        text = text[end:]
    return found
