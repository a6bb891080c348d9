"""What a call is answered with, whichever part of the endpoint it is for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """value: what the body says, as JSON; text alone for a `content_type` of TEXT."""

    value: Any
    status: int = 200
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        return self.value.encode() if self.content_type == TEXT else msgspec.json.encode(self.value)


NOT_FOUND = Answer("404 page not found\n", 404, TEXT)
TOO_MANY = Answer("You have reached maximum request limit.", 429, TEXT, {"connection": "close"})
NOT_ALLOWED = Answer("", 405, TEXT)
