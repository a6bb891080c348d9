"""
What a container is called on the host: in names of files, of control groups, and to the runtime.

ECS allows names of 255 characters, which is all that a file's name can have; the host's names have a task's id beside
them, or a word of ours before them.
"""

from __future__ import annotations

import hashlib

LONGEST = 150
_KEPT = 100


def host_name(container: str) -> str:
    """The container's own name; of a long one its beginning and what tells it from others. Its own result stays."""
    if len(container) <= LONGEST:
        return container
    return f"{container[:_KEPT]}-{hashlib.sha256(container.encode()).hexdigest()[:32]}"
