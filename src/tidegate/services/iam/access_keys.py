"""Access keys: what users, and the root, sign requests with for good."""

from __future__ import annotations

from typing import Protocol

from msgspec.structs import replace

from tidegate.api import iam
from tidegate.api.shape import Context
from tidegate.model.account import AccessKey
from tidegate.model.identity import User
from tidegate.services.account import access_key_context
from tidegate.services.iam.entities import arn_of, get_named, settled, take_page
from tidegate.services.iam.identities import find_user, new_access_key
from tidegate.services.writes import Clock
from tidegate.store.store import Delete, Put, Store

MAX_KEYS = 2
"""Of one user."""


class Sealer(Protocol):
    """Encrypts what must not be readable at rest. context: bytes that the sealed text is bound to."""

    def seal(self, plaintext: bytes, context: bytes) -> bytes: ...


class AccessKeys:
    """The operations. Without a user's name they are about whoever asks."""

    def __init__(self, store: Store, sealer: Sealer, now: Clock) -> None:
        self._store = store
        self._sealer = sealer
        self._now = now

    async def create_access_key(self, ctx: Context, request: iam.CreateAccessKeyRequest) -> iam.CreateAccessKeyResponse:
        """A new key: the only time that its secret is shown."""
        access_key, secret = new_access_key("AKIA")

        async def attempt() -> AccessKey:
            user = self._user(ctx, request.user_name)
            if len(self._keys(user)) >= MAX_KEYS:
                raise iam.LimitExceededException(f"Cannot exceed quota for AccessKeysPerUser: {MAX_KEYS}")
            key = AccessKey(
                id=access_key,
                principal=arn_of(ctx, user) if user else ctx.principal,
                user=user.name if user else "",
                sealed_secret=self._sealer.seal(secret.encode(), access_key_context(access_key)),
                created_at=self._now(),
            )
            await self._store.commit(Put(key), *([Put(user)] if user else []))
            return key

        key = await settled(attempt)
        return iam.CreateAccessKeyResponse(
            access_key=iam.AccessKey(
                user_name=key.user or "root",
                access_key_id=key.id,
                status="Active",
                secret_access_key=secret,
                create_date=key.created_at,
            )
        )

    async def list_access_keys(self, ctx: Context, request: iam.ListAccessKeysRequest) -> iam.ListAccessKeysResponse:
        """Without their secrets."""
        keys = self._keys(self._user(ctx, request.user_name))
        found, marker = take_page(keys, lambda k: k.id, "ListAccessKeys", request.marker, request.max_items)
        return iam.ListAccessKeysResponse(
            access_key_metadata=tuple(
                iam.AccessKeyMetadata(
                    user_name=key.user or "root",
                    access_key_id=key.id,
                    status="Active" if key.is_active else "Inactive",
                    create_date=key.created_at,
                )
                for key in found
            ),
            is_truncated=marker is not None,
            marker=marker,
        )

    async def update_access_key(self, ctx: Context, request: iam.UpdateAccessKeyRequest) -> None:
        """Switch it on or off."""

        async def attempt() -> None:
            key = self._key(ctx, request.user_name, request.access_key_id)
            if request.status != "Active":
                self._keep_servers_own(key)
            await self._store.commit(Put(replace(key, is_active=request.status == "Active")))

        await settled(attempt)

    async def delete_access_key(self, ctx: Context, request: iam.DeleteAccessKeyRequest) -> None:
        """For good."""

        async def attempt() -> None:
            key = self._key(ctx, request.user_name, request.access_key_id)
            self._keep_servers_own(key)
            await self._store.commit(Delete(key))

        await settled(attempt)

    def _user(self, ctx: Context, name: str | None) -> User | None:
        """None: the root, when it asks for itself."""
        if name is not None:
            return get_named(self._store, User, name)
        if ctx.principal.endswith(":root"):
            return None
        user = find_user(self._store, ctx.principal)
        if user is None:
            raise iam.NoSuchEntityException("The caller is no user: name one.")
        return user

    def _keys(self, user: User | None) -> list[AccessKey]:
        if user is not None:
            return list(self._store.select(AccessKey, "user", user.key))
        return [key for key in self._store.select(AccessKey) if not key.user]

    def _key(self, ctx: Context, name: str | None, access_key: str) -> AccessKey:
        user = self._user(ctx, name)
        key = self._store.get(AccessKey, access_key)
        if key is None or key.user != (user.name if user else ""):
            raise iam.NoSuchEntityException(f"The Access Key with id {access_key} cannot be found.")
        return key

    def _keep_servers_own(self, key: AccessKey) -> None:
        """The root's oldest key is the one that commands on the server's machine come by."""
        if not key.user and key.id == min(self._keys(None), key=lambda k: k.created_at).id:
            raise iam.DeleteConflictException(
                "cannot take away the root's first access key: the commands of this server's machine sign with it"
            )
