"""What the Parameter Store's operations need; see `services.authorization`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tidegate.api import ssm
from tidegate.model.parameter import Parameter
from tidegate.services.authorization import Ask, Conditions, Row, Table
from tidegate.services.ssm.names import find_parameter, parameter_arn, parse_wanted


def _arn(ask: Ask, text: str) -> str:
    """Of what is there by that name; else of the name, without what chooses a version."""
    wanted = parse_wanted(ask.ctx, text)
    found = find_parameter(ask.store, wanted)
    if found is not None:
        return parameter_arn(ask.ctx, found.name)
    return parameter_arn(ask.ctx, wanted.names[0]) if wanted.names else text


def _named(ask: Ask, request: Any) -> Iterable[str]:
    return (_arn(ask, request.name),)


def _all_named(ask: Ask, request: Any) -> Iterable[str]:
    return tuple(_arn(ask, name) for name in request.names)


def _path(ask: Ask, request: ssm.GetParametersByPathRequest) -> Iterable[str]:
    """Whoever may read a path may read all below it. Source: user guide, "Restricting access to parameters"."""
    return (parameter_arn(ask.ctx, request.path),)


def _path_conditions(_: Ask, request: ssm.GetParametersByPathRequest) -> Conditions:
    return {"ssm:Recursive": "true" if request.recursive else "false"}


def _put_conditions(_: Ask, request: ssm.PutParameterRequest) -> Conditions:
    return {"ssm:Overwrite": "true" if request.overwrite else "false"}


def _tagged(ask: Ask, request: Any) -> Iterable[str]:
    return (_arn(ask, request.resource_id),)


def find_tags(ask: Ask, resource: str) -> Mapping[str, str]:
    """Of a parameter, by its ARN."""
    found = find_parameter(ask.store, parse_wanted(ask.ctx, resource))
    return found.tags if isinstance(found, Parameter) else {}


_NAMED = Row(_named)
_TAGGED = Row(_tagged)

TABLE = Table(
    "ssm",
    {
        "PutParameter": Row(_named, _put_conditions),
        "GetParameter": _NAMED,
        "GetParameters": Row(_all_named),
        "GetParametersByPath": Row(_path, _path_conditions),
        "DeleteParameter": _NAMED,
        "DeleteParameters": Row(_all_named),
        "DescribeParameters": Row(),
        "GetParameterHistory": _NAMED,
        "LabelParameterVersion": _NAMED,
        "UnlabelParameterVersion": _NAMED,
        "AddTagsToResource": _TAGGED,
        "RemoveTagsFromResource": _TAGGED,
        "ListTagsForResource": _TAGGED,
    },
    find_tags,
)
