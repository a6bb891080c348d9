"""Users."""

from __future__ import annotations

from msgspec.structs import replace

from tidegate.api import iam
from tidegate.api.shape import Context
from tidegate.model.account import AccessKey
from tidegate.model.identity import User
from tidegate.services.iam.entities import (
    arn_of,
    check_new,
    get_named,
    read_tags,
    settled,
    show_boundary,
    show_tags,
    take_page,
)
from tidegate.services.iam.identities import find_user, new_id
from tidegate.services.iam.managed import check_attachable
from tidegate.services.writes import Clock
from tidegate.store.store import Delete, Put, Store


class Users:
    """The operations on users themselves."""

    def __init__(self, store: Store, now: Clock) -> None:
        self._store = store
        self._now = now

    async def create_user(self, ctx: Context, request: iam.CreateUserRequest) -> iam.CreateUserResponse:
        """Without keys and permissions."""

        async def attempt() -> User:
            check_new(self._store, User, request.user_name)
            if request.permissions_boundary:
                check_attachable(self._store, request.permissions_boundary)
            user = User(
                name=request.user_name,
                id=new_id(User),
                path=request.path or "/",
                created_at=self._now(),
                tags=read_tags(request.tags),
                boundary=request.permissions_boundary,
            )
            await self._store.commit(Put(user))
            return user

        return iam.CreateUserResponse(user=show_user(ctx, await settled(attempt)))

    async def get_user(self, ctx: Context, request: iam.GetUserRequest) -> iam.GetUserResponse:
        """By name; without one, whoever asks."""
        if request.user_name is not None:
            return iam.GetUserResponse(user=show_user(ctx, get_named(self._store, User, request.user_name)))
        user = find_user(self._store, ctx.principal)
        if user is not None:
            return iam.GetUserResponse(user=show_user(ctx, user))
        if not ctx.principal.endswith(":root"):
            raise iam.NoSuchEntityException("The caller is no user: name one.")
        created_at = min((key.created_at for key in self._store.select(AccessKey) if not key.user), default=0.0)
        root = iam.User(path="/", user_name="root", user_id=ctx.account, arn=ctx.principal, create_date=created_at)
        return iam.GetUserResponse(user=root)

    async def list_users(self, ctx: Context, request: iam.ListUsersRequest) -> iam.ListUsersResponse:
        """By name."""
        prefix = request.path_prefix or "/"
        users = (user for user in self._store.select(User) if user.path.startswith(prefix))
        found, marker = take_page(users, lambda u: u.key, "ListUsers", request.marker, request.max_items)
        shown = tuple(replace(show_user(ctx, user), tags=None, permissions_boundary=None) for user in found)
        return iam.ListUsersResponse(users=shown, is_truncated=marker is not None, marker=marker)

    async def update_user(self, ctx: Context, request: iam.UpdateUserRequest) -> None:
        """Rename or move: the id stays, keys and groups come along."""

        async def attempt() -> None:
            user = get_named(self._store, User, request.user_name)
            name = request.new_user_name or user.name
            changed = replace(user, name=name, path=request.new_path or user.path)
            if changed.key == user.key:
                moves: list[Put | Delete] = [Put(changed)]
            else:
                check_new(self._store, User, name)
                moves = [Delete(user), Put(replace(changed, revision=0))]
            keys = self._store.select(AccessKey, "user", user.key)
            moves += [Put(replace(key, user=name, principal=arn_of(ctx, changed))) for key in keys]
            await self._store.commit(*moves)

        await settled(attempt)

    async def delete_user(self, ctx: Context, request: iam.DeleteUserRequest) -> None:
        """Once it has no keys, policies and groups any more."""

        async def attempt() -> None:
            user = get_named(self._store, User, request.user_name)
            if list(self._store.select(AccessKey, "user", user.key)):
                raise iam.DeleteConflictException("Cannot delete entity, must delete access keys first.")
            if user.attached:
                raise iam.DeleteConflictException("Cannot delete entity, must detach all policies first.")
            if user.inline:
                raise iam.DeleteConflictException("Cannot delete entity, must delete policies first.")
            if user.groups:
                raise iam.DeleteConflictException("Cannot delete entity, must remove user from all groups first.")
            await self._store.commit(Delete(user))

        await settled(attempt)


def show_user(ctx: Context, user: User) -> iam.User:
    """As answers have it."""
    return iam.User(
        path=user.path,
        user_name=user.name,
        user_id=user.id,
        arn=arn_of(ctx, user),
        create_date=user.created_at,
        tags=show_tags(user.tags) or None,
        permissions_boundary=show_boundary(user.boundary),
    )
