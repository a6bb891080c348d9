"""
A login for one registry, handed to skopeo in a file: it is in no argument and in nobody's environment.

The file is 0600, lies where nothing reaches the disk, and is gone when the pull has ended. Its form is that of
containers-auth.json(5).
"""

from __future__ import annotations

import base64
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tidegate.model.execution import RegistryLogin

_PREFIX = ".login-"


@contextmanager
def login_file(directory: Path | None, registry: str, login: RegistryLogin) -> Iterator[Path]:
    """The file while the context lasts. directory None: that of temporary files. Raises OSError."""
    pair = base64.b64encode(f"{login.username}:{login.password}".encode()).decode()
    fd, name = tempfile.mkstemp(prefix=_PREFIX, dir=directory)  # mode 0600
    try:
        with os.fdopen(fd, "w") as file:
            json.dump({"auths": {registry: {"auth": pair}}}, file)
        yield Path(name)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)


def remove_logins(directory: Path) -> None:
    """What a killed process left. Call it while nobody pulls."""
    for path in directory.glob(f"{_PREFIX}*"):
        path.unlink(missing_ok=True)
