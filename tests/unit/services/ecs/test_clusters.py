"""Clusters: made, shown, changed, deleted."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from fakes.services import Services
from tidegate.api import ecs
from tidegate.model.status import LastStatus
from tidegate.model.task import Cluster

pytestmark = pytest.mark.anyio

ARN = "arn:aws:ecs:eu-north-1:123456789012:cluster/"
FARGATE = {"capacityProvider": "FARGATE", "weight": 1}


async def create(services: Services, **members: Any) -> ecs.Cluster:
    answer = await services.ecs.create_cluster(services.ctx, msgspec.convert(members, ecs.CreateClusterRequest))
    assert answer.cluster is not None
    return answer.cluster


async def describe(services: Services, *clusters: str, **members: Any) -> ecs.DescribeClustersResponse:
    return await services.ecs.describe_clusters(
        services.ctx, ecs.DescribeClustersRequest(clusters=clusters or None, **members)
    )


async def describe_one(services: Services, cluster: str, *include: ecs.ClusterField) -> ecs.Cluster:
    (found,) = (await describe(services, cluster, include=include)).clusters or ()
    return found


async def delete(services: Services, cluster: str) -> ecs.Cluster:
    answer = await services.ecs.delete_cluster(services.ctx, ecs.DeleteClusterRequest(cluster=cluster))
    assert answer.cluster is not None
    return answer.cluster


async def test_create(services: Services) -> None:
    """A new cluster is ACTIVE and empty, and shows what it was made with."""
    made = await create(
        services,
        clusterName="c",
        tags=[{"key": "a", "value": "1"}],
        settings=[{"name": "containerInsights", "value": "enabled"}],
        configuration={"executeCommandConfiguration": {"logging": "NONE"}},
        capacityProviders=["FARGATE", "FARGATE_SPOT"],
        defaultCapacityProviderStrategy=[FARGATE],
    )
    assert (made.cluster_arn, made.cluster_name, made.status) == (ARN + "c", "c", "ACTIVE")
    assert made.tags == (ecs.Tag(key="a", value="1"),)
    assert made.settings == (ecs.ClusterSetting(name="containerInsights", value="enabled"),)
    assert made.configuration == ecs.ClusterConfiguration(
        execute_command_configuration=ecs.ExecuteCommandConfiguration(logging="NONE")
    )
    assert made.capacity_providers == ("FARGATE", "FARGATE_SPOT")
    assert made.default_capacity_provider_strategy == (
        ecs.CapacityProviderStrategyItem(capacity_provider="FARGATE", weight=1),
    )
    counts = (made.running_tasks_count, made.pending_tasks_count, made.active_services_count)
    assert (*counts, made.registered_container_instances_count) == (0, 0, 0, 0)


async def test_default_name(services: Services) -> None:
    """Without a name it is `default`."""
    assert (await create(services)).cluster_name == "default"


async def test_settings_start_from_the_account(services: Services) -> None:
    """A cluster that is made without settings takes the account's."""
    assert (await create(services, clusterName="a")).settings == (
        ecs.ClusterSetting(name="containerInsights", value="disabled"),
    )
    await services.ecs.put_account_setting_default(
        services.ctx, ecs.PutAccountSettingDefaultRequest(name="containerInsights", value="enhanced")
    )
    assert (await create(services, clusterName="b")).settings == (
        ecs.ClusterSetting(name="containerInsights", value="enhanced"),
    )


async def test_create_again(services: Services) -> None:
    """Making a cluster that is there returns it, unless the request contradicts it."""
    first = await create(services, clusterName="c", capacityProviders=["FARGATE"], tags=[{"key": "a", "value": "1"}])
    assert await create(services, clusterName="c") == first
    assert await create(services, clusterName="c", capacityProviders=["FARGATE"]) == first
    for different in (
        {"capacityProviders": []},
        {"settings": [{"name": "containerInsights", "value": "enabled"}]},
        {"tags": []},
    ):
        with pytest.raises(ecs.InvalidParameterException) as caught:
            await create(services, clusterName="c", **different)
        assert caught.value.message == (
            "Arguments on this idempotent request are inconsistent with arguments used in previous request(s)."
        )


async def test_create_after_delete(services: Services) -> None:
    """A deleted cluster's name can be used again, for a cluster that has nothing of the old one."""
    await create(services, clusterName="c", capacityProviders=["FARGATE"])
    await delete(services, "c")
    again = await create(services, clusterName="c")
    assert (again.status, again.capacity_providers) == ("ACTIVE", ())


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"clusterName": "a b"}, "Cluster name contains invalid characters."),
        ({"clusterName": "a" * 256}, "Cluster name contains invalid characters."),
        ({"capacityProviders": ["mine"]}, "The specified capacity provider mine was not found."),
        (
            {"capacityProviders": ["FARGATE", "FARGATE"]},
            "A cluster can have at most 20 capacity providers, each once.",
        ),
        (
            {"defaultCapacityProviderStrategy": [FARGATE]},
            "The specified capacity provider strategy cannot contain a capacity provider that is not associated with "
            "the cluster.",
        ),
        (
            {"settings": [{"name": "containerInsights", "value": "on"}]},
            "Cluster setting containerInsights should be containerInsights with one of [enabled,disabled,enhanced].",
        ),
        (
            {"serviceConnectDefaults": {"namespace": "n"}},
            "cannot set serviceConnectDefaults: Service Connect is not supported yet",
        ),
        ({"tags": [{"key": "aws:a"}]}, "Tag keys cannot start with aws: (aws:a)."),
    ],
)
async def test_create_refused(services: Services, members: dict[str, Any], message: str) -> None:
    """What makes no valid cluster, or one that Tidegate can't honour, is refused."""
    with pytest.raises(ecs.InvalidParameterException) as caught:
        await create(services, **members)
    assert caught.value.message == message
    assert list(services.store.select(Cluster)) == []


async def test_not_durable(services: Services) -> None:
    """A cluster that can't be written is refused with the reason."""
    services.store.failure = "disk full"
    with pytest.raises(ecs.ServerException, match="disk full"):
        await create(services)


async def test_describe(services: Services) -> None:
    """Clusters by name or ARN, each once; unknown ones are failures; `default` if none is named."""
    await create(services, clusterName="c")
    answer = await describe(services, "c", ARN + "c", "nothing")
    assert [cluster.cluster_name for cluster in answer.clusters or ()] == ["c"]
    assert answer.failures == (ecs.Failure(arn=ARN + "nothing", reason="MISSING"),)
    assert (await describe(services)).failures == (ecs.Failure(arn=ARN + "default", reason="MISSING"),)
    with pytest.raises(ecs.InvalidParameterException, match="at most 100"):
        await describe(services, *(str(n) for n in range(101)))


async def test_includes(services: Services) -> None:
    """The optional parts are shown if they are asked for."""
    await create(
        services,
        clusterName="c",
        tags=[{"key": "a", "value": "1"}],
        configuration={"executeCommandConfiguration": {"logging": "NONE"}},
    )
    plain = await describe_one(services, "c")
    assert (plain.tags, plain.settings, plain.statistics, plain.configuration) == ((), (), (), None)
    assert plain.attachments is None
    full = await describe_one(services, "c", "TAGS", "SETTINGS", "STATISTICS", "CONFIGURATIONS", "ATTACHMENTS")
    assert full.tags == (ecs.Tag(key="a", value="1"),)
    assert full.settings == (ecs.ClusterSetting(name="containerInsights", value="disabled"),)
    assert full.configuration is not None
    assert full.attachments == ()


async def test_counts(services: Services) -> None:
    """Counts are counted: running tasks, and those that are on the way there."""
    await create(services, clusterName="c")
    first = await services.run_one(cluster="c")
    second = await services.run_one(cluster="c")
    stopped = await services.run_one(cluster="c")
    await services.put_status(first, last_status=LastStatus.RUNNING)
    await services.put_status(second, last_status=LastStatus.ACTIVATING)
    await services.put_status(stopped, last_status=LastStatus.STOPPED)
    found = await describe_one(services, "c", "STATISTICS")
    assert (found.running_tasks_count, found.pending_tasks_count) == (1, 1)
    statistics = {pair.name: pair.value for pair in found.statistics or ()}
    assert statistics == {
        "runningEC2TasksCount": "0",
        "pendingEC2TasksCount": "0",
        "runningFargateTasksCount": "1",
        "pendingFargateTasksCount": "1",
        "runningExternalTasksCount": "0",
        "pendingExternalTasksCount": "0",
        "activeEC2ServiceCount": "0",
        "drainingEC2ServiceCount": "0",
        "activeFargateServiceCount": "0",
        "drainingFargateServiceCount": "0",
        "activeExternalServiceCount": "0",
        "drainingExternalServiceCount": "0",
    }


async def test_list(services: Services) -> None:
    """Active clusters by name."""
    for name in ("b", "a", "gone"):
        await create(services, clusterName=name)
    await delete(services, "gone")
    answer = await services.ecs.list_clusters(services.ctx, ecs.ListClustersRequest())
    assert answer == ecs.ListClustersResponse(cluster_arns=(ARN + "a", ARN + "b"))


async def test_update(services: Services) -> None:
    """UpdateCluster and UpdateClusterSettings change what they name and leave the rest."""
    await create(services, clusterName="c")
    configuration = ecs.ClusterConfiguration(
        execute_command_configuration=ecs.ExecuteCommandConfiguration(logging="NONE")
    )
    answer = await services.ecs.update_cluster(
        services.ctx, ecs.UpdateClusterRequest(cluster="c", configuration=configuration)
    )
    assert answer.cluster is not None
    assert answer.cluster.configuration == configuration
    settings = (ecs.ClusterSetting(name="containerInsights", value="enhanced"),)
    changed = await services.ecs.update_cluster_settings(
        services.ctx, ecs.UpdateClusterSettingsRequest(cluster=ARN + "c", settings=settings)
    )
    assert changed.cluster is not None
    assert (changed.cluster.settings, changed.cluster.configuration) == (settings, configuration)
    assert (await describe_one(services, "c", "SETTINGS")).settings == settings


async def test_update_refused(services: Services) -> None:
    """A cluster must be there and active to be changed; Service Connect can be unset, not set."""
    with pytest.raises(ecs.ClusterNotFoundException, match=r"^Cluster not found\.$"):
        await services.ecs.update_cluster(services.ctx, ecs.UpdateClusterRequest(cluster="c"))
    await create(services, clusterName="c")
    unset = ecs.ClusterServiceConnectDefaultsRequest(namespace="")
    await services.ecs.update_cluster(
        services.ctx, ecs.UpdateClusterRequest(cluster="c", service_connect_defaults=unset)
    )
    wanted = ecs.ClusterServiceConnectDefaultsRequest(namespace="n")
    with pytest.raises(ecs.InvalidParameterException, match="Service Connect is not supported yet"):
        await services.ecs.update_cluster(
            services.ctx, ecs.UpdateClusterRequest(cluster="c", service_connect_defaults=wanted)
        )
    await delete(services, "c")
    with pytest.raises(ecs.ClusterNotFoundException, match=r"^The referenced cluster was inactive\.$"):
        await services.ecs.update_cluster(services.ctx, ecs.UpdateClusterRequest(cluster="c"))


async def test_capacity_providers_are_replaced(services: Services) -> None:
    """Both of them and the strategy, whole: Terraform empties them before it deletes a cluster."""
    await services.ecs.create_cluster(services.ctx, ecs.CreateClusterRequest(cluster_name="c"))
    item = ecs.CapacityProviderStrategyItem(capacity_provider="FARGATE", weight=100, base=1)
    request = ecs.PutClusterCapacityProvidersRequest(
        cluster="c", capacity_providers=("FARGATE", "FARGATE_SPOT"), default_capacity_provider_strategy=(item,)
    )
    cluster = (await services.ecs.put_cluster_capacity_providers(services.ctx, request)).cluster
    assert cluster is not None
    assert (cluster.capacity_providers, cluster.default_capacity_provider_strategy) == (
        ("FARGATE", "FARGATE_SPOT"),
        (item,),
    )
    for refused in (
        msgspec.structs.replace(request, capacity_providers=("FARGATE_SPOT",)),
        msgspec.structs.replace(request, capacity_providers=("mine",)),
    ):
        with pytest.raises(ecs.InvalidParameterException):
            await services.ecs.put_cluster_capacity_providers(services.ctx, refused)
    empty = msgspec.structs.replace(request, capacity_providers=(), default_capacity_provider_strategy=())
    cluster = (await services.ecs.put_cluster_capacity_providers(services.ctx, empty)).cluster
    assert cluster is not None
    assert cluster.capacity_providers == ()


async def test_delete(services: Services) -> None:
    """A deleted cluster is INACTIVE, can still be described, and may be deleted again."""
    await create(services, clusterName="c")
    assert (await delete(services, "c")).status == "INACTIVE"
    assert (await describe_one(services, "c")).status == "INACTIVE"
    assert (await delete(services, ARN + "c")).status == "INACTIVE"
    with pytest.raises(ecs.ClusterNotFoundException, match=r"^Cluster not found\.$"):
        await delete(services, "nothing")


async def test_delete_with_tasks(services: Services) -> None:
    """A cluster with a task that has not stopped is kept."""
    await create(services, clusterName="c")
    task = await services.run_one(cluster="c")
    with pytest.raises(ecs.ClusterContainsTasksException) as caught:
        await delete(services, "c")
    assert caught.value.message == "The Cluster cannot be deleted while Tasks are active."
    await services.put_status(task, last_status=LastStatus.STOPPED, desired_status="STOPPED")
    assert (await delete(services, "c")).status == "INACTIVE"
