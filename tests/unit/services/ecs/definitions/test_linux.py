"""Capabilities, limits, kernel parameters and memory file systems that Linux knows."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.definitions import container, ec2, fargate, refusal
from tidegate.services.ecs.definitions.acceptance import accept

SETTING = "Invalid setting for container 'web'. "
TMPFS = {"containerPath": "/t", "size": 16}


def ulimit(name: str, soft: int, hard: int) -> dict[str, Any]:
    return {"name": name, "softLimit": soft, "hardLimit": hard}


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (
            {"linuxParameters": {"capabilities": {"drop": ["NET_EVERYTHING"]}}},
            SETTING + "'NET_EVERYTHING' is not a Linux capability.",
        ),
        ({"linuxParameters": {"sharedMemorySize": 0}}, SETTING + "'sharedMemorySize' must be greater than 0."),
        (
            {"linuxParameters": {"tmpfs": [{**TMPFS, "containerPath": "t"}]}},
            SETTING + "A tmpfs' 'containerPath' must be an absolute path.",
        ),
        ({"linuxParameters": {"tmpfs": [{**TMPFS, "size": 0}]}}, SETTING + "A tmpfs' 'size' must be greater than 0."),
        (
            {"linuxParameters": {"tmpfs": [{**TMPFS, "mountOptions": ["lower=/etc"]}]}},
            SETTING + "'lower=/etc' is not a mount option of a tmpfs.",
        ),
        (
            {"linuxParameters": {"tmpfs": [{**TMPFS, "mountOptions": ["ro,dev"]}]}},
            SETTING + "'ro,dev' is not a mount option of a tmpfs.",
        ),
        ({"ulimits": [ulimit("nofile", 2, 1)]}, "Soft limit exceeds hard limit for ulimit nofile"),
        ({"ulimits": [ulimit("core", -1, 1)]}, "Soft limit exceeds hard limit for ulimit core"),
        ({"ulimits": [ulimit("core", -2, 1)]}, SETTING + "The ulimit core must not be negative."),
        (
            {"ulimits": [ulimit("core", 1, 1), ulimit("core", 2, 2)]},
            SETTING + "The ulimit core is set more than once.",
        ),
        (
            {"systemControls": [{"namespace": "kernel.hostname", "value": "h"}]},
            SETTING + "'kernel.hostname' is not a namespaced kernel parameter that can be set.",
        ),
        (
            {"systemControls": [{"namespace": "net./../../kernel", "value": "1"}]},
            SETTING + "'net./../../kernel' is not a namespaced kernel parameter that can be set.",
        ),
        (
            {"systemControls": [{"namespace": "net", "value": "1"}]},
            SETTING + "'net' is not a namespaced kernel parameter that can be set.",
        ),
        (
            {"systemControls": [{"namespace": "net.core.somaxconn"}]},
            SETTING + "The kernel parameter 'net.core.somaxconn' needs a value.",
        ),
    ],
)
def test_a_fault_is_refused(members: dict[str, Any], message: str) -> None:
    """One fault, one message."""
    assert refusal(fargate(container(**members))) == message


@pytest.mark.parametrize(
    ("members", "task", "message"),
    [
        ({"linuxParameters": {"swappiness": 101}}, {}, SETTING + "'swappiness' must be between 0 and 100."),
        ({"linuxParameters": {"maxSwap": -1}}, {}, SETTING + "'maxSwap' must not be negative."),
        (
            {"systemControls": [{"namespace": "net.core.somaxconn", "value": "1"}]},
            {"networkMode": "host"},
            SETTING + "'net.core.somaxconn' is not supported when networkMode=host.",
        ),
        (
            {"systemControls": [{"namespace": "kernel.sem", "value": "1"}]},
            {"ipcMode": "host"},
            SETTING + "'kernel.sem' is not supported when ipcMode=host.",
        ),
    ],
)
def test_other_launch_types_have_rules_too(members: dict[str, Any], task: dict[str, Any], message: str) -> None:
    """What Fargate has not at all has its limits elsewhere."""
    assert refusal(ec2(container(**members), **task)) == message


def test_all_that_fargate_allows_is_accepted() -> None:
    """An init process, one capability to add and all to drop, memory file systems, limits and kernel parameters."""
    accept(
        fargate(
            container(
                linuxParameters={
                    "initProcessEnabled": True,
                    "capabilities": {"add": ["SYS_PTRACE"], "drop": ["ALL"]},
                    "sharedMemorySize": 64,
                    "tmpfs": [{**TMPFS, "mountOptions": ["noexec", "mode=1777", "uid=1000"]}],
                },
                ulimits=[ulimit("nofile", 1024, 1048576), ulimit("memlock", -1, -1), ulimit("core", 0, 0)],
                systemControls=[
                    {"namespace": "net.ipv4.tcp_keepalive_time", "value": "500"},
                    {"namespace": "kernel.shm_rmid_forced", "value": "1"},
                    {"namespace": "fs.mqueue.msg_max", "value": "20"},
                ],
            )
        )
    )
