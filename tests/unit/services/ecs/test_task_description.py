"""A task's record as the API shows it, in every state of its life."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from fakes.definitions import CTX
from tidegate.api import ecs
from tidegate.model.status import ContainerStatus, Interface, LastStatus, TaskStatus
from tidegate.model.task import Task
from tidegate.services.ecs.task_description import describe_task, roll_up_health

INTERFACE = Interface(
    id="eni-0123456789abcdef0",
    attachment="unused-here",
    subnet="subnet-b",
    vpc="vpc-1",
    availability_zone="eu-north-1b",
    address="10.64.16.9",
    prefix_length=20,
    gateway="10.64.16.1",
    mac="02:74:0a:40:10:09",
)
DEFINITION = ecs.TaskDefinition(
    container_definitions=(
        ecs.ContainerDefinition(name="web", image="nginx:1.27", cpu=64, memory_reservation=128, essential=True),
        ecs.ContainerDefinition(name="side", image="busybox", essential=False),
    ),
    cpu="256",
    memory="512",
)


def task(**status: Any) -> Task:
    """A task in the subnets a and b, with these members of its status."""
    network = ecs.NetworkConfiguration(awsvpc_configuration=ecs.AwsVpcConfiguration(subnets=("subnet-a", "subnet-b")))
    values = {"last_status": LastStatus.PROVISIONING, "created_at": 100.0} | status
    return Task(
        id="0" * 32,
        cluster="c",
        definition="app:3",
        group="family:app",
        request=ecs.RunTaskRequest(task_definition="app", network_configuration=network),
        container_ids={"web": "uuid-web", "side": "uuid-side"},
        status=TaskStatus(**values),
    )


def shown(**status: Any) -> ecs.Task:
    return describe_task(CTX, task(**status), DEFINITION, with_tags=False)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (LastStatus.PROVISIONING, "CREATED"),
        (LastStatus.PENDING, "ATTACHING"),
        (LastStatus.ACTIVATING, "ATTACHED"),
        (LastStatus.RUNNING, "ATTACHED"),
        (LastStatus.DEACTIVATING, "ATTACHED"),
        (LastStatus.STOPPING, "ATTACHED"),
        (LastStatus.DEPROVISIONING, "DETACHING"),
        (LastStatus.STOPPED, "DELETED"),
    ],
)
def test_attachment_follows_the_task(status: LastStatus, expected: str) -> None:
    """The network interface's attachment is in the state that the task's state implies."""
    (attachment,) = shown(last_status=status, interface=INTERFACE).attachments or ()
    assert attachment.status == expected


def test_attachment_details() -> None:
    """Once there is an interface, all that is known of it is shown, under AWS's names."""
    found = shown(last_status=LastStatus.RUNNING, interface=INTERFACE)
    (attachment,) = found.attachments or ()
    assert {pair.name: pair.value for pair in attachment.details or ()} == {
        "subnetId": "subnet-b",
        "networkInterfaceId": "eni-0123456789abcdef0",
        "macAddress": "02:74:0a:40:10:09",
        "privateDnsName": "ip-10-64-16-9.eu-north-1.compute.internal",
        "privateIPv4Address": "10.64.16.9",
    }
    assert found.availability_zone == "eu-north-1b"
    for container in found.containers or ():
        (interface,) = container.network_interfaces or ()
        assert interface.private_ipv4_address == "10.64.16.9"


def test_attachment_before_there_is_an_interface() -> None:
    """Before, it shows the subnet that is tried first; a task that never got one shows it as DELETED."""
    (attachment,) = shown().attachments or ()
    assert attachment.status == "PRECREATED"
    assert [(pair.name, pair.value) for pair in attachment.details or ()] == [("subnetId", "subnet-a")]
    (attachment,) = shown(last_status=LastStatus.STOPPED).attachments or ()
    assert attachment.status == "DELETED"


def test_first_region_has_its_own_domain() -> None:
    """us-east-1's private names end in ec2.internal."""
    assert INTERFACE.private_dns_name("us-east-1") == "ip-10-64-16-9.ec2.internal"


def test_times_and_reasons_are_copied() -> None:
    """Every time and reason in the status is shown under its name; what is not known is absent."""
    times = {
        "pull_started_at": 102.0,
        "pull_stopped_at": 103.0,
        "started_at": 104.0,
        "stopping_at": 105.0,
        "execution_stopped_at": 106.0,
        "stopped_at": 107.0,
    }
    found = shown(
        last_status=LastStatus.STOPPED,
        desired_status="STOPPED",
        version=9,
        connected_at=101.0,
        stop_code="EssentialContainerExited",
        stopped_reason="Essential container in task exited",
        **times,
    )
    assert {name: getattr(found, name) for name in times} == times
    assert (found.created_at, found.connectivity, found.connectivity_at) == (100.0, "CONNECTED", 101.0)
    assert (found.version, found.stop_code) == (9, "EssentialContainerExited")
    assert found.stopped_reason == "Essential container in task exited"
    fresh = shown()
    assert [getattr(fresh, name) for name in times] == [None] * 6
    assert (fresh.connectivity, fresh.stop_code, fresh.stopped_reason) == (None, None, None)


def test_containers() -> None:
    """Containers are shown in the definition's order with what is known of each; exit code 0 is not absent."""
    found = shown(
        last_status=LastStatus.STOPPED,
        containers=(
            ContainerStatus(name="side", state="STOPPED", reason="CannotPullContainerError: x"),
            ContainerStatus(
                name="web", state="STOPPED", exit_code=0, image_digest="sha256:1", runtime_id="r-1", health="HEALTHY"
            ),
        ),
    )
    web, side = found.containers or ()
    assert (web.name, web.image, web.exit_code, web.image_digest, web.runtime_id) == (
        "web",
        "nginx:1.27",
        0,
        "sha256:1",
        "r-1",
    )
    assert (web.cpu, web.memory, web.memory_reservation, web.health_status) == ("64", None, "128", "HEALTHY")
    assert web.container_arn == f"arn:aws:ecs:eu-north-1:123456789012:container/c/{'0' * 32}/uuid-web"
    assert (side.exit_code, side.reason, side.cpu) == (None, "CannotPullContainerError: x", "0")
    assert (side.network_bindings, side.network_interfaces) == ((), ())


@pytest.mark.parametrize(
    ("web", "db", "side", "expected"),
    [
        ("HEALTHY", "HEALTHY", "UNHEALTHY", "HEALTHY"),
        ("HEALTHY", "UNKNOWN", "HEALTHY", "UNKNOWN"),
        ("UNHEALTHY", "UNKNOWN", "HEALTHY", "UNHEALTHY"),
        ("UNHEALTHY", "HEALTHY", "HEALTHY", "UNHEALTHY"),
        ("UNKNOWN", "UNKNOWN", "HEALTHY", "UNKNOWN"),
    ],
)
def test_health(web: Any, db: Any, side: Any, expected: str) -> None:
    """Essential containers make the task's health: UNHEALTHY before UNKNOWN before HEALTHY."""
    definition = ecs.TaskDefinition(
        container_definitions=(
            ecs.ContainerDefinition(name="web", essential=True),
            ecs.ContainerDefinition(name="db"),
            ecs.ContainerDefinition(name="side", essential=False),
        )
    )
    containers = tuple(ContainerStatus(name=n, health=h) for n, h in (("web", web), ("db", db), ("side", side)))
    assert roll_up_health(containers, definition) == expected


def test_architecture_and_storage() -> None:
    """The architecture is the definition's; the storage is AWS's 20 GiB unless it is said otherwise."""
    platform = ecs.RuntimePlatform(cpu_architecture="ARM64")
    found = describe_task(CTX, task(), replace(DEFINITION, runtime_platform=platform), with_tags=False)
    assert found.attributes == (ecs.Attribute(name="ecs.cpu-architecture", value="arm64"),)
    assert found.ephemeral_storage == ecs.EphemeralStorage(size_in_gi_b=20)
    assert found.fargate_ephemeral_storage == ecs.TaskEphemeralStorage(size_in_gi_b=20)


def test_definition_that_is_gone() -> None:
    """A task whose definition was removed can still be shown."""
    found = describe_task(CTX, task(), ecs.TaskDefinition(), with_tags=False)
    assert found.task_definition_arn == "arn:aws:ecs:eu-north-1:123456789012:task-definition/app:3"
    assert (found.containers, found.health_status) == ((), "UNKNOWN")


def test_subnets_take_turns() -> None:
    """Tasks begin with another of their subnets each, so that they spread; all of them are tried."""
    first = task()
    second = replace(first, id="00000001" + "0" * 24)
    assert first.subnets == ("subnet-a", "subnet-b")
    assert second.subnets == ("subnet-b", "subnet-a")
