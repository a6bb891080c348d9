"""What the server says of a failure holds no values: neither variables of the code that failed, nor arguments."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
import structlog

from tidegate.api import ssm
from tidegate.model.execution import RegistryLogin
from tidegate.server.config import Config
from tidegate.server.logging import configure_logging


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_failure_tells_no_values(capsys: pytest.CaptureFixture[str], form: Literal["console", "json"]) -> None:
    """A traceback has lines of code, and the message; a request or a login in it shows no value."""
    configure_logging(Config(state_directory=Path("/nowhere"), log_format=form))
    value = secrets.token_hex()

    def fail() -> None:
        held = {"secret": value}
        raise ValueError(ssm.PutParameterRequest(name="n", value=held["secret"]), RegistryLogin("me", value))

    try:
        fail()
    except ValueError:
        structlog.get_logger().exception("it failed", request=ssm.PutParameterRequest(name="n", value=value))
    told = capsys.readouterr().err
    assert "it failed" in told
    assert "in fail" in told
    assert value not in told
