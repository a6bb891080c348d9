"""DescribeSecret, ListSecrets and ListSecretVersionIds: secrets without their values."""

from __future__ import annotations

from collections.abc import Callable

from tidegate.api import secretsmanager as api
from tidegate.api.shape import Context
from tidegate.model.secret import Secret, SecretVersion
from tidegate.services.pages import BadToken, page
from tidegate.services.secretsmanager.filters import plan_filters
from tidegate.services.secretsmanager.names import get_secret, secret_arn
from tidegate.services.secretsmanager.read import BAD_TOKEN
from tidegate.services.secretsmanager.stages import labels_by_version, labels_on
from tidegate.services.secretsmanager.tags import shown_tags
from tidegate.services.writes import Clock
from tidegate.store.store import Store

PAGE_SIZE = 100
DEFAULT_KEY = "DefaultEncryptionKey"
_ORDERS: dict[str, Callable[[Secret], str]] = {
    "created-date": lambda secret: f"{secret.created_at:020.6f} {secret.name}",
    "last-changed-date": lambda secret: f"{secret.changed_at:020.6f} {secret.name}",
    "last-accessed-date": lambda secret: f"{secret.accessed_at or 0:020.6f} {secret.name}",
    "name": lambda secret: secret.name,
}


class SecretListing:
    """The operations."""

    def __init__(self, store: Store, now: Clock) -> None:
        self._store = store
        self._now = now

    async def describe_secret(self, ctx: Context, request: api.DescribeSecretRequest) -> api.DescribeSecretResponse:
        """All but the value; also of a secret that is marked for deletion."""
        secret = get_secret(self._store, ctx, request.secret_id, self._now())
        return api.DescribeSecretResponse(
            arn=secret_arn(ctx, secret),
            name=secret.name,
            description=secret.description or None,
            kms_key_id=secret.key_id or None,
            last_changed_date=secret.changed_at,
            last_accessed_date=secret.accessed_at,
            deleted_date=secret.deleted_at,
            tags=shown_tags(secret),
            version_ids_to_stages=labels_by_version(secret.stages) or None,
            created_date=secret.created_at,
        )

    async def list_secrets(self, ctx: Context, request: api.ListSecretsRequest) -> api.ListSecretsResponse:
        """A page of secrets, newest first if nothing else is said; those that wait for deletion only if asked for."""
        matches = plan_filters(request.filters, ctx.region)
        now = self._now()
        found = [
            secret
            for secret in self._store.select(Secret)
            if secret.deleted_at is None or (request.include_planned_deletion and (secret.purge_at or 0) > now)
            if matches(secret)
        ]
        order = request.sort_by or "created-date"
        is_descending = (request.sort_order or "desc") == "desc"
        try:
            secrets, token = page(
                found,
                _ORDERS[order],
                operation=f"ListSecrets {order} {is_descending}",
                token=request.next_token,
                size=request.max_results or PAGE_SIZE,
                is_descending=is_descending,
            )
        except BadToken:
            raise api.InvalidNextTokenException(BAD_TOKEN) from None
        return api.ListSecretsResponse(secret_list=tuple(_entry(ctx, secret) for secret in secrets), next_token=token)

    async def list_secret_version_ids(
        self, ctx: Context, request: api.ListSecretVersionIdsRequest
    ) -> api.ListSecretVersionIdsResponse:
        """A page of versions, oldest first; those without a label only if asked for."""
        secret = get_secret(self._store, ctx, request.secret_id, self._now())
        found = [
            version
            for version in self._store.select(SecretVersion, "secret", secret.id)
            if request.include_deprecated or version.id in secret.stages.values()
        ]
        try:
            versions, token = page(
                found,
                lambda version: f"{version.created_at:020.6f} {version.id}",
                operation=f"ListSecretVersionIds {secret.id}",
                token=request.next_token,
                size=request.max_results or PAGE_SIZE,
            )
        except BadToken:
            raise api.InvalidNextTokenException(BAD_TOKEN) from None
        return api.ListSecretVersionIdsResponse(
            arn=secret_arn(ctx, secret),
            name=secret.name,
            versions=tuple(_version(secret, version) for version in versions),
            next_token=token,
        )


def _entry(ctx: Context, secret: Secret) -> api.SecretListEntry:
    return api.SecretListEntry(
        arn=secret_arn(ctx, secret),
        name=secret.name,
        description=secret.description or None,
        kms_key_id=secret.key_id or None,
        last_changed_date=secret.changed_at,
        last_accessed_date=secret.accessed_at,
        deleted_date=secret.deleted_at,
        tags=shown_tags(secret),
        secret_versions_to_stages=labels_by_version(secret.stages) or None,
        created_date=secret.created_at,
    )


def _version(secret: Secret, version: SecretVersion) -> api.SecretVersionsListEntry:
    return api.SecretVersionsListEntry(
        version_id=version.id,
        version_stages=labels_on(secret.stages, version.id) or None,
        last_accessed_date=version.accessed_at,
        created_date=version.created_at,
        kms_key_ids=(secret.key_id or DEFAULT_KEY,),
    )
