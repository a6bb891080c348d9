"""
New versions: CreateSecret, PutSecretValue and UpdateSecret.

A request's ClientRequestToken becomes the version's id, so the same request again changes nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from functools import partial

from msgspec.structs import replace

from tidegate.api import secretsmanager as api
from tidegate.api.shape import Context
from tidegate.model.secret import Secret, SecretVersion
from tidegate.services.secretsmanager.errors import unsupported
from tidegate.services.secretsmanager.names import (
    check_new_name,
    find_secret,
    get_live_secret,
    new_suffix,
    secret_arn,
)
from tidegate.services.secretsmanager.stages import CURRENT, MAX_STAGES, labels_on, plan_attach
from tidegate.services.secretsmanager.tags import check_tags
from tidegate.services.secretsmanager.values import SecretValues, Value, given_value
from tidegate.services.secretsmanager.writes import settle
from tidegate.services.writes import Clock
from tidegate.store.store import Delete, Put, Store

MAX_VERSIONS = 100


class SecretVersions:
    """The operations."""

    def __init__(self, store: Store, values: SecretValues, now: Clock) -> None:
        self._store = store
        self._values = values
        self._now = now

    async def create_secret(self, ctx: Context, request: api.CreateSecretRequest) -> api.CreateSecretResponse:
        """A secret, with its first version if a value is given. Durable when it returns."""
        check_new_name(request.name)
        if request.add_replica_regions:
            raise unsupported("the replication of secrets")
        if request.type is not None or request.cross_account_primary_arn is not None:
            raise unsupported("secrets that others manage")
        check_tags(request.tags)
        value = given_value(request.secret_string, request.secret_binary)
        version = request.client_request_token or str(uuid.uuid4())
        secret = await settle(partial(self._create, ctx, request, version, value))
        return api.CreateSecretResponse(
            arn=secret_arn(ctx, secret), name=secret.name, version_id=None if value is None else version
        )

    async def put_secret_value(self, ctx: Context, request: api.PutSecretValueRequest) -> api.PutSecretValueResponse:
        """A new version, current if nothing else is said."""
        value = given_value(request.secret_string, request.secret_binary)
        if value is None:
            raise api.InvalidRequestException("You must provide either SecretString or SecretBinary.")
        if request.rotation_token is not None:
            raise unsupported("the rotation of secrets")
        version = request.client_request_token or str(uuid.uuid4())
        stages = request.version_stages or (CURRENT,)

        async def attempt() -> Secret:
            secret = get_live_secret(self._store, ctx, request.secret_id, self._now())
            return await self._add(ctx, secret, version, value, stages)

        secret = await settle(attempt)
        return api.PutSecretValueResponse(
            arn=secret_arn(ctx, secret),
            name=secret.name,
            version_id=version,
            version_stages=labels_on(secret.stages, version) or None,
        )

    async def update_secret(self, ctx: Context, request: api.UpdateSecretRequest) -> api.UpdateSecretResponse:
        """Description and key, and a new current version if a value is given."""
        if request.type is not None:
            raise unsupported("secrets that others manage")
        value = given_value(request.secret_string, request.secret_binary)
        version = request.client_request_token or str(uuid.uuid4())

        async def attempt() -> Secret:
            secret = get_live_secret(self._store, ctx, request.secret_id, self._now())
            changed = replace(
                secret,
                description=secret.description if request.description is None else request.description,
                key_id=secret.key_id if request.kms_key_id is None else request.kms_key_id,
                changed_at=self._now(),
            )
            if value is not None:
                return await self._add(ctx, changed, version, value, (CURRENT,))
            await self._store.commit(Put(changed))
            return changed

        secret = await settle(attempt)
        return api.UpdateSecretResponse(
            arn=secret_arn(ctx, secret), name=secret.name, version_id=None if value is None else version
        )

    async def _create(
        self, ctx: Context, request: api.CreateSecretRequest, version: str, value: Value | None
    ) -> Secret:
        now = self._now()
        there = self._store.get(Secret, request.name)
        if there is not None and find_secret(self._store, ctx, request.name, now) is not None:
            return await self._same(ctx, there, version, value)
        secret = Secret(
            name=request.name,
            id=uuid.uuid4().hex,
            suffix=new_suffix(),
            created_at=now,
            changed_at=now,
            description=request.description or "",
            key_id=request.kms_key_id or "",
            stages={} if value is None else {CURRENT: version},
            tags=check_tags(request.tags),
        )
        changes: list[Put | Delete] = [Put(secret if there is None else replace(secret, revision=there.revision))]
        if there is not None:  # its window has ended; the purge would take it in a moment
            changes += [Delete(old) for old in self._store.select(SecretVersion, "secret", there.id)]
        if value is not None:
            changes.append(Put(self._values.seal(secret, version, value)))
        await self._store.commit(*changes)
        return secret

    async def _same(self, ctx: Context, secret: Secret, version: str, value: Value | None) -> Secret:
        """A secret that is there already is the request's own, if it has made the same version; or it is refused."""
        await self._store.commit()  # whoever made it may still wait for the disk
        if secret.deleted_at is not None:
            raise api.InvalidRequestException(
                "You can't create this secret because a secret with this name is already scheduled for deletion."
            )
        made = self._values.find(secret, version)
        if made is None or value is None or self._values.unseal(made) != value:
            raise api.ResourceExistsException(f"The operation failed because the secret {secret.name} already exists.")
        return secret

    async def _add(self, ctx: Context, secret: Secret, version: str, value: Value, labels: Sequence[str]) -> Secret:
        made = self._values.find(secret, version)
        if made is not None:
            if self._values.unseal(made) != value:
                raise api.ResourceExistsException(
                    f"You can't use ClientRequestToken {version} because that value is already in use for a version "
                    f"of secret {secret_arn(ctx, secret)}."
                )
            await self._store.commit()  # whoever made it may still wait for the disk
            return secret
        stages = plan_attach(secret.stages, version, labels)
        if len(labels_on(stages, version)) > MAX_STAGES:
            raise api.LimitExceededException(f"A version can have at most {MAX_STAGES} staging labels.")
        changed = replace(secret, stages=stages, changed_at=self._now())
        gone = self._superfluous(changed)
        await self._store.commit(Put(changed), Put(self._values.seal(secret, version, value)), *gone)
        return changed

    def _superfluous(self, secret: Secret) -> list[Delete]:
        """Room for one more: the oldest versions without a label go. Raises LimitExceededException."""
        versions = list(self._store.select(SecretVersion, "secret", secret.id))
        excess = len(versions) + 1 - MAX_VERSIONS
        if excess <= 0:
            return []
        labelled = set(secret.stages.values())
        unlabelled = [version for version in versions if version.id not in labelled]
        if len(unlabelled) < excess:
            raise api.LimitExceededException(f"A secret can have at most {MAX_VERSIONS} versions with staging labels.")
        return [Delete(version) for version in unlabelled[:excess]]
