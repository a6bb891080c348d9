"""Volumes that live and die with their task."""

from __future__ import annotations

from pathlib import Path


def ensure_volume(directory: Path) -> None:
    """
    An empty directory, 0755 and root's, as Fargate gives it; one that is there is left as it is.

    Raises OSError.
    """
    if not directory.is_dir():
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o755)
