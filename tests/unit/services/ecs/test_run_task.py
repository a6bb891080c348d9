"""RunTask: what it writes, what it answers, what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.definitions import ROLE, container
from fakes.services import Services
from tidegate.api import ecs
from tidegate.api.shape import ServiceError
from tidegate.model.account import Subnet, Vpc
from tidegate.model.task import ClientToken, Cluster, Task
from tidegate.services.ec2.security_groups import new_group
from tidegate.services.ecs.capacity import choose_provider
from tidegate.store.store import Conflict, Put

pytestmark = pytest.mark.anyio


async def refused(services: Services, kind: type[ServiceError], **members: Any) -> str:
    """The message with which RunTask refuses it; nothing was written."""
    with pytest.raises(kind) as caught:
        await services.run(**members)
    assert list(services.store.select(Task)) == []
    return caught.value.message


async def test_answer_before_anything_runs(services: Services) -> None:
    """A new task is shown as AWS shows it: PROVISIONING, desired RUNNING, one attachment PRECREATED."""
    (task,) = await services.run(startedBy="me")
    record = services.record(task)
    arn = f"arn:aws:ecs:eu-north-1:123456789012:task/default/{record.id}"
    assert (task.task_arn, task.last_status, task.desired_status) == (arn, "PROVISIONING", "RUNNING")
    assert task.cluster_arn == "arn:aws:ecs:eu-north-1:123456789012:cluster/default"
    assert task.task_definition_arn == "arn:aws:ecs:eu-north-1:123456789012:task-definition/app:1"
    assert (task.cpu, task.memory, task.group, task.started_by) == ("256", "512", "family:app", "me")
    assert (task.launch_type, task.platform_version, task.platform_family) == ("FARGATE", "1.4.0", "Linux")
    assert (task.version, task.created_at, task.capacity_provider_name) == (1, services.time, None)
    assert task.attributes == (ecs.Attribute(name="ecs.cpu-architecture", value="x86_64"),)
    assert task.overrides == ecs.TaskOverride(
        container_overrides=(ecs.ContainerOverride(name="web"),), inference_accelerator_overrides=()
    )
    assert task.attachments == (
        ecs.Attachment(
            id=record.attachment,
            type="ElasticNetworkInterface",
            status="PRECREATED",
            details=(ecs.KeyValuePair(name="subnetId", value=services.subnets[0]),),
        ),
    )
    (shown,) = task.containers or ()
    assert (shown.name, shown.last_status, shown.network_interfaces, shown.cpu) == ("web", "PENDING", (), "0")
    assert shown.container_arn == (
        f"arn:aws:ecs:eu-north-1:123456789012:container/default/{record.id}/{record.container_ids['web']}"
    )


async def test_one_commit(services: Services) -> None:
    """All tasks of a request, its token and the default cluster become durable together."""
    await services.run(count=10, clientToken="t")
    tasks = list(services.store.select(Task))
    written = {task.revision for task in tasks}
    written |= {each.revision for each in services.store.select(ClientToken)}
    written |= {each.revision for each in services.store.select(Cluster)}
    assert (len(tasks), len(written)) == (10, 1)
    assert len({task.id for task in tasks}) == 10


async def test_durable_when_answered(services: Services) -> None:
    """If the state can't be written the caller is told so and why, and nothing is left behind."""
    services.store.failure = "disk full"
    message = await refused(services, ecs.ServerException)
    assert message.startswith("cannot write the state: ")
    assert "disk full" in message


async def test_default_cluster_comes_with_first_use(services: Services) -> None:
    """RunTask without a cluster makes `default`; any other cluster must exist and be active."""
    assert services.store.get(Cluster, "default") is None
    await services.run()
    assert services.store.get(Cluster, "default") is not None
    with pytest.raises(ecs.ClusterNotFoundException, match=r"^Cluster not found\.$"):
        await services.run(cluster="other")
    await services.ecs.create_cluster(services.ctx, ecs.CreateClusterRequest(cluster_name="other"))
    await services.ecs.delete_cluster(services.ctx, ecs.DeleteClusterRequest(cluster="other"))
    with pytest.raises(ecs.ClusterNotFoundException, match=r"^The referenced cluster was inactive\.$"):
        await services.run(cluster="other")


NO_INSTANCES = "No Container Instances were found in your cluster."


@pytest.mark.parametrize(
    ("members", "kind", "message"),
    [
        ({"launchType": "EC2"}, ecs.InvalidParameterException, NO_INSTANCES),
        ({"launchType": "EXTERNAL"}, ecs.InvalidParameterException, NO_INSTANCES),
        ({"launchType": None}, ecs.InvalidParameterException, NO_INSTANCES),
        (
            {"launchType": "MANAGED_INSTANCES"},
            ecs.InvalidParameterException,
            "launch type should be one of [EC2,FARGATE,EXTERNAL]",
        ),
        (
            {"capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]},
            ecs.InvalidParameterException,
            "Specify either Launch Type or Capacity Provider Strategy, but not both.",
        ),
        ({"definition": "nothing"}, ecs.ClientException, "TaskDefinition not found."),
        ({"definition": "app:7"}, ecs.ClientException, "TaskDefinition not found."),
        (
            {"networkConfiguration": None},
            ecs.InvalidParameterException,
            "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
        ),
        (
            {"networkConfiguration": {"awsvpcConfiguration": {"subnets": []}}},
            ecs.InvalidParameterException,
            "subnets can not be empty.",
        ),
        (
            {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1", "subnet-2"]}}},
            ecs.InvalidParameterException,
            "Error retrieving subnet information for [subnet-1, subnet-2]: The subnet ID 'subnet-1' does not exist "
            "(ErrorCode: InvalidSubnetID.NotFound)",
        ),
        (
            {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"] * 17}}},
            ecs.InvalidParameterException,
            "subnets can have at most 16 items.",
        ),
        ({"platformVersion": "2.0"}, ecs.PlatformUnknownException, "The specified platform does not exist."),
        ({"count": 0}, ecs.InvalidParameterException, "count should be between 1 and 10."),
        ({"count": 11}, ecs.InvalidParameterException, "count should be between 1 and 10."),
        (
            {"placementConstraints": [{"type": "distinctInstance"}]},
            ecs.InvalidParameterException,
            "Placement constraints are not supported with FARGATE launch type.",
        ),
        (
            {"placementStrategy": [{"type": "random"}]},
            ecs.InvalidParameterException,
            "Placement strategies are not supported with FARGATE launch type.",
        ),
        (
            {"enableExecuteCommand": True},
            ecs.ClientException,
            "The task couldn't be started because a valid taskRoleArn is not being used. Specify a valid task role in "
            "your task definition and try again.",
        ),
        (
            {"volumeConfigurations": [{"name": "v"}]},
            ecs.ClientException,
            "cannot configure volumes at launch: EBS volumes are not supported yet",
        ),
        (
            {"propagateTags": "SERVICE"},
            ecs.InvalidParameterException,
            "propagateTags should be one of [TASK_DEFINITION,NONE]",
        ),
        (
            {"startedBy": "a b"},
            ecs.InvalidParameterException,
            "startedBy can have up to 128 letters, numbers, hyphens, forward slashes and underscores.",
        ),
        ({"group": "g" * 256}, ecs.InvalidParameterException, "group can have 1 to 255 characters."),
        (
            {"clientToken": "a b"},
            ecs.InvalidParameterException,
            "clientToken should have 1 to 64 characters, from ASCII 33 to 126.",
        ),
        (
            {"tags": [{"key": "aws:x", "value": "1"}]},
            ecs.InvalidParameterException,
            "Tag keys cannot start with aws: (aws:x).",
        ),
        ({"tags": [{"value": "1"}]}, ecs.InvalidParameterException, "Tag key must not be null or empty."),
        ({"tags": [{"key": "a\n"}]}, ecs.InvalidParameterException, "Invalid characters in tag a\n."),
        ({"tags": [{"key": "a"}, {"key": "a"}]}, ecs.InvalidParameterException, "Duplicate tag key: a"),
    ],
)
async def test_refusals(services: Services, members: dict[str, Any], kind: type[ServiceError], message: str) -> None:
    """Each thing that RunTask can't do is refused with AWS's error, and nothing is written."""
    assert await refused(services, kind, **members) == message


async def test_inactive_definition(services: Services) -> None:
    """A revision that was deregistered can't be run any more."""
    await services.ecs.deregister_task_definition(
        services.ctx, ecs.DeregisterTaskDefinitionRequest(task_definition="app:1")
    )
    assert await refused(services, ecs.InvalidParameterException, definition="app:1") == "TaskDefinition is inactive"


async def test_definition_that_is_not_for_fargate(services: Services) -> None:
    """A definition that registration found unfit for Fargate is not run on it."""
    await services.register(
        container(memory=128), family="bridge", requiresCompatibilities=None, networkMode="bridge", cpu=None
    )
    message = await refused(services, ecs.InvalidParameterException, definition="bridge")
    assert message == "Task definition does not support launch_type FARGATE."


async def test_security_groups(services: Services) -> None:
    """Security groups must exist, be of the subnets' VPC, and be at most five."""
    network = services.network(securityGroups=["sg-1"])
    assert await refused(services, ecs.InvalidParameterException, networkConfiguration=network) == (
        "Error retrieving security group information for [sg-1]: The security group 'sg-1' does not exist "
        "(ErrorCode: InvalidGroup.NotFound)"
    )
    network = services.network(securityGroups=["sg-1"] * 6)
    message = await refused(services, ecs.InvalidParameterException, networkConfiguration=network)
    assert message == "securityGroups can have at most 5 items."
    stranger = new_group("vpc-other", "x", "x")
    await services.store.commit(Put(stranger))
    network = services.network(securityGroups=[stranger.id])
    assert await refused(services, ecs.InvalidParameterException, networkConfiguration=network) == (
        f"Security Group {stranger.id} does not appear to belong to the same VPC as the input subnets."
    )
    await services.run(networkConfiguration=services.network(securityGroups=[services.default_group.id]))


async def test_subnets_of_two_vpcs(services: Services) -> None:
    """A task's subnets are all of one VPC."""
    vpc = Vpc(id="vpc-2", cidr="10.99.0.0/16")
    subnet = Subnet(id="subnet-2", vpc="vpc-2", cidr="10.99.0.0/20", availability_zone="eu-north-1a")
    await services.store.commit(Put(vpc), Put(subnet))
    network = {"awsvpcConfiguration": {"subnets": [services.subnets[0], "subnet-2"]}}
    message = await refused(services, ecs.InvalidParameterException, networkConfiguration=network)
    assert message == "All subnets must be in the same VPC."


async def test_old_platform(services: Services) -> None:
    """Platform 1.3.0 runs what it can, and refuses what came with 1.4.0."""
    (task,) = await services.run(platformVersion="1.3.0")
    assert task.platform_version == "1.3.0"
    (task,) = await services.run(platformVersion="LATEST")
    assert task.platform_version == "1.4.0"
    with pytest.raises(ecs.PlatformTaskDefinitionIncompatibilityException):
        await services.run(platformVersion="1.3.0", overrides={"cpu": "8192", "memory": "16384"})
    secret = "arn:aws:secretsmanager:eu-north-1:123456789012:secret:s-AbCdEf"
    for family, members in (
        ("whole", {"secrets": [{"name": "S", "valueFrom": secret}]}),
        ("part", {"secrets": [{"name": "S", "valueFrom": f"{secret}:key::"}]}),
        ("files", {"environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::b/a.env"}]}),
    ):
        await services.register(container(**members), family=family, executionRoleArn=ROLE)
    await services.run("whole", platformVersion="1.3.0")
    for family in ("part", "files"):
        with pytest.raises(ecs.PlatformTaskDefinitionIncompatibilityException):
            await services.run(family, platformVersion="1.3.0")


async def test_tags(services: Services) -> None:
    """Propagated tags, the request's own over them, and the system's when asked for."""
    await services.register(family="tagged", tags=[{"key": "a", "value": "1"}, {"key": "b", "value": "2"}])
    (task,) = await services.run(
        "tagged",
        propagateTags="TASK_DEFINITION",
        enableECSManagedTags=True,
        tags=[{"key": "b", "value": "3"}, {"key": "c"}],
    )
    assert {tag.key: tag.value for tag in task.tags or ()} == {
        "a": "1",
        "b": "3",
        "c": "",
        "aws:ecs:clusterName": "default",
    }
    (task,) = await services.run("tagged")
    assert task.tags == ()


async def test_too_many_tags(services: Services) -> None:
    """50 tags in all, propagated ones included."""
    await services.register(family="tagged", tags=[{"key": "a", "value": "1"}])
    tags = [{"key": str(n), "value": ""} for n in range(50)]
    with pytest.raises(ecs.InvalidParameterException, match="at most 50 tags"):
        await services.run("tagged", tags=tags, propagateTags="TASK_DEFINITION")
    await services.run("tagged", tags=tags)


async def test_strategy(services: Services) -> None:
    """A strategy works if the cluster has its providers; the cluster's own one counts when none is given."""
    strategy = [{"capacityProvider": "FARGATE", "weight": 1}]
    await services.ecs.create_cluster(
        services.ctx,
        ecs.CreateClusterRequest(
            cluster_name="c",
            capacity_providers=("FARGATE", "FARGATE_SPOT"),
            default_capacity_provider_strategy=(
                ecs.CapacityProviderStrategyItem(capacity_provider="FARGATE", weight=1),
            ),
        ),
    )
    (task,) = await services.run(cluster="c", launchType=None, capacityProviderStrategy=strategy)
    assert (task.capacity_provider_name, task.launch_type) == ("FARGATE", "FARGATE")
    (task,) = await services.run(cluster="c", launchType=None)
    assert task.capacity_provider_name == "FARGATE"
    (task,) = await services.run(cluster="c")
    assert task.capacity_provider_name is None


@pytest.mark.parametrize(
    ("strategy", "kind", "message"),
    [
        ([{"capacityProvider": "mine", "weight": 1}], ecs.InvalidParameterException, "is not associated"),
        ([{"capacityProvider": "FARGATE", "weight": 0}], ecs.InvalidParameterException, "greater than 0"),
        ([{"capacityProvider": "FARGATE_SPOT", "weight": 1}], ecs.ClientException, "FARGATE_SPOT is not supported yet"),
        (
            [{"capacityProvider": "FARGATE", "base": 1}, {"capacityProvider": "FARGATE_SPOT", "base": 1}],
            ecs.InvalidParameterException,
            "Only one capacity provider",
        ),
        (
            [{"capacityProvider": "FARGATE", "weight": 1}, {"capacityProvider": "FARGATE", "weight": 1}],
            ecs.InvalidParameterException,
            "only once",
        ),
        (
            [{"capacityProvider": "FARGATE", "weight": 1}] * 21,
            ecs.InvalidParameterException,
            "at most 20 items",
        ),
    ],
)
async def test_strategies_refused(
    services: Services, strategy: list[dict[str, Any]], kind: type[ServiceError], message: str
) -> None:
    """A strategy that AWS would refuse is refused, and so is Spot, which nothing here can honour."""
    await services.ecs.create_cluster(
        services.ctx, ecs.CreateClusterRequest(cluster_name="c", capacity_providers=("FARGATE", "FARGATE_SPOT"))
    )
    members = {"cluster": "c", "launchType": None, "capacityProviderStrategy": strategy}
    assert message in await refused(services, kind, **members)


def test_spot_with_no_share_is_no_matter() -> None:
    """FARGATE_SPOT in a strategy that gives it nothing does not get in the way."""
    item = ecs.CapacityProviderStrategyItem
    assert (
        choose_provider((item(capacity_provider="FARGATE", weight=1), item(capacity_provider="FARGATE_SPOT", weight=0)))
        == "FARGATE"
    )


async def test_the_revision_that_was_asked_for_is_the_one_that_runs(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if a newer one, with roles that the caller may not pass, comes between two attempts to write."""
    asked = await services.register()
    commit, has_met = services.store.commit, False

    async def meet_a_conflict(*changes: Any) -> Any:
        nonlocal has_met
        if not has_met and any(isinstance(change, Put) and isinstance(change.record, Task) for change in changes):
            has_met = True
            await services.register(taskRoleArn="arn:aws:iam::123456789012:role/admin")
            raise Conflict("cluster", "default")
        return await commit(*changes)

    monkeypatch.setattr(services.store, "commit", meet_a_conflict)
    answer = await services.ecs.run_task(services.ctx, services.run_request("app"))
    (task,) = answer.tasks or ()
    assert (services.record(task).definition, has_met) == (asked, True)
