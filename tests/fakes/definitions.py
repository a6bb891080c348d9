"""Task definitions to test with: small ones that are valid, to be changed one field at a time."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tidegate.api import ecs
from tidegate.api.shape import Context
from tidegate.services.ecs.definitions.acceptance import accept

CTX = Context(account="123456789012", region="eu-north-1", request_id="r", principal="arn:aws:iam::123456789012:root")
ROLE = "arn:aws:iam::123456789012:role/execution"


def container(**members: Any) -> dict[str, Any]:
    """A container by its members on the wire; None takes one away."""
    return _without_none({"name": "web", "image": "nginx:1.27", **members})


def fargate(*containers: dict[str, Any], **members: Any) -> ecs.RegisterTaskDefinitionRequest:
    """A Fargate definition by its members on the wire; None takes one away."""
    return decode(
        {
            "family": "app",
            "requiresCompatibilities": ["FARGATE"],
            "networkMode": "awsvpc",
            "cpu": "256",
            "memory": "512",
            "containerDefinitions": containers or (container(),),
            **members,
        }
    )


def ec2(*containers: dict[str, Any], **members: Any) -> ecs.RegisterTaskDefinitionRequest:
    """A definition of the bridge network that requires nothing."""
    return fargate(*containers, **{"requiresCompatibilities": None, "networkMode": None, "cpu": None, **members})


def decode(members: dict[str, Any]) -> ecs.RegisterTaskDefinitionRequest:
    """As it comes from the wire."""
    return msgspec.convert(_without_none(members), ecs.RegisterTaskDefinitionRequest)


def refusal(request: ecs.RegisterTaskDefinitionRequest) -> str:
    """The message with which registration refuses it; fails if it doesn't."""
    with pytest.raises(ecs.ClientException) as caught:
        accept(request)
    return caught.value.message


def _without_none(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
