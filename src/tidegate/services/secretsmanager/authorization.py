"""What Secrets Manager's operations need; see `services.authorization`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tidegate.api import secretsmanager as api
from tidegate.model.arn import arn
from tidegate.services.authorization import Ask, Conditions, Need, Row, Table
from tidegate.services.secretsmanager.names import find_secret, secret_arn

_READ = "secretsmanager:GetSecretValue"
_FOR_EVER = float("-inf")
"""A secret whose window has ended is still asked about by its ARN; the operation says that it is gone."""


def _arn(ask: Ask, identifier: str) -> str:
    """Of the secret that is there; of one that isn't, the name alone."""
    found = find_secret(ask.store, ask.ctx, identifier, _FOR_EVER)
    if found is not None:
        return secret_arn(ask.ctx, found)
    return identifier if identifier.startswith("arn:") else _named(ask, identifier)


def _named(ask: Ask, name: str) -> str:
    return arn("secretsmanager", ask.ctx.region, ask.ctx.account, f"secret:{name}")


def _secret(ask: Ask, request: Any) -> Iterable[str]:
    return (_arn(ask, request.secret_id),)


def _new(ask: Ask, request: api.CreateSecretRequest) -> Iterable[str]:
    return (_named(ask, request.name),)


def _new_conditions(_: Ask, request: api.CreateSecretRequest) -> Conditions:
    return _given({"Name": request.name, "Description": request.description, "KmsKeyId": request.kms_key_id})


def _secret_conditions(ask: Ask, request: Any) -> Conditions:
    return {"secretsmanager:SecretId": _arn(ask, request.secret_id)}


def _read_conditions(ask: Ask, request: api.GetSecretValueRequest) -> Conditions:
    chosen = _given({"VersionId": request.version_id, "VersionStage": request.version_stage or "AWSCURRENT"})
    return {**_secret_conditions(ask, request), **chosen}


def _delete_conditions(ask: Ask, request: api.DeleteSecretRequest) -> Conditions:
    days = request.recovery_window_in_days
    how = {
        "ForceDeleteWithoutRecovery": "true" if request.force_delete_without_recovery else "false",
        "RecoveryWindowInDays": None if days is None else str(days),
    }
    return {**_secret_conditions(ask, request), **_given(how)}


def _policy_conditions(ask: Ask, request: api.PutResourcePolicyRequest) -> Conditions:
    blocks = "true" if request.block_public_policy else "false"
    return {**_secret_conditions(ask, request), **_given({"BlockPublicPolicy": blocks})}


def _given(values: Mapping[str, str | None]) -> dict[str, str]:
    return {f"secretsmanager:{name}": value for name, value in values.items() if value is not None}


def _each_value(ask: Ask, request: api.BatchGetSecretValueRequest) -> Iterable[Need]:
    """To read many is to read each; with filters, whichever it may be."""
    if request.secret_id_list:
        return tuple(Need(_READ, _arn(ask, identifier)) for identifier in request.secret_id_list)
    return (Need(_READ, _named(ask, "*")),)


def find_tags(ask: Ask, resource: str) -> Mapping[str, str]:
    """Of a secret, by its ARN."""
    found = find_secret(ask.store, ask.ctx, resource, _FOR_EVER)
    return found.tags if found is not None else {}


def find_policy(ask: Ask, resource: str) -> str:
    """Of a secret, by its ARN."""
    found = find_secret(ask.store, ask.ctx, resource, _FOR_EVER)
    return found.policy if found is not None else ""


_ON_SECRET = Row(_secret, _secret_conditions)

TABLE = Table(
    "secretsmanager",
    {
        "CreateSecret": Row(_new, _new_conditions),
        "GetSecretValue": Row(_secret, _read_conditions),
        "BatchGetSecretValue": Row(also=_each_value),
        "PutSecretValue": _ON_SECRET,
        "UpdateSecret": _ON_SECRET,
        "DescribeSecret": _ON_SECRET,
        "ListSecrets": Row(),
        "DeleteSecret": Row(_secret, _delete_conditions),
        "RestoreSecret": _ON_SECRET,
        "ListSecretVersionIds": _ON_SECRET,
        "UpdateSecretVersionStage": _ON_SECRET,
        "TagResource": _ON_SECRET,
        "UntagResource": _ON_SECRET,
        "GetRandomPassword": Row(),
        "GetResourcePolicy": _ON_SECRET,
        "PutResourcePolicy": Row(_secret, _policy_conditions),
        "DeleteResourcePolicy": _ON_SECRET,
    },
    find_tags,
    find_policy,
)
