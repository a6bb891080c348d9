"""What shapes show of themselves."""

from __future__ import annotations

import pytest

from tidegate.api import ecs, secretsmanager, ssm
from tidegate.api.shape import Shape, sensitive_members


@pytest.mark.parametrize(
    "shape",
    [
        ssm.PutParameterRequest(name="n", value="canary"),
        ssm.GetParameterResult(parameter=ssm.Parameter(name="n", value="canary")),
        secretsmanager.CreateSecretRequest(name="n", secret_string="canary", secret_binary=b"canary"),
        ecs.ContainerDefinition(name="n", environment=(ecs.KeyValuePair(name="A", value="canary"),)),
    ],
    ids=lambda shape: type(shape).__name__,
)
def test_what_is_sensitive_is_not_printed(shape: Shape) -> None:
    """Neither in a log line nor in a traceback; what is not, is."""
    assert "canary" not in repr(shape)
    assert "'n'" in repr(shape)
    assert "canary" not in str(ValueError(shape))


def test_the_models_mark_values() -> None:
    """By their names in Python."""
    assert sensitive_members(ssm.PutParameterRequest) == {"value"}
    assert sensitive_members(secretsmanager.GetSecretValueResponse) == {"secret_string", "secret_binary"}
