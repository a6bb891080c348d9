"""Failures of the host become one sentence; mistakes of ours keep their traceback."""

from __future__ import annotations

import errno

import pytest

from tidegate.node.network.network import NetworkFailure
from tidegate.server.config import ConfigError
from tidegate.server.failures import in_words
from tidegate.store.ownership import StoreInUse


@pytest.mark.parametrize(
    "error, words",
    [
        (ConfigError("choose another"), "choose another"),
        (NetworkFailure("no bridge"), "cannot run: no bridge"),
        (StoreInUse("process 7 uses it"), "cannot run: process 7 uses it"),
        (OSError(errno.ENOSPC, "No space left on device", "/state/x"), "cannot run: /state/x: No space left on device"),
        (ExceptionGroup("", [ExceptionGroup("", [ConfigError("deep")])]), "deep"),
    ],
)
def test_failures_of_the_host(error: Exception, words: str):
    """Alone or in groups of groups, what the host or the user caused is told in words."""
    with pytest.raises(ConfigError) as told, in_words("run"):
        raise error
    assert str(told.value) == words


@pytest.mark.parametrize(
    "error", [KeyError("x"), KeyboardInterrupt(), ExceptionGroup("", [OSError("a"), KeyError("b")])]
)
def test_mistakes_pass(error: BaseException):
    """What nobody expected is not dressed up."""
    with pytest.raises(type(error)) as raised, in_words("run"):
        raise error
    assert raised.value is error
