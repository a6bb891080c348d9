"""DeleteSecret and RestoreSecret, and what takes secrets away when their recovery window has ended."""

from __future__ import annotations

from msgspec.structs import replace

from tidegate.api import secretsmanager as api
from tidegate.api.shape import Context
from tidegate.model.arn import arn
from tidegate.model.secret import Secret, SecretVersion
from tidegate.services.secretsmanager.errors import marked_for_deletion, not_found
from tidegate.services.secretsmanager.names import find_secret, get_secret, new_suffix, secret_arn
from tidegate.services.secretsmanager.values import DAY_SECONDS
from tidegate.services.secretsmanager.writes import settle
from tidegate.services.writes import Clock
from tidegate.store.store import Conflict, Delete, Put, Store

MIN_WINDOW_DAYS, MAX_WINDOW_DAYS = 7, 30


class SecretDeletion:
    """The operations."""

    def __init__(self, store: Store, now: Clock) -> None:
        self._store = store
        self._now = now

    async def delete_secret(self, ctx: Context, request: api.DeleteSecretRequest) -> api.DeleteSecretResponse:
        """Mark a secret for deletion, or delete it at once; then it need not be there, so that it can be repeated."""
        days = _window(request)
        now = self._now()

        async def attempt() -> api.DeleteSecretResponse:
            secret = find_secret(self._store, ctx, request.secret_id, now)
            if days is None:
                return await self._remove(ctx, request.secret_id, secret)
            if secret is None:
                raise not_found()
            if secret.deleted_at is not None:
                raise marked_for_deletion()
            purge_at = now + days * DAY_SECONDS
            await self._store.commit(Put(replace(secret, deleted_at=now, purge_at=purge_at, changed_at=now)))
            return _answer(ctx, secret, purge_at)

        return await settle(attempt)

    async def restore_secret(self, ctx: Context, request: api.RestoreSecretRequest) -> api.RestoreSecretResponse:
        """Take the mark away; a secret without it stays as it is."""

        async def attempt() -> Secret:
            secret = get_secret(self._store, ctx, request.secret_id, self._now())
            if secret.deleted_at is not None:
                secret = replace(secret, deleted_at=None, purge_at=None, changed_at=self._now())
                await self._store.commit(Put(secret))
            return secret

        secret = await settle(attempt)
        return api.RestoreSecretResponse(arn=secret_arn(ctx, secret), name=secret.name)

    async def purge(self) -> int:
        """Delete the secrets whose window has ended; returns how many. To be called now and then."""
        purged = 0
        for secret in self._store.select(Secret):
            if secret.purge_at is None or secret.purge_at > self._now():
                continue
            try:
                await self._store.commit(*self._deletions(secret))
            except Conflict:
                continue
            purged += 1
        return purged

    async def _remove(self, ctx: Context, identifier: str, secret: Secret | None) -> api.DeleteSecretResponse:
        now = self._now()
        if secret is None:
            named = identifier if identifier.startswith("arn:") else _made_up(ctx, identifier)
            return api.DeleteSecretResponse(arn=named, name=identifier.rpartition(":")[2], deletion_date=now)
        await self._store.commit(*self._deletions(secret))
        return _answer(ctx, secret, now)

    def _deletions(self, secret: Secret) -> list[Delete]:
        versions = self._store.select(SecretVersion, "secret", secret.id)
        return [Delete(secret), *(Delete(version) for version in versions)]


def _answer(ctx: Context, secret: Secret, at: float) -> api.DeleteSecretResponse:
    return api.DeleteSecretResponse(arn=secret_arn(ctx, secret), name=secret.name, deletion_date=at)


def _made_up(ctx: Context, name: str) -> str:
    """AWS shows an ARN for a secret that isn't there, too."""
    return arn("secretsmanager", ctx.region, ctx.account, f"secret:{name}-{new_suffix()}")


def _window(request: api.DeleteSecretRequest) -> int | None:
    """Days; None: at once."""
    if request.force_delete_without_recovery:
        if request.recovery_window_in_days is not None:
            raise api.InvalidParameterException(
                "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays."
            )
        return None
    days = MAX_WINDOW_DAYS if request.recovery_window_in_days is None else request.recovery_window_in_days
    if not MIN_WINDOW_DAYS <= days <= MAX_WINDOW_DAYS:
        raise api.InvalidParameterException(
            f"The RecoveryWindowInDays value must be between {MIN_WINDOW_DAYS} and {MAX_WINDOW_DAYS} days (inclusive)."
        )
    return days
