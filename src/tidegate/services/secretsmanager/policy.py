"""
GetResourcePolicy, PutResourcePolicy and DeleteResourcePolicy.

A secret's policy binds at the door, and at launch for execution roles (see `services.iam.policy`); whether those whom
it names are there is not looked at.
"""

from __future__ import annotations

from msgspec.structs import replace

from tidegate.api import secretsmanager as api
from tidegate.api.shape import Context
from tidegate.model.secret import Secret
from tidegate.services.iam.policy.document import MalformedPolicy, Statement, read_policy
from tidegate.services.iam.policy.principals import Asker
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
        _check(request.resource_policy, blocks_public=bool(request.block_public_policy))
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


def _check(policy: str, *, blocks_public: bool) -> None:
    """Raises MalformedPolicyDocumentException, PublicPolicyException."""
    try:
        statements = read_policy(policy, "resource").statements
    except MalformedPolicy as error:
        raise api.MalformedPolicyDocumentException(f"This resource policy contains a syntax error. {error}") from None
    if blocks_public and any(map(_is_public, statements)):
        raise api.PublicPolicyException("You can't attach a resource policy that allows broad access to the secret.")


def _is_public(statement: Statement) -> bool:
    """It lets everybody in, without a condition."""
    stranger = Asker()
    return statement.is_allow and bool(statement.trust(stranger)) and not statement.conditions
