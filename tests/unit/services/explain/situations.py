"""Tasks in every situation that the rules tell apart, made by hand: what DescribeTasks and the black box would say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from tidegate.api import ecs
from tidegate.model.blackbox import BlackBox, Changed, ContainerBox, LogLine, Memory, Probe
from tidegate.model.status import ContainerStatus, LastStatus, TaskStatus
from tidegate.model.task import Task
from tidegate.services.explain.facts import Facts

BEGAN = 1_700_000_000.0
NOW = BEGAN + 600
MIB = 1 << 20


def container(name: str = "web", **members: Any) -> dict[str, Any]:
    return {"name": name, "image": "shop/web:3", **members}


def ran(name: str = "web", **members: Any) -> ContainerStatus:
    """It runs, unless the members say otherwise."""
    return ContainerStatus(name=name, **{"state": "RUNNING", "started_at": BEGAN + 1, **members})


def ended(code: int, name: str = "web", **members: Any) -> ContainerStatus:
    return ran(name, **{"state": "STOPPED", "exit_code": code, "finished_at": BEGAN + 61, **members})


def box(name: str = "web", *lines: str, **members: Any) -> ContainerBox:
    log = tuple(LogLine(at=BEGAN + 60, stream="stdout", text=line) for line in lines)
    return ContainerBox(name=name, log=log, **members)


def facts(
    *statuses: ContainerStatus,
    definitions: list[dict[str, Any]] | None = None,
    boxes: tuple[ContainerBox, ...] = (),
    black_box: dict[str, Any] | None = None,
    **status: Any,
) -> Facts:
    """A task of these containers; `status` is on top of that of one that runs."""
    values: dict[str, Any] = {
        "last_status": LastStatus.RUNNING,
        "created_at": BEGAN,
        "started_at": BEGAN + 1,
        "pull_started_at": BEGAN + 0.1,
        "pull_stopped_at": BEGAN + 0.2,
        **status,
    }
    task = Task(
        id="0123456789abcdef0123456789abcdef",
        cluster="default",
        definition="shop:3",
        group="family:shop",
        request=ecs.RunTaskRequest(task_definition="shop"),
        container_ids={},
        status=TaskStatus(containers=statuses, **values),
    )
    spec = {"cpu": "256", "memory": "512", "containerDefinitions": definitions or [container(c.name) for c in statuses]}
    definition = msgspec.convert(spec, ecs.TaskDefinition)
    found = BlackBox(task=task.id, at=BEGAN + 61, containers=boxes, **(black_box or {}))
    return Facts(task, definition, found, NOW)


def stopped(*statuses: ContainerStatus, code: str = "EssentialContainerExited", **more: Any) -> Facts:
    reason = "Essential container in task exited" if code == "EssentialContainerExited" else ""
    values = {"stopped_reason": reason, "stopped_at": BEGAN + 62, "stopping_at": BEGAN + 61, **more}
    return facts(*statuses, last_status=LastStatus.STOPPED, desired_status="STOPPED", stop_code=code, **values)


def failed(reason: str, *statuses: ContainerStatus, **more: Any) -> Facts:
    """A task that did not come to run; the reason is its container's as well."""
    statuses = statuses or (ContainerStatus(name="web", state="STOPPED", reason=reason),)
    return stopped(*statuses, code="TaskFailedToStart", stopped_reason=reason, **{"started_at": None, **more})


PULL = "CannotPullContainerError: The task can’t pull the image. "
HEALTH = {"command": ["CMD-SHELL", "curl -f http://localhost/"]}
NEEDS_DB = {"dependsOn": [{"containerName": "db", "condition": "HEALTHY"}]}

SITUATIONS: dict[str, Callable[[], Facts]] = {
    "no-room": lambda: facts(
        ContainerStatus(name="web"),
        last_status=LastStatus.PROVISIONING,
        started_at=None,
        waiting_reason="local: RESOURCE:MEMORY (300 MiB free); other: RESOURCE:CPU",
    ),
    "just-begun": lambda: facts(ContainerStatus(name="web"), last_status=LastStatus.PROVISIONING, started_at=None),
    "pulling": lambda: facts(
        ContainerStatus(name="web"), last_status=LastStatus.ACTIVATING, started_at=None, pull_stopped_at=None
    ),
    "waits-for-dependency": lambda: facts(
        ContainerStatus(name="web"),
        ran("db", has_health_check=True),
        definitions=[container("web", **NEEDS_DB), container("db", healthCheck=HEALTH)],
        boxes=(box("db", probes=(Probe(at=BEGAN, code=1, output="connection refused\n"),)),),
        last_status=LastStatus.ACTIVATING,
        started_at=None,
    ),
    "starting": lambda: facts(ContainerStatus(name="web"), last_status=LastStatus.ACTIVATING, started_at=None),
    "unhealthy": lambda: facts(
        ran(health="UNHEALTHY", has_health_check=True),
        definitions=[container(healthCheck=HEALTH)],
        boxes=(box(probes=(Probe(at=BEGAN, code=127, output="/bin/sh: curl: not found\n"),)),),
    ),
    "restart-loop": lambda: facts(
        ran(restart_count=7, restarted_at=NOW - 5), boxes=(box("web", "starting", "cannot connect to db:5432"),)
    ),
    "sidecar-failed": lambda: facts(
        ran(),
        ended(2, "agent"),
        definitions=[container(), container("agent", essential=False)],
        boxes=(box(), box("agent", "bad option")),
    ),
    "short-of-memory": lambda: facts(
        ran(), black_box={"memory": Memory(peak_bytes=512 * MIB, limit_bytes=512 * MIB, limit_hits=90, kills=2)}
    ),
    "nothing-is-wrong": lambda: facts(
        ran(health="HEALTHY", has_health_check=True),
        black_box={"memory": Memory(peak_bytes=48 * MIB, limit_bytes=512 * MIB)},
    ),
    "stopping": lambda: facts(
        ran(), last_status=LastStatus.STOPPING, desired_status="STOPPED", stopped_reason="Task stopped by user"
    ),
    "stopped-by-user": lambda: stopped(ended(143), code="UserInitiated", stopped_reason="enough for today"),
    "stopped-by-user-and-killed": lambda: stopped(
        ended(137), code="UserInitiated", stopped_reason="Task stopped by user"
    ),
    "image-not-found": lambda: failed(PULL + "Check whether the image exists. shop/web:3: not found"),
    "image-not-permitted": lambda: failed(
        PULL + "Check that the role has the permissions to pull images from the registry. pull access denied"
    ),
    "image-unreachable": lambda: failed(PULL + "Check your network configuration. dial tcp: connection refused"),
    "too-many-pulls": lambda: failed(PULL + "Check your network configuration. toomanyrequests: rate limit"),
    "wrong-architecture": lambda: failed(
        "CannotPullContainerError: image Manifest does not contain descriptor matching platform 'linux/arm64'"
    ),
    "no-room-for-image": lambda: failed("CannotPullContainerError: cannot unpack: no space left on device"),
    "no-log-group": lambda: failed(
        "ResourceInitializationError: failed to validate logger args: The specified log group does not exist. (/shop)"
    ),
    "secret-not-found": lambda: failed(
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
        "ResourceNotFoundException: Secrets Manager can't find the specified secret."
    ),
    "secret-denied": lambda: failed(
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
        "AccessDeniedException: User is not authorized to perform: ssm:GetParameters"
    ),
    "environment-file": lambda: failed("ResourceInitializationError: failed to download env files: no such bucket"),
    "no-such-role": lambda: failed(
        "ECS was unable to assume the role 'arn:aws:iam::123456789012:role/shop' that was provided for this task."
    ),
    "no-such-program": lambda: failed(
        "CannotStartContainerError: executable file `ngnix` not found in $PATH: No such file or directory"
    ),
    "not-executable": lambda: failed("CannotStartContainerError: open executable: Permission denied"),
    "start-timeout": lambda: failed(
        "ContainerRuntimeTimeoutError: Could not transition to running; timed out after waiting 1m"
    ),
    "no-address": lambda: failed(
        "Unexpected EC2 error while attempting to Create Network Interface in subnet 'subnet-1': "
        "InsufficientFreeAddressesInSubnet"
    ),
    "no-capacity": lambda: failed("Capacity is unavailable at this time. Please try again later"),
    "disk-full-before-start": lambda: failed("ResourceInitializationError: [Errno 28] No space left on device"),
    "dependency-never-reached": lambda: failed(
        "Essential container failed",
        ContainerStatus(
            name="web",
            state="STOPPED",
            exit_code=143,
            reason="CannotStartContainerError: dependency graph: container dependency db cannot reach HEALTHY: "
            "it exited with code 1",
        ),
        ended(1, "db"),
        definitions=[container("web", **NEEDS_DB), container("db", healthCheck=HEALTH)],
        boxes=(box("db", "FATAL: data directory is not empty"),),
    ),
    "failed-to-start": lambda: failed("Task failed to start"),
    "out-of-memory-container": lambda: stopped(
        ended(137, reason="OutOfMemoryError: Container killed due to memory usage"),
        definitions=[container(memory=128)],
        boxes=(box("web", "loading model", memory=Memory(peak_bytes=128 * MIB, limit_bytes=128 * MIB, kills=1)),),
        black_box={"memory": Memory(peak_bytes=130 * MIB, limit_bytes=512 * MIB)},
    ),
    "out-of-memory-task": lambda: stopped(
        ended(137, reason="OutOfMemoryError: Container killed due to memory usage"),
        ended(143, "cache", finished_at=BEGAN + 70),
        boxes=(
            box("web", memory=Memory(peak_bytes=100 * MIB, limit_bytes=512 * MIB, kills=1)),
            box("cache", memory=Memory(peak_bytes=410 * MIB, limit_bytes=512 * MIB)),
        ),
        black_box={"memory": Memory(peak_bytes=512 * MIB, limit_bytes=512 * MIB, limit_hits=12)},
    ),
    "disk-full": lambda: stopped(
        ended(1),
        boxes=(
            box(
                "web",
                "writing report",
                "OSError: [Errno 28] No space left on device: '/tmp/report'",
                changed=(Changed(path="/tmp/report", change="added", size_bytes=900 * MIB),),
                written_bytes=900 * MIB,
            ),
        ),
        black_box={"disk_free_bytes": 0, "disk_size_bytes": 1024 * MIB},
    ),
    "restarts-exhausted": lambda: stopped(ended(1, restart_count=4), boxes=(box("web", "cannot bind port 80"),)),
    "supervisor-lost": lambda: stopped(
        ended(137, reason="ContainerRuntimeError: the container was killed because its supervisor was lost")
    ),
    "processes-lost": lambda: stopped(
        ended(
            137,
            reason="ContainerRuntimeError: the container was killed because the task's process namespace was lost",
        )
    ),
    **{
        f"exited-{code}": (lambda code=code: stopped(ended(code), boxes=(box("web", "the last words"),)))
        for code in (0, 1, 3, 126, 127, 134, 137, 139, 143, 152)
    },
    "host-restarted": lambda: stopped(
        ended(0, state="STOPPED", exit_code=None),
        code="TerminationNotice",
        stopped_reason="The host of the task was restarted.",
    ),
    "node-failed": lambda: stopped(
        ran(state="STOPPED"),
        code="TerminationNotice",
        stopped_reason="ContainerRuntimeError: the node could not go on: KeyError: 'x'",
    ),
    "lost": lambda: stopped(
        ran(state="STOPPED"),
        code="InfrastructureHealth",
        stopped_reason="Task was lost: the node that ran it does not know it any more",
    ),
    "stopped-by-service": lambda: stopped(
        ended(143),
        code="ServiceSchedulerInitiated",
        stopped_reason="Scaling activity initiated by (deployment ecs-svc/1)",
    ),
    "spot-interruption": lambda: stopped(
        ended(143), code="SpotInterruption", stopped_reason="Your Spot Task was interrupted."
    ),
    "unknown": lambda: stopped(ran(state="STOPPED"), code="InfrastructureHealth", stopped_reason="Sunspots."),
}
