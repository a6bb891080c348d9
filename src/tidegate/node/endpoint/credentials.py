"""
The credentials of task roles: one URL a task for its life, and behind it keys that are renewed before they expire.

The id in the URL is unguessable, and the same after a restart of the server: it follows from the task's id and a key of
this node. The keys themselves are in memory alone; a server that starts anew issues new ones at the first call.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from tidegate.model.spec import TaskSpec

LIFETIME_SECONDS = 6 * 3600
"""As on AWS, as far as is known."""
RENEWED_BEFORE_SECONDS = 3600
"""No client is given less. SDKs ask again when fifteen minutes are left."""
_KEY_BYTES = 32


class SessionCredentials(Protocol):
    """What signs requests in a role's name. expires_at: seconds since the epoch."""

    @property
    def role_arn(self) -> str: ...
    @property
    def access_key_id(self) -> str: ...
    @property
    def secret_access_key(self) -> str: ...
    @property
    def session_token(self) -> str: ...
    @property
    def expires_at(self) -> float: ...


class CredentialsUnavailable(Exception):
    """There are none now; the message says why, for the log."""


class Sessions(Protocol):
    """Issues credentials of roles."""

    def issue(self, role_arn: str, session_name: str, duration_seconds: float) -> SessionCredentials:
        """New ones. Raises CredentialsUnavailable."""


def read_node_key(path: Path) -> bytes:
    """The node's key, made at first use, for root alone. Raises OSError."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, secrets.token_bytes(_KEY_BYTES))
        os.fsync(fd)
    finally:
        os.close(fd)
    draft.replace(path)
    return path.read_bytes()


class CredentialsIds:
    """The id of a task's credentials. key: the node's."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, task: str) -> str:
        """A UUID; whoever does not have the key can't tell it from a random one."""
        digest = hmac.new(self._key, f"credentials/{task}".encode(), hashlib.sha256).digest()
        return str(uuid.UUID(bytes=digest[:16], version=4))


class RoleCredentials:
    """Keeps the credentials of tasks. is_there: whether a task, by id, still runs. now: seconds since the epoch."""

    def __init__(self, sessions: Sessions, is_there: Callable[[str], bool], now: Callable[[], float]) -> None:
        self._sessions = sessions
        self._is_there = is_there
        self._now = now
        self._held: dict[str, SessionCredentials] = {}

    def get(self, task: TaskSpec) -> SessionCredentials:
        """Those of the task's role, good for an hour at least if they can be. Raises CredentialsUnavailable."""
        if task.task_role is None:
            raise CredentialsUnavailable(f"task {task.id} has no role")
        held = self._held.get(task.id)
        if held is not None and held.expires_at - self._now() >= RENEWED_BEFORE_SECONDS:
            return held
        if held is None:
            self._held = {each: keys for each, keys in self._held.items() if self._is_there(each)}
        try:
            self._held[task.id] = self._sessions.issue(task.task_role, task.id, LIFETIME_SECONDS)
        except CredentialsUnavailable:
            if held is None or held.expires_at <= self._now():
                raise
        return self._held[task.id]
