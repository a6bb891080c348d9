"""GetCallerIdentity."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fakes.definitions import CTX
from tidegate.api import sts
from tidegate.services.sts.service import Sts

pytestmark = pytest.mark.anyio


async def test_root() -> None:
    """The root is shown as on AWS: its user id is the account's."""
    answer = await Sts().get_caller_identity(CTX, sts.GetCallerIdentityRequest())
    assert answer == sts.GetCallerIdentityResponse(
        arn="arn:aws:iam::123456789012:root", account="123456789012", user_id="123456789012"
    )


@pytest.mark.parametrize(("key", "expected"), [("AKIAEXAMPLE", "AKIAEXAMPLE"), ("", "ann")])
async def test_user(key: str, expected: str) -> None:
    """Another principal is shown by its key, without one by its name."""
    ctx = replace(CTX, principal="arn:aws:iam::123456789012:user/ann", access_key=key)
    answer = await Sts().get_caller_identity(ctx, sts.GetCallerIdentityRequest())
    assert (answer.arn, answer.user_id) == ("arn:aws:iam::123456789012:user/ann", expected)
