"""Environment files, read in the name of an execution role."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fakes.identity import ACCOUNT, Identities, allow
from fakes.specs import task_spec
from tidegate.model.execution import ExecutionFailure
from tidegate.services.execution.objects import ExecutionObjects
from tidegate.store.objects import ObjectDirectory

pytestmark = pytest.mark.anyio
TASK = task_spec(
    account=ACCOUNT.id, region=ACCOUNT.region, execution_role="arn:aws:iam::123456789012:role/path/execution"
)


async def source(root: Path, *allowed: str) -> ExecutionObjects:
    (root / "bucket").mkdir()
    (root / "bucket" / "a.env").write_text("A=1")
    identities = Identities()
    await identities.role("execution", allow("s3:GetObject", resource=list(allowed)), path="/path/")
    return ExecutionObjects(ObjectDirectory(root), identities.authorizer)


async def failure(objects: ExecutionObjects, arn: str) -> str:
    with pytest.raises(ExecutionFailure) as caught:
        await objects.read_object(TASK, arn)
    return re.sub(r"request id: [0-9a-f-]{36}", "request id: R", str(caught.value))


async def test_an_object_that_the_role_may_read(tmp_path: Path) -> None:
    """Is given whole."""
    objects = await source(tmp_path, "arn:aws:s3:::bucket/*")
    assert await objects.read_object(TASK, "arn:aws:s3:::bucket/a.env") == b"A=1"


async def test_an_object_that_it_may_not(tmp_path: Path) -> None:
    """Is denied as S3 does it, there or not."""
    objects = await source(tmp_path, "arn:aws:s3:::other/*")
    denied = "failed to write to a temporary file: AccessDenied: Access Denied status code: 403, request id: R"
    assert await failure(objects, "arn:aws:s3:::bucket/a.env") == denied
    assert await failure(objects, "arn:aws:s3:::bucket/none.env") == denied


async def test_an_object_that_is_not_there(tmp_path: Path) -> None:
    """With S3's error."""
    objects = await source(tmp_path, "*")
    assert await failure(objects, "arn:aws:s3:::bucket/none.env") == (
        "NoSuchKey: The specified key does not exist. status code: 404, request id: R"
    )
    assert await failure(objects, "arn:aws:s3:::none/a.env") == (
        "NoSuchBucket: The specified bucket does not exist status code: 404, request id: R"
    )
    assert "is not the ARN of an object" in await failure(objects, "arn:aws:s3:::bucket")
