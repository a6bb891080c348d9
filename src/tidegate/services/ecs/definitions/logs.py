"""
Rules for log drivers and their options.

Source: API reference, LogConfiguration; Developer Guide, awslogs, Splunk and FireLens.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tidegate.api import ecs
from tidegate.model.log_options import BadOption, find_event_start, read_size
from tidegate.services.ecs.definitions.firelens import check_firelens

AWSLOGS_OPTIONS = frozenset(
    {
        "awslogs-group",
        "awslogs-region",
        "awslogs-stream-prefix",
        "awslogs-create-group",
        "awslogs-datetime-format",
        "awslogs-multiline-pattern",
        "mode",
        "max-buffer-size",
    }
)
"""The options of awslogs that Tidegate accepts; `unsupported` refuses the others."""

_REQUIRED = {"awslogs": ("awslogs-region", "awslogs-group"), "splunk": ("splunk-url", "splunk-token")}
_GROUP = re.compile(r"[A-Za-z0-9_./#-]{1,512}")


def check_logs(definition: ecs.TaskDefinition) -> None:
    """Refuse log drivers that lack what they need. Raises ClientException."""
    containers = definition.container_definitions or ()
    for container in containers:
        if container.log_configuration is not None:
            _check_options(container.log_configuration)
            _check_values(container.log_configuration.options or {})
    check_firelens(containers)


def _check_options(log: ecs.LogConfiguration) -> None:
    given = {name for name, value in (log.options or {}).items() if value}
    given.update(secret.name for secret in log.secret_options or ())
    missing = [name for name in _REQUIRED.get(log.log_driver, ()) if name not in given]
    if missing:
        raise ecs.ClientException(f"Log driver {log.log_driver} requires options: {', '.join(missing)}")
    if {"awslogs-datetime-format", "awslogs-multiline-pattern"} <= given:
        raise ecs.ClientException(
            "Log driver awslogs can't have both options: awslogs-datetime-format, awslogs-multiline-pattern"
        )


def _check_values(options: dict[str, str]) -> None:
    rules: dict[str, Callable[[str], object]] = {
        "mode": lambda value: _one_of(value, "blocking", "non-blocking"),
        "max-buffer-size": read_size,
        "awslogs-create-group": lambda value: _one_of(value, "true", "false"),
        "awslogs-group": lambda value: _is(_GROUP.fullmatch(value)),
        # The prefix begins a stream's name, where AWS allows neither of the two.
        "awslogs-stream-prefix": lambda value: _is(not set(value) & set(":*\0")),
        "awslogs-datetime-format": lambda value: find_event_start({"awslogs-datetime-format": value}),
        "awslogs-multiline-pattern": lambda value: find_event_start({"awslogs-multiline-pattern": value}),
    }
    for name, check in rules.items():
        if name not in options:
            continue
        try:
            check(options[name])
        except BadOption as error:
            why = f" ({error})" if str(error) else ""
            raise ecs.ClientException(f"Invalid log configuration option {name}: {options[name]}{why}") from None


def _is(true: object) -> None:
    if not true:
        raise BadOption


def _one_of(value: str, *values: str) -> None:
    _is(value in values)
