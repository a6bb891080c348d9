"""
The values of a task's secrets, read with its execution role: parameters, secrets, logins of registries.

Texts as observed in the reasons of stopped tasks on Fargate; no value, and no part of one, is in any of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tidegate.api import ssm
from tidegate.api.shape import Context, ServiceError
from tidegate.model.arn import arn
from tidegate.model.execution import ExecutionFailure, RegistryLogin
from tidegate.model.parameter import ParameterVersion
from tidegate.model.secret_reference import BadReference, ParameterReference, SecretReference, parse_reference
from tidegate.model.spec import TaskSpec
from tidegate.services.execution.role import ACCESS_DENIED, ExecutionRole, called, called_with
from tidegate.services.iam.authorization import Authorizer
from tidegate.services.secretsmanager.names import find_secret, secret_arn
from tidegate.services.secretsmanager.read import ReadSecrets
from tidegate.services.secretsmanager.values import SecretValues
from tidegate.services.ssm.names import find_parameter, parameter_arn, parse_wanted
from tidegate.services.ssm.values import DEFAULT_KEY as PARAMETER_KEY
from tidegate.services.ssm.values import ParameterValues
from tidegate.services.writes import Clock
from tidegate.store.secrets import Sealer
from tidegate.store.store import Store

SECRET_KEY = "alias/aws/secretsmanager"  # noqa: S105 (a name, not a secret)
_RETRIED = "service call has been retried 1 time(s): "
_FROM_SSM = f"unable to retrieve secrets from ssm: {_RETRIED}"
_FROM_ASM = f"unable to retrieve secret from asm: {_RETRIED}"
_LOGIN = f"unable to get registry auth from asm: {_RETRIED}"
_NO_KEY = (
    "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not "
    "allowed to access."
)


class ExecutionSecrets:
    """Satisfies the node's `SecretSource`."""

    def __init__(self, store: Store, sealer: Sealer, authorizer: Authorizer, now: Clock) -> None:
        self._store = store
        self._authorizer = authorizer
        self._now = now
        self._parameters = ParameterValues(store, sealer)
        self._secrets = ReadSecrets(store, SecretValues(store, sealer, now), now)

    async def read_values(self, task: TaskSpec, references: Iterable[str]) -> Mapping[str, str]:
        """The value of each `valueFrom`. Raises ExecutionFailure."""
        role = ExecutionRole(self._authorizer, task)
        parsed = {text: _parse(text) for text in references}
        parameters = [text for text, one in parsed.items() if isinstance(one, ParameterReference)]
        values = self._read_parameters(role, parameters)
        for text, one in parsed.items():
            if isinstance(one, SecretReference):
                values[text] = await self._read_secret(role, one)
        return values

    async def read_login(self, task: TaskSpec, reference: str) -> RegistryLogin:
        """What a secret with `username` and `password` holds. Raises ExecutionFailure."""
        role = ExecutionRole(self._authorizer, task)
        try:
            text = await self._fetch(role, SecretReference(reference))
        except ExecutionFailure as failure:
            raise ExecutionFailure(
                f"{_LOGIN}asm fetching secret from the service for {reference}: {failure}"
            ) from failure
        held = _parse_json(text)
        for name in ("username", "password"):
            if not isinstance(held.get(name), str) or not held[name]:
                raise ExecutionFailure(f"{_LOGIN}asm fetching {name}: AuthorizationData is malformed, empty field")
        return RegistryLogin(held["username"], held["password"])

    def _read_parameters(self, role: ExecutionRole, names: Sequence[str]) -> dict[str, str]:
        ctx = role.context
        for name in names:
            found = find_parameter(self._store, parse_wanted(ctx, name))
            is_foreign = found is None and name.startswith("arn:")
            resource = name if is_foreign else parameter_arn(ctx, found.name if found else name)
            refusal = role.refusal("ssm:GetParameters", resource)
            if refusal is not None:
                raise ExecutionFailure(_FROM_SSM + called(ACCESS_DENIED, refusal, ctx.request_id))
        versions = {name: version for name in names if (version := self._find_version(role, name)) is not None}
        missing = [name for name in names if name not in versions]
        if missing:
            raise ExecutionFailure(f"{_FROM_SSM}invalid ssm parameters: {','.join(missing)}")
        for version in versions.values():
            if version.type == "SecureString" and not role.may_decrypt(version.key_id, PARAMETER_KEY):
                raise ExecutionFailure(_FROM_SSM + called(ACCESS_DENIED, _NO_KEY, ctx.request_id))
        return {name: self._parameters.read(version) for name, version in versions.items()}

    def _find_version(self, role: ExecutionRole, name: str) -> ParameterVersion | None:
        try:
            found = self._parameters.find(role.context, name)
        except ssm.ParameterVersionNotFound:
            return None
        return None if found is None else found[1]

    async def _read_secret(self, role: ExecutionRole, wanted: SecretReference) -> str:
        try:
            text = await self._fetch(role, wanted)
        except ExecutionFailure as failure:
            raise ExecutionFailure(
                f"{_FROM_ASM}failed to fetch secret {wanted.secret} from secrets manager: {failure}"
            ) from failure
        if not wanted.json_key:
            return text
        held = _parse_json(text)
        if wanted.json_key not in held:
            raise ExecutionFailure(
                f"{_FROM_ASM}retrieved secret from Secrets Manager did not contain json key {wanted.json_key}"
            )
        value = held[wanted.json_key]
        return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)

    async def _fetch(self, role: ExecutionRole, wanted: SecretReference) -> str:
        """The text of a secret's version. Raises ExecutionFailure with the service's error."""
        ctx = role.context
        secret = find_secret(self._store, ctx, wanted.secret, self._now())
        named = wanted.secret if wanted.secret.startswith("arn:") else _named_arn(ctx, wanted.secret)
        resource = named if secret is None else secret_arn(ctx, secret)
        policy = "" if secret is None else secret.policy
        refusal = role.refusal("secretsmanager:GetSecretValue", resource, policy)
        if refusal is None and secret is not None and not role.may_decrypt(secret.key_id, SECRET_KEY):
            refusal = "Access to KMS is not allowed"
        if refusal is not None:
            raise ExecutionFailure(called(ACCESS_DENIED, refusal, ctx.request_id))
        version_id, stage = wanted.version_id or None, wanted.version_stage or None
        try:
            _, _, value = await self._secrets.read(ctx, wanted.secret, version_id, stage)
        except ServiceError as error:
            raise ExecutionFailure(called_with(error, ctx.request_id)) from error
        if isinstance(value, bytes):
            raise ExecutionFailure("the secret has a SecretBinary and no SecretString")
        return value


def _named_arn(ctx: Context, name: str) -> str:
    """Of a secret that is not there: without its last six characters."""
    return arn("secretsmanager", ctx.region, ctx.account, f"secret:{name}")


def _parse(text: str) -> ParameterReference | SecretReference:
    try:
        return parse_reference(text)
    except BadReference as error:
        raise ExecutionFailure(str(error) or f"invalid ssm parameters: {text}") from None


def _parse_json(text: str) -> dict[str, Any]:
    """The secret as a JSON object; empty if it is none, of which nothing must be told."""
    try:
        held = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return held if isinstance(held, dict) else {}
