"""Every operation of the generated tables has something that answers it."""

from __future__ import annotations

import inspect

import pytest

from fakes.services import Services
from tidegate.api import ec2, ecs, secretsmanager, ssm, sts
from tidegate.api.shape import Operation
from tidegate.services.secretsmanager.service import SecretsManager
from tidegate.services.ssm.service import Ssm
from tidegate.services.sts.service import Sts
from tidegate.store.memory import MemoryStore
from tidegate.store.secrets import Sealer


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        *((Services().ecs, operation) for operation in ecs.OPERATIONS),
        *((Services().ec2, operation) for operation in ec2.OPERATIONS),
        *((Sts(), operation) for operation in sts.OPERATIONS),
        *(
            (SecretsManager(MemoryStore(), Sealer(bytes(32)), lambda: 0), operation)
            for operation in secretsmanager.OPERATIONS
        ),
        *((Ssm(MemoryStore(), Sealer(bytes(32)), lambda: 0), operation) for operation in ssm.OPERATIONS),
    ],
    ids=lambda value: value.name if isinstance(value, Operation) else "",
)
def test_operation(service: object, operation: Operation) -> None:
    """It is a coroutine function of the context and the request."""
    method = getattr(service, operation.method)
    assert inspect.iscoroutinefunction(method)
    assert list(inspect.signature(method).parameters) == ["ctx", "request"]
