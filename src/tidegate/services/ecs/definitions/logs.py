"""
Rules for log drivers and their options.

Source: API reference, LogConfiguration; Developer Guide, awslogs, Splunk and FireLens.
"""

from __future__ import annotations

import re

from tidegate.api import ecs

AWSLOGS_OPTIONS = frozenset(
    {
        "awslogs-group",
        "awslogs-region",
        "awslogs-stream-prefix",
        "awslogs-create-group",
        "mode",
        "max-buffer-size",
    }
)
"""The options of awslogs that Tidegate accepts; `unsupported` refuses the others."""

_REQUIRED = {"awslogs": ("awslogs-region", "awslogs-group"), "splunk": ("splunk-url", "splunk-token")}
_GROUP = re.compile(r"[A-Za-z0-9_./#-]{1,512}")
_SIZE = re.compile(r"[0-9]{1,12}[kmgKMG]?[bB]?")


def check_logs(definition: ecs.TaskDefinition) -> None:
    """Refuse log drivers that lack what they need. Raises ClientException."""
    containers = definition.container_definitions or ()
    has_router = any(container.firelens_configuration is not None for container in containers)
    for container in containers:
        if container.log_configuration is not None:
            _check_options(container.log_configuration)
            _check_values(container.log_configuration.options or {})
            if container.log_configuration.log_driver == "awsfirelens" and not has_router:
                raise ecs.ClientException(
                    "When awsfirelens log driver is specified in log configuration, "
                    "a firelens configuration object must be specified"
                )


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
    rules = {
        "mode": options.get("mode", "blocking") in ("blocking", "non-blocking"),
        "max-buffer-size": _SIZE.fullmatch(options.get("max-buffer-size", "10m")) is not None,
        "awslogs-create-group": options.get("awslogs-create-group", "false") in ("true", "false"),
        "awslogs-group": _GROUP.fullmatch(options.get("awslogs-group", "group")) is not None,
        # The prefix begins a stream's name, where AWS allows neither of the two.
        "awslogs-stream-prefix": not set(options.get("awslogs-stream-prefix", "")) & set(":*\0"),
    }
    for name, is_valid in rules.items():
        if not is_valid:
            raise ecs.ClientException(f"Invalid log configuration option {name}: {options[name]}")
