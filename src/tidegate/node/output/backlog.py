"""
How much of a container's output may wait on the node's disk, and what happens when it is too much.

    blocking       no line is lost: the container is held up until there is room again
    non-blocking   the container is never held up: the oldest lines that wait are dropped, and counted

A second limit is the kernel's (RLIMIT_FSIZE of the supervisor), which holds when nobody reads, because the server is
down: what is written beyond it is lost. It is far enough away not to be met while somebody reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

MIB: Final = 1024 * 1024
HOLD_BYTES: Final = 64 * MIB
"""A container in blocking mode is held up when so much waits, and goes on when it is half."""
GREATEST_BYTES: Final = 1024 * MIB
"""No container's output may take more of the disk: whatever its max-buffer-size, and in blocking mode while the server
is down, when nobody can hold it up."""
MARGIN_BYTES: Final = 64 * MIB
"""Beyond the buffer in non-blocking mode: a busy moment should not lose lines that nobody has counted."""
DEFAULT_BUFFER_BYTES: Final = 10 * MIB
"""Source: the Developer Guide, max-buffer-size."""

Verdict = Literal["go", "hold", "drop"]


@dataclass(frozen=True, slots=True)
class Backlog:
    """The rules for one container. max_buffer_bytes: its max-buffer-size."""

    is_blocking: bool = False
    max_buffer_bytes: int = DEFAULT_BUFFER_BYTES

    @property
    def buffer_bytes(self) -> int:
        """So much may wait in non-blocking mode."""
        return min(self.max_buffer_bytes, GREATEST_BYTES - MARGIN_BYTES)

    @property
    def file_bytes(self) -> int:
        """How far its file may grow beyond what has been stored, whoever is there to read it."""
        return GREATEST_BYTES if self.is_blocking else self.buffer_bytes + MARGIN_BYTES

    def judge(self, waiting_bytes: int, *, is_held: bool) -> Verdict:
        """What to do when so much waits. A container in non-blocking mode is never held."""
        if not self.is_blocking:
            return "drop" if waiting_bytes > self.buffer_bytes else "go"
        return "hold" if waiting_bytes > (HOLD_BYTES // 2 if is_held else HOLD_BYTES) else "go"

    def keep(self, waiting_bytes: int) -> int:
        """How much of it to keep when lines are dropped: half a buffer, so that it is not done for each line."""
        return min(waiting_bytes, self.buffer_bytes // 2)
