"""Log drivers and the options that they need."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.definitions import ROLE, container, ec2, fargate, refusal
from tidegate.services.ecs.definitions.acceptance import accept

OPTIONS = {"awslogs-group": "/app", "awslogs-region": "eu-north-1", "awslogs-stream-prefix": "web"}


def log(driver: str = "awslogs", **options: Any) -> dict[str, Any]:
    given = {name.replace("_", "-"): value for name, value in options.items()}
    merged = {**OPTIONS, **given} if driver == "awslogs" else given
    return container(
        logConfiguration={"logDriver": driver, "options": {k: v for k, v in merged.items() if v is not None}}
    )


@pytest.mark.parametrize(
    ("logged", "message"),
    [
        (log(awslogs_group=None), "Log driver awslogs requires options: awslogs-group"),
        (log(awslogs_region=None), "Log driver awslogs requires options: awslogs-region"),
        (
            log(awslogs_region="", awslogs_group=None),
            "Log driver awslogs requires options: awslogs-region, awslogs-group",
        ),
        (
            log(awslogs_stream_prefix=None),
            "Fargate requires log configuration options to include awslogs-stream-prefix",
        ),
        (log("syslog"), "syslog is not a valid log driver. Must be one of [awslogs, splunk, awsfirelens]"),
        (log("json-file"), "json-file is not a valid log driver. Must be one of [awslogs, splunk, awsfirelens]"),
        (log("splunk", splunk_url="u"), "Log driver splunk requires options: splunk-token"),
        (
            log("awsfirelens"),
            "When awsfirelens log driver is specified in log configuration, "
            "a firelens configuration object must be specified",
        ),
        (
            log(awslogs_datetime_format="%Y", awslogs_multiline_pattern="x"),
            "Log driver awslogs can't have both options: awslogs-datetime-format, awslogs-multiline-pattern",
        ),
        (log(mode="fast"), "Invalid log configuration option mode: fast"),
        (
            log(max_buffer_size="much"),
            "Invalid log configuration option max-buffer-size: much (it is no size, like 25m)",
        ),
        (
            log(awslogs_datetime_format="%Q"),
            "Invalid log configuration option awslogs-datetime-format: %Q (there is no directive %Q)",
        ),
        (
            log(awslogs_multiline_pattern="(?=x)"),
            "Invalid log configuration option awslogs-multiline-pattern: (?=x) (invalid perl operator: (?=)",
        ),
        (log(awslogs_create_group="yes"), "Invalid log configuration option awslogs-create-group: yes"),
        (log(awslogs_group="a b"), "Invalid log configuration option awslogs-group: a b"),
        (log(awslogs_stream_prefix="a:b"), "Invalid log configuration option awslogs-stream-prefix: a:b"),
    ],
)
def test_a_fault_in_logging_is_refused(logged: dict[str, Any], message: str) -> None:
    """One fault, one message."""
    assert refusal(fargate(logged, executionRoleArn=ROLE)) == message


def test_awslogs_needs_an_execution_role_on_fargate() -> None:
    """On AWS the role writes the logs; on EC2 the instance's own role does."""
    message = "Fargate requires task definition to have execution role ARN to support log driver awslogs."
    assert refusal(fargate(log())) == message
    accept(ec2(log()))


def test_all_options_that_are_honoured_are_accepted() -> None:
    """Both modes, a buffer size, the creation of the group, and either way to say what begins an event."""
    for mode in ("blocking", "non-blocking"):
        logged = log(mode=mode, max_buffer_size="25m", awslogs_create_group="true")
        accept(fargate(logged, executionRoleArn=ROLE))
    accept(fargate(log(awslogs_datetime_format="%Y-%m-%d"), executionRoleArn=ROLE))
    accept(fargate(log(awslogs_multiline_pattern="^(INFO|ERROR)"), executionRoleArn=ROLE))


def test_other_drivers_are_accepted_elsewhere() -> None:
    """Fargate has three of the eight drivers."""
    for driver in ("json-file", "syslog", "journald", "gelf", "fluentd"):
        accept(ec2(log(driver)))
