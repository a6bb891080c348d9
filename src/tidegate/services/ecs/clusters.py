"""Clusters: the names under which tasks are kept together."""

from __future__ import annotations

import re

import msgspec

from tidegate.api import ecs
from tidegate.api.shape import Context
from tidegate.model.status import LastStatus
from tidegate.model.task import Cluster, Task
from tidegate.services.ecs.capacity import check_providers, check_strategy
from tidegate.services.ecs.cluster_description import describe_cluster
from tidegate.services.ecs.limits import check_described, list_page
from tidegate.services.ecs.names import DEFAULT_CLUSTER, cluster_arn, parse_cluster
from tidegate.services.ecs.settings import effective_value
from tidegate.services.ecs.tag_rules import check_tags
from tidegate.services.ecs.writes import settle
from tidegate.services.writes import Clock
from tidegate.store.store import Put, Store

ACTIVE, INACTIVE = "ACTIVE", "INACTIVE"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_INSIGHTS = ("enabled", "disabled", "enhanced")
_ANSWERED = ("CONFIGURATIONS", "SETTINGS", "TAGS")
"""What the operations that change a cluster show of it."""


def get_cluster(store: Store, ctx: Context, identifier: str | None) -> Cluster:
    """The active cluster that a request names by name or ARN; ClusterNotFoundException if there is none."""
    cluster = store.get(Cluster, parse_cluster(identifier, ctx))
    if cluster is None:
        raise ecs.ClusterNotFoundException("Cluster not found.")
    if cluster.spec.status != ACTIVE:
        raise ecs.ClusterNotFoundException("The referenced cluster was inactive.")
    return cluster


def new_cluster(store: Store, ctx: Context, request: ecs.CreateClusterRequest) -> Cluster:
    """The record that the request asks for, not stored yet. InvalidParameterException if it is not valid."""
    name = request.cluster_name or DEFAULT_CLUSTER
    if not _NAME.fullmatch(name):
        raise ecs.InvalidParameterException("Cluster name contains invalid characters.")
    providers = check_providers(request.capacity_providers or ())
    _check_configuration(request.configuration)
    insights = ecs.ClusterSetting(name="containerInsights", value=effective_value(store, ctx, "containerInsights"))
    return Cluster(
        name=name,
        tags=check_tags(request.tags),
        spec=ecs.Cluster(
            cluster_arn=cluster_arn(ctx, name),
            cluster_name=name,
            status=ACTIVE,
            configuration=request.configuration,
            settings=_check_settings(request.settings) or (insights,),
            capacity_providers=providers,
            default_capacity_provider_strategy=check_strategy(
                request.default_capacity_provider_strategy or (), providers
            ),
        ),
    )


class Clusters:
    """The operations on clusters."""

    def __init__(self, store: Store, now: Clock) -> None:
        self._store = store
        self._now = now

    async def create_cluster(self, ctx: Context, request: ecs.CreateClusterRequest) -> ecs.CreateClusterResponse:
        """Make a cluster; one that exists is returned if the request does not contradict it."""
        _refuse_service_connect(request.service_connect_defaults)

        async def attempt() -> Cluster:
            wanted = new_cluster(self._store, ctx, request)
            found = self._store.get(Cluster, wanted.name)
            if found is not None and found.spec.status == ACTIVE:
                _check_consistent(request, found, wanted)
                await self._store.commit()  # whoever made it may still wait for the disk
                return found
            return await self._put(msgspec.structs.replace(wanted, revision=found.revision if found else 0))

        return ecs.CreateClusterResponse(cluster=self._describe(await settle(attempt)))

    async def describe_clusters(
        self, ctx: Context, request: ecs.DescribeClustersRequest
    ) -> ecs.DescribeClustersResponse:
        """Clusters by name or ARN, deleted ones too; `default` if none is named."""
        check_described("clusters", request.clusters)
        found, failures = [], []
        for name in dict.fromkeys(parse_cluster(each, ctx) for each in request.clusters or (DEFAULT_CLUSTER,)):
            cluster = self._store.get(Cluster, name)
            if cluster is None:
                failures.append(ecs.Failure(arn=cluster_arn(ctx, name), reason="MISSING"))
            else:
                found.append(describe_cluster(cluster, self._tasks(name), request.include or ()))
        return ecs.DescribeClustersResponse(clusters=tuple(found), failures=tuple(failures))

    async def list_clusters(self, ctx: Context, request: ecs.ListClustersRequest) -> ecs.ListClustersResponse:
        """The ARNs of the active clusters, by name."""
        active = (cluster for cluster in self._store.select(Cluster) if cluster.spec.status == ACTIVE)
        found, token = list_page(
            active,
            lambda cluster: cluster.name,
            operation="ListClusters",
            token=request.next_token,
            max_results=request.max_results,
        )
        return ecs.ListClustersResponse(cluster_arns=tuple(cluster_arn(ctx, c.name) for c in found), next_token=token)

    async def update_cluster(self, ctx: Context, request: ecs.UpdateClusterRequest) -> ecs.UpdateClusterResponse:
        """Replace the settings and the configuration that the request names."""
        defaults = request.service_connect_defaults
        _refuse_service_connect(defaults if defaults and defaults.namespace else None)
        cluster = await self._update(ctx, request.cluster, request.settings, request.configuration)
        return ecs.UpdateClusterResponse(cluster=self._describe(cluster))

    async def update_cluster_settings(
        self, ctx: Context, request: ecs.UpdateClusterSettingsRequest
    ) -> ecs.UpdateClusterSettingsResponse:
        """Replace the settings that the request names."""
        cluster = await self._update(ctx, request.cluster, request.settings, None)
        return ecs.UpdateClusterSettingsResponse(cluster=self._describe(cluster))

    async def put_cluster_capacity_providers(
        self, ctx: Context, request: ecs.PutClusterCapacityProvidersRequest
    ) -> ecs.PutClusterCapacityProvidersResponse:
        """Replace the cluster's providers and its strategy."""
        providers = check_providers(request.capacity_providers)
        strategy = check_strategy(request.default_capacity_provider_strategy, providers)

        async def attempt() -> Cluster:
            cluster = get_cluster(self._store, ctx, request.cluster)
            spec = msgspec.structs.replace(
                cluster.spec, capacity_providers=providers, default_capacity_provider_strategy=strategy
            )
            return await self._put(msgspec.structs.replace(cluster, spec=spec))

        return ecs.PutClusterCapacityProvidersResponse(cluster=self._describe(await settle(attempt)))

    async def delete_cluster(self, ctx: Context, request: ecs.DeleteClusterRequest) -> ecs.DeleteClusterResponse:
        """Make a cluster INACTIVE; refused while tasks are in it that are not STOPPED."""

        async def attempt() -> Cluster:
            cluster = self._store.get(Cluster, parse_cluster(request.cluster, ctx))
            if cluster is None:
                raise ecs.ClusterNotFoundException("Cluster not found.")
            if cluster.spec.status == INACTIVE:
                await self._store.commit()  # whoever deleted it may still wait for the disk
                return cluster
            if any(task.status.last_status is not LastStatus.STOPPED for task in self._tasks(cluster.name)):
                raise ecs.ClusterContainsTasksException("The Cluster cannot be deleted while Tasks are active.")
            spec = msgspec.structs.replace(cluster.spec, status=INACTIVE)
            return await self._put(msgspec.structs.replace(cluster, spec=spec))

        return ecs.DeleteClusterResponse(cluster=self._describe(await settle(attempt)))

    async def _update(
        self,
        ctx: Context,
        identifier: str,
        settings: tuple[ecs.ClusterSetting, ...] | None,
        configuration: ecs.ClusterConfiguration | None,
    ) -> Cluster:
        _check_configuration(configuration)

        async def attempt() -> Cluster:
            cluster = get_cluster(self._store, ctx, identifier)
            spec = msgspec.structs.replace(
                cluster.spec,
                settings=_check_settings(settings) or cluster.spec.settings,
                configuration=configuration or cluster.spec.configuration,
            )
            return await self._put(msgspec.structs.replace(cluster, spec=spec))

        return await settle(attempt)

    async def _put(self, cluster: Cluster) -> Cluster:
        await self._store.commit(Put(cluster))
        return cluster

    def _tasks(self, name: str) -> list[Task]:
        return list(self._store.select(Task, "cluster", name))

    def _describe(self, cluster: Cluster) -> ecs.Cluster:
        return describe_cluster(cluster, self._tasks(cluster.name), _ANSWERED)


def _check_settings(settings: tuple[ecs.ClusterSetting, ...] | None) -> tuple[ecs.ClusterSetting, ...]:
    """There is one setting; the last one given counts."""
    for setting in settings or ():
        if setting.name != "containerInsights" or setting.value not in _INSIGHTS:
            raise ecs.InvalidParameterException(
                f"Cluster setting {setting.name} should be containerInsights with one of [{','.join(_INSIGHTS)}]."
            )
    return (settings or ())[-1:]


def _check_configuration(configuration: ecs.ClusterConfiguration | None) -> None:
    """ECS Exec's log configuration goes with OVERRIDE, and with nothing else."""
    execute = configuration.execute_command_configuration if configuration else None
    if execute is None:
        return
    is_overridden = execute.logging == "OVERRIDE"
    if is_overridden and execute.log_configuration is None:
        raise ecs.InvalidParameterException("Log configuration must be specified when logging is set to OVERRIDE.")
    if execute.log_configuration is not None and not is_overridden:
        raise ecs.InvalidParameterException("Log configuration can be specified only when logging is set to OVERRIDE.")


def _check_consistent(request: ecs.CreateClusterRequest, found: Cluster, wanted: Cluster) -> None:
    """What the request says must be what the cluster is; what it leaves out is not compared."""
    said = {
        "configuration": request.configuration,
        "settings": request.settings,
        "capacity_providers": request.capacity_providers,
        "default_capacity_provider_strategy": request.default_capacity_provider_strategy,
    }
    differs = any(value is not None and getattr(found.spec, m) != getattr(wanted.spec, m) for m, value in said.items())
    if differs or (request.tags is not None and set(found.tags) != set(wanted.tags)):
        raise ecs.InvalidParameterException(
            "Arguments on this idempotent request are inconsistent with arguments used in previous request(s)."
        )


def _refuse_service_connect(defaults: ecs.ClusterServiceConnectDefaultsRequest | None) -> None:
    if defaults is not None:
        raise ecs.InvalidParameterException("cannot set serviceConnectDefaults: Service Connect is not supported yet")
