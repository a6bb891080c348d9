"""Placement constraints of definitions for container instances."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.definitions import container, ec2, refusal
from tidegate.services.ecs.definitions.acceptance import accept

LONG = "x" * 2001
ONE = {"type": "memberOf", "expression": "attribute:ecs.os-type == linux"}


def test_ten_are_taken() -> None:
    """And no more."""
    made = accept(ec2(container(memory=64), placementConstraints=[ONE] * 10))
    assert len(made.placement_constraints or ()) == 10
    assert "at most 10" in refusal(ec2(container(memory=64), placementConstraints=[ONE] * 11))


@pytest.mark.parametrize(
    "constraint",
    [{}, {"type": "memberOf"}, {"expression": "a == b"}, {**ONE, "expression": ""}, {**ONE, "expression": LONG}],
)
def test_each_says_of_what_it_is(constraint: dict[str, Any]) -> None:
    """A type, and an expression that is not too long."""
    assert "placement constraint" in refusal(ec2(container(memory=64), placementConstraints=[constraint]))
