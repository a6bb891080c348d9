"""A cluster's record as the API shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

import msgspec

from tidegate.api import ecs
from tidegate.model.status import LastStatus
from tidegate.model.task import Cluster, Task

_PENDING = frozenset({LastStatus.PROVISIONING, LastStatus.PENDING, LastStatus.ACTIVATING})
_KINDS = ("EC2", "Fargate", "External")


def describe_cluster(cluster: Cluster, tasks: Iterable[Task], include: Collection[str]) -> ecs.Cluster:
    """
    The cluster with its counts; of the optional parts those that `include` names (a ClusterField each).

    A task counts as pending until all of its containers have started, and as running while it is RUNNING.
    """
    counts = Counter(task.status.last_status for task in tasks)
    running, pending = counts[LastStatus.RUNNING], sum(counts[status] for status in _PENDING)
    spec = cluster.spec
    return msgspec.structs.replace(
        spec,
        registered_container_instances_count=0,
        running_tasks_count=running,
        pending_tasks_count=pending,
        active_services_count=0,
        statistics=_statistics(running, pending) if "STATISTICS" in include else (),
        tags=cluster.tags if "TAGS" in include else (),
        settings=spec.settings if "SETTINGS" in include else (),
        configuration=spec.configuration if "CONFIGURATIONS" in include else None,
        attachments=() if "ATTACHMENTS" in include else None,
    )


def _statistics(running: int, pending: int) -> tuple[ecs.KeyValuePair, ...]:
    """The counts by launch type; everything here is Fargate's."""
    tasks = {"running": running, "pending": pending}
    values = {
        f"{state}{kind}TasksCount": count if kind == "Fargate" else 0
        for kind in _KINDS
        for state, count in tasks.items()
    }
    values |= {f"{state}{kind}ServiceCount": 0 for kind in _KINDS for state in ("active", "draining")}
    return tuple(ecs.KeyValuePair(name=name, value=str(value)) for name, value in values.items())
