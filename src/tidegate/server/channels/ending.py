"""How a session came to its end, for the log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(slots=True)
class Ending:
    """code: of a command that has ended."""

    code: int | None = None
    why: str = "the client is gone"


class Channel(Protocol):
    """What serves one session on one connection."""

    async def run(self) -> Ending:
        """Until it is over, or the client is gone."""
