"""Metadata, byte for byte as Fargate has it (values invented)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from fakes.endpoint import IMAGE_ID, TASK, facts_of, web_task
from tidegate.kernel.clock import ClockState
from tidegate.model.spec import ContainerSpec, Mount, RestartPolicy
from tidegate.model.status import ContainerStatus, LastStatus
from tidegate.node.endpoint.facts import Probe, StorageUse, TaskFacts
from tidegate.node.endpoint.metadata import Surroundings, as_v3, render_container, render_task, render_time

SURROUNDINGS = Surroundings(("10.0.0.2",), ("eu-north-1.compute.internal",))
CLOCK = ClockState(0.54, is_synchronized=True)
AT = 1_772_619_360.7  # 2026-03-04T10:16:00.7Z

TASK_ARN = f"arn:aws:ecs:eu-north-1:123456789012:task/demo/{TASK}"
APP: dict[str, Any] = {
    "DockerId": f"{TASK}-3162584610",
    "Name": "app",
    "DockerName": "app",
    "Image": "123456789012.dkr.ecr.eu-north-1.amazonaws.com/app:3",
    "ImageID": IMAGE_ID,
    "Labels": {
        "com.amazonaws.ecs.cluster": "arn:aws:ecs:eu-north-1:123456789012:cluster/demo",
        "com.amazonaws.ecs.container-name": "app",
        "com.amazonaws.ecs.task-arn": TASK_ARN,
        "com.amazonaws.ecs.task-definition-family": "web",
        "com.amazonaws.ecs.task-definition-version": "7",
    },
    "DesiredStatus": "RUNNING",
    "KnownStatus": "RUNNING",
    "Limits": {"CPU": 256, "Memory": 512},
    "Type": "NORMAL",
    "CreatedAt": "2026-03-04T10:15:25.00102Z",
    "StartedAt": "2026-03-04T10:15:25.00203Z",
    "Health": {"status": "HEALTHY", "statusSince": "2026-03-04T10:15:56.7Z", "output": "ok\n"},
    "LogDriver": "awslogs",
    "LogOptions": {
        "awslogs-group": "/ecs/web",
        "awslogs-region": "eu-north-1",
        "awslogs-stream": f"web/app/{TASK}",
    },
    "ContainerARN": f"arn:aws:ecs:eu-north-1:123456789012:container/demo/{TASK}/7c1e9a52-3b0d-4f86-9a77-21d4c0b8e6f3",
    "Networks": [
        {
            "NetworkMode": "awsvpc",
            "IPv4Addresses": ["10.0.2.61"],
            "AttachmentIndex": 0,
            "MACAddress": "0a:1b:2c:3d:4e:5f",
            "IPv4SubnetCIDRBlock": "10.0.2.0/24",
            "DomainNameServers": ["10.0.0.2"],
            "DomainNameSearchList": ["eu-north-1.compute.internal"],
            "PrivateDNSName": "ip-10-0-2-61.eu-north-1.compute.internal",
            "SubnetGatewayIpv4Address": "10.0.2.1/24",
        }
    ],
    "Snapshotter": "overlayfs",
    "RestartCount": 0,
}
WEB: dict[str, Any] = {
    "Cluster": "arn:aws:ecs:eu-north-1:123456789012:cluster/demo",
    "ServiceName": "web-svc",
    "TaskARN": TASK_ARN,
    "Family": "web",
    "Revision": "7",
    "DesiredStatus": "RUNNING",
    "KnownStatus": "RUNNING",
    "Limits": {"CPU": 0.5, "Memory": 1024},
    "AvailabilityZone": "eu-north-1b",
    "LaunchType": "FARGATE",
    "PullStartedAt": "2026-03-04T10:15:20.101202Z",
    "PullStoppedAt": "2026-03-04T10:15:24.404505Z",
    "Containers": [APP],
    "ClockDrift": {
        "ClockErrorBound": 0.54,
        "ReferenceTimestamp": "2026-03-04T10:16:00Z",
        "ClockSynchronizationStatus": "SYNCHRONIZED",
    },
    "EphemeralStorageMetrics": {"Utilized": 261, "Reserved": 20496},
    "FaultInjectionEnabled": False,
}


def running(**changes: Any) -> TaskFacts:
    """The task of the example."""
    task = web_task()
    app = msgspec.structs.replace(task.containers[0], restart_policy=RestartPolicy())
    status = ContainerStatus(
        name="app",
        state="RUNNING",
        image_digest=IMAGE_ID,
        created_at=1_772_619_325.00102,
        started_at=1_772_619_325.00203,
        health="HEALTHY",
        health_since=1_772_619_356.7,
    )
    return facts_of(
        msgspec.structs.replace(task, containers=(app,)),
        status,
        probes={"app": Probe("ok\n", 0)},
        pull_started_at=1_772_619_320.101202,
        pull_stopped_at=1_772_619_324.404505,
        **changes,
    )


def test_a_task_is_told_as_on_fargate() -> None:
    """All members, in AWS's order, and no others."""
    answer = render_task(running(), SURROUNDINGS, CLOCK, AT, StorageUse(261, 20496))
    assert answer == WEB
    assert list(answer) == list(WEB)
    assert list(answer["Containers"][0]) == list(APP)


def test_a_container_is_told_as_in_its_task() -> None:
    """The container's own path has exactly its element of the task's list."""
    facts = running()
    assert render_container(facts, facts.spec.containers[0], SURROUNDINGS) == APP


def test_version_3_has_less() -> None:
    """Without the details that came with version 4."""
    answer = as_v3(render_task(running(), SURROUNDINGS, CLOCK, AT))
    assert "LaunchType" not in answer
    (app,) = answer["Containers"]
    assert app["Networks"] == [{"NetworkMode": "awsvpc", "IPv4Addresses": ["10.0.2.61"]}]
    assert not {"LogDriver", "LogOptions", "ContainerARN"} & set(app)
    assert app["Labels"] == APP["Labels"]


def test_what_is_not_known_is_left_out() -> None:
    """A container that waits for its image: no dates, no digest, no health's date; and what nobody measures."""
    task = web_task(service="", containers=(ContainerSpec(name="app", image="app"),))
    answer = render_task(facts_of(task, ContainerStatus(name="app")), Surroundings(()), None, AT)
    (app,) = answer["Containers"]
    assert app["Limits"] == {"CPU": 2}
    assert app["KnownStatus"] == answer["KnownStatus"] == "NONE"
    assert "DomainNameServers" not in app["Networks"][0]
    for name in ("ServiceName", "ClockDrift", "EphemeralStorageMetrics", "PullStartedAt", "Group"):
        assert name not in answer
    for name in ("ImageID", "CreatedAt", "StartedAt", "ExitCode", "Health", "LogDriver", "RestartCount", "Volumes"):
        assert name not in app


def test_an_end_is_told() -> None:
    """Exit code and time of a container that has ended, whose task goes on."""
    status = ContainerStatus(name="app", state="STOPPED", exit_code=0, created_at=1, started_at=2, finished_at=3.5)
    facts = facts_of(web_task(), status)
    app = render_container(facts, facts.spec.containers[0], SURROUNDINGS)
    assert (app["KnownStatus"], app["DesiredStatus"], app["ExitCode"]) == ("STOPPED", "STOPPED", 0)
    assert app["FinishedAt"] == "1970-01-01T00:00:03.5Z"


def test_a_task_that_is_to_stop_says_so() -> None:
    """From the moment that its stop is decided on, while its containers still run."""
    facts = running(last_status=LastStatus.STOPPING, execution_stopped_at=AT)
    answer = render_task(facts, SURROUNDINGS, CLOCK, AT)
    assert (answer["DesiredStatus"], answer["KnownStatus"]) == ("STOPPED", "RUNNING")
    assert answer["Containers"][0]["DesiredStatus"] == "STOPPED"
    assert answer["ExecutionStoppedAt"] == "2026-03-04T10:16:00.7Z"


@pytest.mark.parametrize(
    ("status", "known", "of_task"),
    [
        ({}, "NONE", "NONE"),
        ({"image_digest": IMAGE_ID}, "PULLED", "MANIFEST_PULLED"),
        ({"image_digest": IMAGE_ID, "created_at": 1.0}, "CREATED", "CREATED"),
        ({"state": "RUNNING", "started_at": 2.0}, "RUNNING", "RUNNING"),
        ({"state": "STOPPED", "exit_code": 1}, "STOPPED", "RUNNING"),
    ],
)
def test_a_task_is_as_far_as_its_last_container(status: dict[str, Any], known: str, of_task: str) -> None:
    """The least of its containers' statuses."""
    task = web_task(containers=(ContainerSpec(name="a", image="a"), ContainerSpec(name="b", image="b")))
    other = ContainerStatus(name="b", state="RUNNING", started_at=2.0)
    answer = render_task(facts_of(task, ContainerStatus(name="a", **status), other), SURROUNDINGS, CLOCK, AT)
    assert (answer["Containers"][0]["KnownStatus"], answer["KnownStatus"]) == (known, of_task)


def test_a_failing_health_check_tells_why() -> None:
    """Exit code and output of the last check; one that took too long has no code of its own."""
    facts = running()
    unhealthy = TaskFacts(facts.spec, facts.observation, {"app": Probe("no\n", 7)})
    assert render_container(unhealthy, facts.spec.containers[0], SURROUNDINGS)["Health"]["exitCode"] == 7
    late = TaskFacts(facts.spec, facts.observation, {"app": Probe("", None)})
    assert render_container(late, facts.spec.containers[0], SURROUNDINGS)["Health"]["exitCode"] == -1


def test_a_restarted_container_counts() -> None:
    """How often its policy started it again, and when it was started last."""
    facts = running()
    status = msgspec.structs.replace(facts.observation.containers[0], restart_count=3, restarted_at=AT)
    again = facts_of(facts.spec, status)
    app = render_container(again, facts.spec.containers[0], SURROUNDINGS)
    assert (app["RestartCount"], app["StartedAt"]) == (3, "2026-03-04T10:16:00.7Z")


def test_volumes_without_the_hosts_paths() -> None:
    """Where a volume is in the container is the task's business; where it is on the host is not."""
    task = web_task(containers=(ContainerSpec(name="a", image="a", mounts=(Mount(volume="data", path="/data"),)),))
    (app,) = render_task(facts_of(task), SURROUNDINGS, CLOCK, AT)["Containers"]
    assert app["Volumes"] == [{"DockerName": "data", "Destination": "/data"}]


def test_a_clock_that_nobody_keeps_right_says_so() -> None:
    """The bound is what the kernel has, and the status that it means little."""
    answer = render_task(running(), SURROUNDINGS, ClockState(16_000.0, is_synchronized=False), AT)
    assert answer["ClockDrift"]["ClockSynchronizationStatus"] == "NOT_SYNCHRONIZED"
    assert answer["ClockDrift"]["ClockErrorBound"] == 16_000.0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "1970-01-01T00:00:00Z"), (1.5, "1970-01-01T00:00:01.5Z"), (10.000001, "1970-01-01T00:00:10.000001Z")],
)
def test_times_have_no_more_digits_than_it_takes(seconds: float, text: str) -> None:
    """RFC 3339, UTC."""
    assert render_time(seconds) == text
