"""Every operation of the generated tables has something that answers it."""

from __future__ import annotations

import inspect

import pytest

from fakes.wired import served
from tidegate.api.shape import Operation


@pytest.mark.parametrize(
    ("service", "operation"),
    [(service.implementation, operation) for service in served() for operation in service.operations.values()],
    ids=lambda value: value.name if isinstance(value, Operation) else "",
)
def test_operation(service: object, operation: Operation) -> None:
    """It is a coroutine function of the context and the request."""
    method = getattr(service, operation.method)
    assert inspect.iscoroutinefunction(method)
    inspect.signature(method).bind(object(), object())
