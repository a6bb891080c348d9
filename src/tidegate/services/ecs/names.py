"""
The names of ECS's resources: ARNs built, and identifiers (short name, id or ARN) taken apart.

Every `parse_*` accepts what the API accepts for that resource. With `ctx`, an ARN that names another account or region
is refused; without it the two are not looked at. All of them raise InvalidParameterException, with AWS's text where
one is known.
"""

from __future__ import annotations

import re

from tidegate.api import ecs
from tidegate.api.shape import Context
from tidegate.model.arn import arn as regional_arn
from tidegate.model.arn import partition

DEFAULT_CLUSTER = "default"
PARTITIONS = frozenset({"aws", "aws-cn", "aws-us-gov"})

_SEPARATORS = "Invalid identifier: Unexpected number of separators"
_TASK_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_MAX_IDENTIFIER = 2048
_MAX_REVISION_DIGITS = 9


def arn(ctx: Context, resource: str) -> str:
    """The ARN of one of the caller's ECS resources; `resource` is what follows the account."""
    return regional_arn("ecs", ctx.region, ctx.account, resource)


def cluster_arn(ctx: Context, name: str) -> str:
    """arn:aws:ecs:<region>:<account>:cluster/<name>."""
    return arn(ctx, f"cluster/{name}")


def task_definition_arn(ctx: Context, family: str, revision: int) -> str:
    """arn:aws:ecs:<region>:<account>:task-definition/<family>:<revision>."""
    return arn(ctx, f"task-definition/{family}:{revision}")


def task_arn(ctx: Context, cluster: str, task: str) -> str:
    """arn:aws:ecs:<region>:<account>:task/<cluster>/<id>."""
    return arn(ctx, f"task/{cluster}/{task}")


def container_arn(ctx: Context, cluster: str, task: str, container: str) -> str:
    """arn:aws:ecs:<region>:<account>:container/<cluster>/<task id>/<UUID>; `container` is the UUID."""
    return arn(ctx, f"container/{cluster}/{task}/{container}")


def container_instance_arn(ctx: Context, cluster: str, instance: str) -> str:
    """arn:aws:ecs:<region>:<account>:container-instance/<cluster>/<id>."""
    return arn(ctx, f"container-instance/{cluster}/{instance}")


def parse_cluster(identifier: str | None, ctx: Context | None = None) -> str:
    """A cluster's name, from its name or its ARN; absent means `default`."""
    if not identifier:
        return DEFAULT_CLUSTER
    path = _path(identifier, "cluster", ctx)
    if path is None:
        if "/" in identifier:
            raise ecs.InvalidParameterException(_SEPARATORS)
        return identifier
    if len(path) != 1:
        raise ecs.InvalidParameterException(_SEPARATORS)
    return path[0]


def parse_task(identifier: str, ctx: Context | None = None) -> tuple[str | None, str]:
    """
    (cluster's name or None, task's id), from an id or an ARN of the long or the old short form.

    A UUID with hyphens is an id of the old form and comes back as it was given.
    """
    path = _path(identifier, "task", ctx) or identifier.split("/")
    if len(path) > 2 or not all(path):
        raise ecs.InvalidParameterException(_SEPARATORS)
    if not _TASK_ID.fullmatch(path[-1]):
        raise ecs.InvalidParameterException("taskId length should be one of [32,36]")
    return (path[0] if len(path) == 2 else None), path[-1]


def parse_task_definition(identifier: str, ctx: Context | None = None) -> tuple[str, int | None]:
    """(family, revision or None for the latest active one), from `family`, `family:revision` or an ARN."""
    path = _path(identifier, "task-definition", ctx) or [identifier]
    family, colon, number = path[0].partition(":")
    if len(path) != 1 or not family or "/" in family or ":" in number:
        raise ecs.InvalidParameterException(_SEPARATORS)
    if not colon:
        return family, None
    if not re.fullmatch(r"[0-9]+", number) or len(number) > _MAX_REVISION_DIGITS:
        raise ecs.InvalidParameterException(f"Invalid revision number. Number: {number}")
    return family, int(number)


def _path(identifier: str, kind: str, ctx: Context | None) -> list[str] | None:
    """What follows `kind/` in an ARN, at its slashes; None if the identifier is no ARN."""
    if len(identifier) > _MAX_IDENTIFIER:
        raise ecs.InvalidParameterException(f"Invalid identifier: longer than {_MAX_IDENTIFIER} characters")
    if not identifier.startswith("arn:"):
        return None
    parts = identifier.split(":", 5)
    if len(parts) != 6:
        raise ecs.InvalidParameterException(_SEPARATORS)
    _, arn_partition, service, region, account, resource = parts
    named, *path = resource.split("/")
    if arn_partition not in PARTITIONS or service != "ecs" or named != kind:
        raise ecs.InvalidParameterException(f"Invalid identifier: {identifier} is not the ARN of a {kind}")
    if not path or not all(path):
        raise ecs.InvalidParameterException(_SEPARATORS)
    if ctx is not None and (arn_partition, region, account) != (partition(ctx.region), ctx.region, ctx.account):
        raise ecs.InvalidParameterException(
            f"Invalid identifier: Identifier is for account {account} in {region}. "
            f"Yours is account {ctx.account} in {ctx.region}"
        )
    return path
