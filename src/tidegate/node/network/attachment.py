"""What is remembered of each attached task, so that our crash loses nothing: a small file beside the namespace."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from tidegate.model.spec import NetworkSpec, SecurityGroupSpec


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """port: the host's end of the task's veth, a port of the bridge."""

    task: str
    port: str
    spec: NetworkSpec


class Records:
    """
    The files of one network: netns/<task> (a namespace, bound there), attachments/<task>.json, groups.json.

    The files say what to build up again after a crash of the process; none has to outlive a crash of the machine,
    since no namespace does. So nothing waits for the disk.
    """

    def __init__(self, directory: Path) -> None:
        self.namespaces = directory / "netns"
        self._attachments = directory / "attachments"
        self._groups = directory / "groups.json"

    def open(self) -> None:
        """Make the directories."""
        for directory in (self.namespaces, self._attachments):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def namespace(self, task: str) -> Path:
        return self.namespaces / task

    def is_bound(self, task: str) -> bool:
        """Whether the task's file is a namespace now, not what a reboot left of one."""
        try:
            return os.stat(self.namespace(task)).st_dev != os.stat(self.namespaces).st_dev
        except FileNotFoundError:
            return False

    def load(self) -> dict[str, Attachment]:
        """All attachments by task; a file that was not finished is deleted."""
        found: dict[str, Attachment] = {}
        for path in self._attachments.iterdir():
            try:
                attachment = msgspec.json.decode(path.read_bytes(), type=Attachment)
            except msgspec.DecodeError:
                path.unlink(missing_ok=True)
            else:
                found[attachment.task] = attachment
        return found

    def save(self, attachment: Attachment) -> None:
        """Written in place: half a file is as good as none, because the namespace is bound after it only."""
        (self._attachments / f"{attachment.task}.json").write_bytes(msgspec.json.encode(attachment))

    def delete(self, task: str) -> None:
        (self._attachments / f"{task}.json").unlink(missing_ok=True)

    def load_groups(self) -> dict[str, SecurityGroupSpec]:
        """The security groups that bound last."""
        try:
            return msgspec.json.decode(self._groups.read_bytes(), type=dict[str, SecurityGroupSpec])
        except (FileNotFoundError, msgspec.DecodeError):
            return {}

    def save_groups(self, groups: Mapping[str, SecurityGroupSpec]) -> None:
        part = self._groups.with_suffix(".part")
        part.write_bytes(msgspec.json.encode(dict(groups)))
        os.replace(part, self._groups)
