"""From pieces of any size to exactly so many bytes."""

from __future__ import annotations

from collections.abc import Callable


class ChunkReader:
    """`get` gives the next piece; empty at the end."""

    def __init__(self, get: Callable[[], bytes]) -> None:
        self._get = get
        self._data = b""
        self._at = 0
        self._is_ended = False

    def read(self, count: int) -> bytes:
        """Exactly `count` bytes; fewer at the end only."""
        parts: list[bytes] = []
        while count:
            if self._at == len(self._data) and not self._fill():
                break
            part = self._data[self._at : self._at + count]
            self._at += len(part)
            count -= len(part)
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def drain(self) -> None:
        """Read on to the end: an archive may be followed by padding."""
        while self._fill():
            continue

    def _fill(self) -> bool:
        if not self._is_ended:
            self._data, self._at = self._get(), 0
            self._is_ended = not self._data
        return not self._is_ended
