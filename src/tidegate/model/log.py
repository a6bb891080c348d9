"""Log groups, their streams, and the lines in them."""

from __future__ import annotations

from typing import ClassVar, Literal, NamedTuple

import msgspec

from tidegate.model.record import Record

Output = Literal["stdout", "stderr"]


class Burst(NamedTuple):
    """Lines that a container wrote to one of its outputs at one time, without their line ends; some may be empty."""

    output: Output
    time_ns: int
    """Since the epoch."""
    lines: list[bytes]


class LogTargetMissing(Exception):
    """The log group does not exist and may not be created."""


class LogGroup(Record, frozen=True, kw_only=True):
    """A log group. What is kept only because AWS keeps it (the KMS key, the class) is returned as given."""

    KIND = "log-group"

    name: str
    created_at_ms: int
    retention_days: int | None = None
    """None: its events never expire."""
    kms_key: str | None = None
    group_class: str = "STANDARD"
    is_protected: bool = False
    """It may not be deleted."""
    tags: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def key(self) -> str:
        return self.name


class LogStream(Record, frozen=True, kw_only=True):
    """A log stream. Its events, and what is told of them (times, bytes), are the log store's."""

    KIND = "log-stream"
    INDEXES: ClassVar = {"group": lambda stream: stream.group}

    group: str
    name: str
    id: str
    """32 hex digits; a stream that is deleted and made again has another."""
    created_at_ms: int

    @property
    def key(self) -> str:
        return stream_key(self.group, self.name)


def stream_key(group: str, name: str) -> str:
    """A log stream's key; a colon can be in neither name."""
    return f"{group}:{name}"
