"""What ended the server, in words: of the failures that a host or its user causes, never of mistakes of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tidegate.node.image.images import ImageError
from tidegate.node.network.network import NetworkFailure
from tidegate.node.runtime.probe import NoRuntime
from tidegate.node.runtime.runtime import RuntimeFailure
from tidegate.server.config import ConfigError
from tidegate.store.store import StoreError

OF_THE_HOST = (ConfigError, StoreError, NetworkFailure, NoRuntime, RuntimeFailure, ImageError, OSError)


@contextmanager
def in_words(what: str) -> Iterator[None]:
    """Turn failures of the host, alone or in groups, into ConfigError: `cannot <what>: <why>`. Others pass."""
    try:
        yield
    except BaseException as error:
        leaves = list(_leaves(error))
        if not all(isinstance(leaf, OF_THE_HOST) for leaf in leaves):
            raise
        raise ConfigError(_words(what, leaves[0])) from error


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _leaves(part)
    else:
        yield error


def _words(what: str, error: BaseException) -> str:
    if isinstance(error, ConfigError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"cannot {what}: {where}{error.strerror}"
    return f"cannot {what}: {error}"
