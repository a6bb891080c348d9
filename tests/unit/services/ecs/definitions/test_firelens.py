"""Log routers and who uses them, as registration takes them."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.definitions import ROLE, container, fargate, refusal
from tidegate.services.ecs.definitions.acceptance import accept


def router(kind: str = "fluentbit", name: str = "router", **options: str) -> dict[str, Any]:
    named = {option.replace("_", "-"): value for option, value in options.items()}
    return container(name=name, firelensConfiguration={"type": kind, "options": named})


def user(secrets: list[dict[str, str]] | None = None, **options: str) -> dict[str, Any]:
    named = {option.replace("_", "-"): value for option, value in options.items()}
    log: dict[str, Any] = {"logDriver": "awsfirelens", "options": named}
    return container(name="app", logConfiguration=log | ({"secretOptions": secrets} if secrets else {}))


def define(*containers: dict[str, Any]) -> Any:
    return fargate(*containers, executionRoleArn=ROLE, memory="4096", cpu="1024")


@pytest.mark.parametrize(
    "containers",
    [
        (router(),),
        (router(), user()),
        (user(Name="stdout", log_driver_buffer_limit="536870912", mode="blocking", max_buffer_size="1m"), router()),
        (router("fluentd", enable_ecs_log_metadata="false"), user(**{"@type": "stdout"})),
        (router(config_file_type="file", config_file_value="/extra.conf"), user(log_driver_buffer_limit="0")),
        (router(), user([{"name": "key", "valueFrom": "/key"}], Name="http")),
    ],
)
def test_what_works_is_accepted(containers: tuple[dict[str, Any], ...]):
    """A router alone, too; outputs may be in a file of its image."""
    accept(define(*containers))


@pytest.mark.parametrize(
    "containers, text",
    [
        ((user(),), "a firelens configuration object must be specified"),
        ((router(), router(name="other")), "Only one container can have a firelensConfiguration"),
        ((router(config_file_type="s3", config_file_value="arn:aws:s3:::b/k"),), "Fargate only supports the 'file'"),
        ((router(config_file_type="ftp", config_file_value="x"),), "config-file-type: ftp"),
        ((router(config_file_type="file"),), "go together"),
        ((router(config_file_value="/x"),), "go together"),
        (
            (router(config_file_type="file", config_file_value="/fluent-bit/etc/fluent-bit.conf"),),
            "config-file-value: /fluent-bit/etc/fluent-bit.conf",
        ),
        ((router(enable_ecs_log_metadata="yes"),), "enable-ecs-log-metadata: yes"),
        ((router(colour="red"),), "Invalid firelensConfiguration option: colour"),
        ((router(), user(Host="h")), "missing output key Name which is required for firelens configuration of type"),
        ((router("fluentd"), user(Name="x")), "missing output key @type"),
        ((router(), user([{"name": "key", "valueFrom": "/key"}])), "missing output key Name"),
        ((router(), user(Name="stdout\n[OUTPUT]")), "it must be one line"),
        ((router(), user(Name="x", log_driver_buffer_limit="536870913")), "log-driver-buffer-limit: 536870913"),
        ((router(), user(Name="x", log_driver_buffer_limit="-1")), "log-driver-buffer-limit: -1"),
        ((router(), user(Name="x", mode="fast")), "option mode: fast"),
        (
            ({**router(), "logConfiguration": {"logDriver": "awsfirelens"}},),
            "can't use the awsfirelens log driver",
        ),
        (
            ({**router(), "dependsOn": [{"containerName": "app", "condition": "START"}]}, user()),
            "cycle",
        ),
    ],
)
def test_what_cannot_work_is_refused(containers: tuple[dict[str, Any], ...], text: str):
    """One fault, one message."""
    assert text in refusal(define(*containers))
