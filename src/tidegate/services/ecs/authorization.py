"""What ECS's operations need; see `services.authorization`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tidegate.api import ecs
from tidegate.model.task import Cluster, Task, TaskDefinition
from tidegate.services.authorization import Ask, Conditions, Need, Row, Table
from tidegate.services.ecs.definitions import lookup
from tidegate.services.ecs.names import arn, cluster_arn, parse_cluster, parse_task, parse_task_definition, task_arn
from tidegate.services.ecs.tags import kind_of
from tidegate.services.iam.task_roles import pass_role_needs


def _cluster(ask: Ask, request: Any) -> Iterable[str]:
    return (cluster_arn(ask.ctx, parse_cluster(request.cluster, ask.ctx)),)


def _clusters(ask: Ask, request: ecs.DescribeClustersRequest) -> Iterable[str]:
    return tuple(cluster_arn(ask.ctx, parse_cluster(name, ask.ctx)) for name in request.clusters or (None,))


def _in_cluster(ask: Ask, request: Any) -> Conditions:
    return {"ecs:cluster": cluster_arn(ask.ctx, parse_cluster(request.cluster, ask.ctx))}


def task_resource(ask: Ask, request: Any) -> Iterable[str]:
    """The task that a request names by `task` and `cluster`."""
    return (_task_arn(ask, request.task, request.cluster),)


def _tasks(ask: Ask, request: Any) -> Iterable[str]:
    return tuple(_task_arn(ask, task, request.cluster) for task in request.tasks or ()) or ("*",)


def _task_arn(ask: Ask, identifier: str, cluster: str | None) -> str:
    """As it is known here, whatever the cluster that a request names it by."""
    named, task = parse_task(identifier, ask.ctx)
    found = ask.store.get(Task, task)
    return task_arn(ask.ctx, found.cluster if found else named or parse_cluster(cluster, ask.ctx), task)


def _definition(ask: Ask, identifier: str) -> str:
    """Of a family its latest revision: the one that runs."""
    found = lookup.find(ask.store, identifier, ask.ctx)
    if found is not None:
        return arn(ask.ctx, f"task-definition/{found.key}")
    family, number = parse_task_definition(identifier, ask.ctx)
    return arn(ask.ctx, f"task-definition/{family}:{number or '*'}")


def _container_instances(ask: Ask, request: Any) -> Iterable[str]:
    """Of a cluster: attributes belong to them."""
    return (arn(ask.ctx, f"container-instance/{parse_cluster(request.cluster, ask.ctx)}/*"),)


def _tagged(ask: Ask, request: Any) -> Iterable[str]:
    return (canonical_arn(ask, request.resource_arn),)


def canonical_arn(ask: Ask, text: str) -> str:
    """The one ARN of a resource that an ARN in any of the accepted forms names."""
    kind = kind_of(text)
    if kind == "cluster":
        return cluster_arn(ask.ctx, parse_cluster(text, ask.ctx))
    if kind == "task":
        return _task_arn(ask, text, None)
    if kind == "task-definition":
        return _definition(ask, text)
    return text


def _run(ask: Ask, request: ecs.RunTaskRequest) -> Iterable[str]:
    return (_definition(ask, request.task_definition),)


def _run_conditions(ask: Ask, request: ecs.RunTaskRequest) -> Conditions:
    providers = tuple(item.capacity_provider for item in request.capacity_provider_strategy or ())
    return {
        **_in_cluster(ask, request),
        "ecs:enable-execute-command": "true" if request.enable_execute_command else "false",
        **({"ecs:capacity-provider": providers} if providers else {}),
    }


def _run_also(ask: Ask, request: ecs.RunTaskRequest) -> Iterable[Need]:
    definition = lookup.find(ask.store, request.task_definition, ask.ctx)
    spec = definition.spec if definition else ecs.TaskDefinition()
    overrides = request.overrides or ecs.TaskOverride()
    roles = (
        overrides.task_role_arn or spec.task_role_arn,
        overrides.execution_role_arn or spec.execution_role_arn,
    )
    yield from pass_role_needs(ask, roles)
    yield from _tag_need(request, "RunTask", arn(ask.ctx, f"task/{parse_cluster(request.cluster, ask.ctx)}/*"))


def _register_also(ask: Ask, request: ecs.RegisterTaskDefinitionRequest) -> Iterable[Need]:
    yield from pass_role_needs(ask, (request.task_role_arn, request.execution_role_arn))
    yield from _tag_need(request, "RegisterTaskDefinition", arn(ask.ctx, f"task-definition/{request.family}:*"))


def _create_cluster_also(ask: Ask, request: ecs.CreateClusterRequest) -> Iterable[Need]:
    yield from _tag_need(request, "CreateCluster", cluster_arn(ask.ctx, request.cluster_name or "default"))


def _tag_need(request: Any, operation: str, resource: str) -> Iterable[Need]:
    """Tags at creation take a permission of their own. Source: developer guide, "Tag resources on creation"."""
    if request.tags:
        yield Need("ecs:TagResource", resource, {"ecs:CreateAction": operation})


def _list_tasks(ask: Ask, request: ecs.ListTasksRequest) -> Iterable[str]:
    """All of a cluster is no resource; those of a container instance are its."""
    if request.container_instance is None:
        return ("*",)
    return (arn(ask.ctx, f"container-instance/{parse_cluster(request.cluster, ask.ctx)}/{request.container_instance}"),)


def _deleted_definitions(ask: Ask, request: ecs.DeleteTaskDefinitionsRequest) -> Iterable[str]:
    return tuple(_definition(ask, identifier) for identifier in request.task_definitions) or ("*",)


def find_tags(ask: Ask, resource: str) -> Mapping[str, str]:
    """Of a cluster, task or task definition, by its canonical ARN."""
    kind, _, name = resource.split(":", 5)[5].partition("/")
    found: Cluster | Task | TaskDefinition | None = None
    if kind == "cluster":
        found = ask.store.get(Cluster, name)
    elif kind == "task":
        found = ask.store.get(Task, name.rpartition("/")[2])
    elif kind == "task-definition":
        found = ask.store.get(TaskDefinition, name)
    return {tag.key or "": tag.value or "" for tag in found.tags} if found is not None else {}


def _exec_resources(ask: Ask, request: ecs.ExecuteCommandRequest) -> Iterable[str]:
    """Both: so AWS's own example policies have it."""
    return (*_cluster(ask, request), *task_resource(ask, request))


def _exec_conditions(ask: Ask, request: ecs.ExecuteCommandRequest) -> Conditions:
    """The container is that which is named, or the only one."""
    found = ask.store.get(Task, parse_task(request.task, ask.ctx)[1])
    names = [c.name for c in found.status.containers] if found is not None else []
    name = request.container or (names[0] if len(names) == 1 else "")
    return {**_in_cluster(ask, request), **({"ecs:container-name": name} if name else {})}


_ON_CLUSTER = Row(_cluster)
_ON_TAGGED = Row(_tagged)
_ANYWHERE = Row()

TABLE = Table(
    "ecs",
    {
        "CreateCluster": Row(also=_create_cluster_also),
        "DescribeClusters": Row(_clusters),
        "ListClusters": _ANYWHERE,
        "UpdateCluster": _ON_CLUSTER,
        "UpdateClusterSettings": _ON_CLUSTER,
        "PutClusterCapacityProviders": _ON_CLUSTER,
        "DeleteCluster": _ON_CLUSTER,
        "RegisterTaskDefinition": Row(also=_register_also),
        "DeregisterTaskDefinition": _ANYWHERE,
        "DescribeTaskDefinition": _ANYWHERE,
        "ListTaskDefinitions": _ANYWHERE,
        "ListTaskDefinitionFamilies": _ANYWHERE,
        "DeleteTaskDefinitions": Row(_deleted_definitions),
        "RunTask": Row(_run, _run_conditions, _run_also),
        "StopTask": Row(task_resource, _in_cluster),
        "DescribeTasks": Row(_tasks, _in_cluster),
        "ListTasks": Row(_list_tasks, _in_cluster),
        "ExecuteCommand": Row(_exec_resources, _exec_conditions),
        "GetTaskProtection": Row(_tasks, _in_cluster),
        "UpdateTaskProtection": Row(_tasks, _in_cluster),
        "TagResource": _ON_TAGGED,
        "UntagResource": _ON_TAGGED,
        "ListTagsForResource": _ON_TAGGED,
        "PutAccountSetting": _ANYWHERE,
        "PutAccountSettingDefault": _ANYWHERE,
        "ListAccountSettings": _ANYWHERE,
        "DeleteAccountSetting": _ANYWHERE,
        "ListAttributes": _ON_CLUSTER,
        "PutAttributes": Row(_container_instances, _in_cluster),
        "DeleteAttributes": Row(_container_instances, _in_cluster),
        "DiscoverPollEndpoint": _ANYWHERE,
    },
    find_tags,
)
