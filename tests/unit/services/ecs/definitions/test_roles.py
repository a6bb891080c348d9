"""Which texts name a role."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.definitions import ROLE, fargate, refusal
from tidegate.api import ecs
from tidegate.services.ecs.definitions.acceptance import accept
from tidegate.services.ecs.definitions.roles import check_roles

BAD = (
    "a b",
    "é",
    "a\0",
    "x" * 65,
    "arn:aws:iam::123456789012:user/me",
    "arn:aws:iam::12:role/x",
    "arn:aws:iam:eu-north-1:123456789012:role/x",
    "arn:aws:sts::123456789012:assumed-role/x/y",
    "arn:aws:iam::123456789012:role/",
    "role/a b",
)


@pytest.mark.parametrize("role", ["task", "/path/to/task", ROLE, "arn:aws-cn:iam::123456789012:role/a/b/c", "a+=,.@-_"])
def test_names_paths_and_arns_are_taken(role: str) -> None:
    """As they are given."""
    assert accept(fargate(taskRoleArn=role, executionRoleArn=role)).task_role_arn == role


@pytest.mark.parametrize("role", BAD)
@pytest.mark.parametrize("member", ["taskRoleArn", "executionRoleArn"])
def test_what_names_no_role_is_refused(member: str, role: str) -> None:
    """Of either kind."""
    assert refusal(fargate(**{member: role})) == "Role is not valid"


@given(st.text(max_size=300) | st.text("/a!", max_size=3000))
def test_no_text_takes_long_to_refuse(text: str) -> None:
    """However it is made."""
    began = time.perf_counter()
    with suppress(ecs.ClientException):
        check_roles(text, None)
    assert time.perf_counter() - began < 0.5
