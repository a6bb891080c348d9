"""What a task's role may do with a file system."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.identity import ACCOUNT, Identities, allow, deny
from fakes.specs import task_spec
from tidegate.model.execution import FileSystemRights
from tidegate.model.spec import EfsVolume
from tidegate.services.execution.filesystems import TaskFileSystemRights

pytestmark = pytest.mark.anyio
SYSTEM = "arn:aws:elasticfilesystem:eu-north-1:123456789012:file-system/fs-1"
POINT = "arn:aws:elasticfilesystem:eu-north-1:123456789012:access-point/fsap-1"
ALL, NONE = FileSystemRights(), FileSystemRights(may_mount=False, may_write=False)
VOLUME = EfsVolume(name="v", file_system="fs-1", checks_iam=True)


async def rights(*statements: dict[str, Any], volume: EfsVolume = VOLUME, role: str | None = "app") -> FileSystemRights:
    identities = Identities()
    await identities.role("app", *statements)
    arn = f"arn:aws:iam::123456789012:role/{role}" if role else None
    task = task_spec(account=ACCOUNT.id, region=ACCOUNT.region, task_role=arn)
    return TaskFileSystemRights(identities.store, identities.authorizer).of(task, volume)


async def test_nothing_denies() -> None:
    """The default policy of a file system lets in everybody, whatever else the role may do."""
    assert await rights() == await rights(allow("s3:GetObject")) == await rights(role="unknown") == ALL


async def test_the_role_denies() -> None:
    """Mounting, or writing; this file system, or this access point."""
    assert await rights(deny("elasticfilesystem:*", resource=SYSTEM)) == NONE
    assert await rights(deny("elasticfilesystem:ClientWrite")) == FileSystemRights(may_write=False)
    assert await rights(deny("elasticfilesystem:ClientMount", resource=f"{SYSTEM}2")) == ALL
    condition = {"Condition": {"StringEquals": {"elasticfilesystem:AccessPointArn": POINT}}}
    through = EfsVolume(name="v", file_system="fs-1", access_point="fsap-1", checks_iam=True)
    only_through = deny("elasticfilesystem:ClientMount", **condition)
    assert await rights(only_through) == ALL
    assert await rights(only_through, volume=through) == FileSystemRights(may_mount=False)


async def test_a_task_without_a_role() -> None:
    """Has nobody to be when it is asked who it is."""
    assert await rights(role=None) == NONE
