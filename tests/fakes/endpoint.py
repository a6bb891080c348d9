"""A task as the endpoint is told of it, and those that the endpoint asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tidegate.model.counters import ContainerCounters, GroupCounters, InterfaceCount, IoCount
from tidegate.model.spec import ContainerSpec, HealthCheck, NetworkSpec, TaskSpec
from tidegate.model.status import ContainerStatus, LastStatus, Observation
from tidegate.node.endpoint.credentials import CredentialsUnavailable
from tidegate.node.endpoint.facts import Probe, TaskFacts

TASK = "0f3a5c1b7d9e4f2a8b6c4d2e0a1b3c5d"
IMAGE_ID = "sha256:4f1c0e6f0a5d3b2c9e8d7a6b5c4d3e2f1a0b9c8d7e6f5a4b3c2d1e0f9a8b7c6d"
ROLE = "arn:aws:iam::123456789012:role/app-task"
ADDRESS = "10.0.2.61"


def web_task(**changes: Any) -> TaskSpec:
    """The task of AWS's example, invented values: one container, `app`."""
    arn = f"arn:aws:ecs:eu-north-1:123456789012:task/demo/{TASK}"
    labels = {
        "cluster": "arn:aws:ecs:eu-north-1:123456789012:cluster/demo",
        "container-name": "app",
        "task-arn": arn,
        "task-definition-family": "web",
        "task-definition-version": "7",
    }
    app = ContainerSpec(
        name="app",
        arn=f"arn:aws:ecs:eu-north-1:123456789012:container/demo/{TASK}/7c1e9a52-3b0d-4f86-9a77-21d4c0b8e6f3",
        image="123456789012.dkr.ecr.eu-north-1.amazonaws.com/app:3",
        cpu_units=256,
        memory_mib=512,
        labels={f"com.amazonaws.ecs.{name}": value for name, value in labels.items()},
        health_check=HealthCheck(command=("true",)),
        log_driver="awslogs",
        log_options={
            "awslogs-group": "/ecs/web",
            "awslogs-region": "eu-north-1",
            "awslogs-stream": f"web/app/{TASK}",
        },
    )
    network = NetworkSpec(
        interface="eni-1",
        address=ADDRESS,
        prefix_length=24,
        gateway="10.0.2.1",
        mac="0a:1b:2c:3d:4e:5f",
        hostname="ip-10-0-2-61.eu-north-1.compute.internal",
    )
    values: dict[str, Any] = {
        "id": TASK,
        "account": "123456789012",
        "region": "eu-north-1",
        "cluster": "demo",
        "family": "web",
        "family_revision": 7,
        "cpu_units": 512,
        "memory_mib": 1024,
        "containers": (app,),
        "network": network,
        "service": "web-svc",
        "availability_zone": "eu-north-1b",
    }
    return TaskSpec(**(values | changes))


def facts_of(
    task: TaskSpec, *statuses: ContainerStatus, probes: Mapping[str, Probe] | None = None, **changes: Any
) -> TaskFacts:
    """The task as it runs."""
    containers = statuses or tuple(
        ContainerStatus(name=c.name, state="RUNNING", created_at=1.0, started_at=2.0) for c in task.containers
    )
    values = {"task": task.id, "revision": 5, "last_status": LastStatus.RUNNING, "containers": containers, **changes}
    return TaskFacts(task, Observation(**values), probes or {})


def counters(at: float, **changes: Any) -> ContainerCounters:
    """A reading; `group` as members of the group's counters, `rx` and `tx` as bytes."""
    group: dict[str, Any] = {
        "cpu_nanoseconds": 360_968_065,
        "cpu_user_nanoseconds": 290_000_000,
        "cpu_kernel_nanoseconds": 40_000_000,
        "cpu_nanoseconds_by_core": (182_359_190, 178_608_875),
        "periods": 0,
        "throttled_periods": 0,
        "throttled_nanoseconds": 0,
        "memory_bytes": 1_806_336,
        "memory_peak_bytes": 6_299_648,
        "memory_failures": 0,
        "memory_limit_bytes": 536_870_912,
        "memory": {"rss": 557_056, "cache": 0},
        "pids": 4,
        "io_bytes": (IoCount(202, 1, "Read", 40_960),),
    }
    names = ("rx_bytes", "rx_packets", "rx_errors", "rx_dropped", "tx_bytes", "tx_packets", "tx_errors", "tx_dropped")
    values = (changes.pop("rx", 84), 2, 0, 0, changes.pop("tx", 84), 2, 0, 0)
    return ContainerCounters(
        read_at=at,
        group=GroupCounters(**(group | changes.pop("group", {}))),
        host_cpu_nanoseconds=changes.pop("host_cpu", 13_840_000_000),
        cores=2,
        host_memory_bytes=8 << 30,
        interfaces={"eth1": InterfaceCount(**dict(zip(names, values, strict=True)))},
    )


class FakeTasks(dict[str, TaskFacts]):
    """By address."""

    def find(self, address: str) -> TaskFacts | None:
        return self.get(address)

    def is_running(self, task: str) -> bool:
        return any(facts.spec.id == task for facts in self.values())


@dataclass
class FakeTags:
    tags: dict[str, str] = field(default_factory=dict)

    def of_task(self, task: str) -> Mapping[str, str]:
        return self.tags


class FakeKeys(msgspec.Struct, frozen=True):
    role_arn: str
    access_key_id: str
    secret_access_key: str
    session_token: str
    expires_at: float


@dataclass
class FakeSessions:
    """Issues numbered keys; `refusal` says why it does not."""

    now: float = 1_000_000.0
    refusal: str = ""
    issued: list[tuple[str, str]] = field(default_factory=list)

    def issue(self, role_arn: str, session_name: str, duration_seconds: float) -> FakeKeys:
        if self.refusal:
            raise CredentialsUnavailable(self.refusal)
        self.issued.append((role_arn, session_name))
        number = len(self.issued)
        return FakeKeys(role_arn, f"ASIA{number}", f"secret{number}", f"token{number}", self.now + duration_seconds)
