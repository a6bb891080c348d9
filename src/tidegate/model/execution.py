"""
What is fetched in the name of a task's execution role while the task is launched: values of secrets, files, logins.

They exist in memory alone. What is written down of a task (its spec, its record) names them and never holds them.
"""

from __future__ import annotations

from dataclasses import dataclass, field


class ExecutionFailure(Exception):
    """Something can't be had. The message is the end of the task's stopped reason; no value is in it."""


@dataclass(frozen=True, slots=True)
class RegistryLogin:
    """For a private registry."""

    username: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class FileSystemRights:
    """What a task's role may do with an EFS file system."""

    may_mount: bool = True
    may_write: bool = True
