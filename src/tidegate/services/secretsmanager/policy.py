"""
GetResourcePolicy, PutResourcePolicy and DeleteResourcePolicy: kept and returned.

A policy has to be one that could be read; whether its principals are there is not looked at.
"""

from __future__ import annotations

import json
from typing import Any

from msgspec.structs import replace

from tidegate.api import secretsmanager as api
from tidegate.api.shape import Context
from tidegate.model.secret import Secret
from tidegate.services.secretsmanager.errors import unsupported
from tidegate.services.secretsmanager.names import get_live_secret, get_secret, secret_arn
from tidegate.services.secretsmanager.writes import settle
from tidegate.services.writes import Clock
from tidegate.store.store import Put, Store


class SecretPolicies:
    """The operations."""

    def __init__(self, store: Store, now: Clock) -> None:
        self._store = store
        self._now = now

    async def get_resource_policy(
        self, ctx: Context, request: api.GetResourcePolicyRequest
    ) -> api.GetResourcePolicyResponse:
        """The policy, or an answer without one."""
        _refuse_name(request.policy_name)
        secret = get_secret(self._store, ctx, request.secret_id, self._now())
        return api.GetResourcePolicyResponse(
            arn=secret_arn(ctx, secret), name=secret.name, resource_policy=secret.policy or None
        )

    async def put_resource_policy(
        self, ctx: Context, request: api.PutResourcePolicyRequest
    ) -> api.PutResourcePolicyResponse:
        """Replace the policy. Raises MalformedPolicyDocumentException, PublicPolicyException."""
        _refuse_name(request.policy_name)
        statements = _statements(request.resource_policy)
        if request.block_public_policy and any(_is_public(statement) for statement in statements):
            raise api.PublicPolicyException(
                "You can't attach a resource policy that allows broad access to the secret."
            )
        secret = await self._set(ctx, request.secret_id, request.resource_policy)
        return api.PutResourcePolicyResponse(arn=secret_arn(ctx, secret), name=secret.name)

    async def delete_resource_policy(
        self, ctx: Context, request: api.DeleteResourcePolicyRequest
    ) -> api.DeleteResourcePolicyResponse:
        """Take the policy away; it need not be there."""
        _refuse_name(request.policy_name)
        secret = await self._set(ctx, request.secret_id, "")
        return api.DeleteResourcePolicyResponse(arn=secret_arn(ctx, secret), name=secret.name)

    async def _set(self, ctx: Context, identifier: str, policy: str) -> Secret:
        async def attempt() -> Secret:
            secret = get_live_secret(self._store, ctx, identifier, self._now())
            changed = replace(secret, policy=policy, changed_at=self._now())
            await self._store.commit(Put(changed))
            return changed

        return await settle(attempt)


def _refuse_name(name: str | None) -> None:
    if name is not None:
        raise unsupported("resource policies with names")


def _statements(policy: str) -> list[dict[str, Any]]:
    """Raises MalformedPolicyDocumentException."""
    try:
        document = json.loads(policy)
    except (ValueError, RecursionError):
        raise api.MalformedPolicyDocumentException("This resource policy contains invalid Json.") from None
    listed = document.get("Statement") if isinstance(document, dict) else None
    statements: list[Any] = listed if isinstance(listed, list) else [listed]
    if not all(map(_is_statement, statements)):
        raise api.MalformedPolicyDocumentException("This resource policy contains a syntax error.")
    return statements


def _is_statement(value: Any) -> bool:
    if not isinstance(value, dict) or value.get("Effect") not in ("Allow", "Deny"):
        return False
    return "Principal" in value or "NotPrincipal" in value


def _is_public(statement: dict[str, Any]) -> bool:
    principal = statement.get("Principal")
    named = principal.get("AWS") if isinstance(principal, dict) else principal
    is_anybody = "NotPrincipal" in statement or named == "*" or (isinstance(named, list) and "*" in named)
    return statement["Effect"] == "Allow" and is_anybody and not statement.get("Condition")
