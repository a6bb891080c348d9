"""Groups, and who is in them."""

from __future__ import annotations

from msgspec.structs import replace

from tidegate.api import iam
from tidegate.api.shape import Context
from tidegate.model.identity import Group, User
from tidegate.services.iam.entities import arn_of, check_new, get_named, settled, take_page
from tidegate.services.iam.identities import find_named, new_id
from tidegate.services.iam.users import show_user
from tidegate.services.writes import Clock
from tidegate.store.store import Delete, Put, Store

MAX_GROUPS = 10
"""Of one user."""


class Groups:
    """The operations on groups themselves."""

    def __init__(self, store: Store, now: Clock) -> None:
        self._store = store
        self._now = now

    async def create_group(self, ctx: Context, request: iam.CreateGroupRequest) -> iam.CreateGroupResponse:
        """Without members and permissions."""

        async def attempt() -> Group:
            check_new(self._store, Group, request.group_name)
            group = Group(name=request.group_name, id=new_id(Group), path=request.path or "/", created_at=self._now())
            await self._store.commit(Put(group))
            return group

        return iam.CreateGroupResponse(group=_show(ctx, await settled(attempt)))

    async def get_group(self, ctx: Context, request: iam.GetGroupRequest) -> iam.GetGroupResponse:
        """With its members, by name."""
        group = get_named(self._store, Group, request.group_name)
        found, marker = take_page(self._members(group), lambda u: u.key, "GetGroup", request.marker, request.max_items)
        return iam.GetGroupResponse(
            group=_show(ctx, group),
            users=tuple(replace(show_user(ctx, user), tags=None, permissions_boundary=None) for user in found),
            is_truncated=marker is not None,
            marker=marker,
        )

    async def list_groups(self, ctx: Context, request: iam.ListGroupsRequest) -> iam.ListGroupsResponse:
        """By name."""
        prefix = request.path_prefix or "/"
        groups = (group for group in self._store.select(Group) if group.path.startswith(prefix))
        found, marker = take_page(groups, lambda g: g.key, "ListGroups", request.marker, request.max_items)
        shown = tuple(_show(ctx, group) for group in found)
        return iam.ListGroupsResponse(groups=shown, is_truncated=marker is not None, marker=marker)

    async def update_group(self, ctx: Context, request: iam.UpdateGroupRequest) -> None:
        """Rename or move: the id and the members stay."""

        async def attempt() -> None:
            group = get_named(self._store, Group, request.group_name)
            name = request.new_group_name or group.name
            changed = replace(group, name=name, path=request.new_path or group.path)
            if changed.key == group.key:
                moves: list[Put | Delete] = [Put(changed)]
            else:
                check_new(self._store, Group, name)
                moves = [Delete(group), Put(replace(changed, revision=0))]
            for user in self._members(group):
                groups = tuple(name if each == group.name else each for each in user.groups)
                moves.append(Put(replace(user, groups=groups)))
            await self._store.commit(*moves)

        await settled(attempt)

    async def delete_group(self, ctx: Context, request: iam.DeleteGroupRequest) -> None:
        """Once it has no members and policies any more."""

        async def attempt() -> None:
            group = get_named(self._store, Group, request.group_name)
            if self._members(group):
                raise iam.DeleteConflictException("Cannot delete entity, must remove users from group first.")
            if group.attached:
                raise iam.DeleteConflictException("Cannot delete entity, must detach all policies first.")
            if group.inline:
                raise iam.DeleteConflictException("Cannot delete entity, must delete policies first.")
            await self._store.commit(Delete(group))

        await settled(attempt)

    async def add_user_to_group(self, ctx: Context, request: iam.AddUserToGroupRequest) -> None:
        """Somebody who is in it already stays in it."""

        async def attempt() -> None:
            group = get_named(self._store, Group, request.group_name)
            user = get_named(self._store, User, request.user_name)
            if group.name in user.groups:
                return
            if len(user.groups) >= MAX_GROUPS:
                raise iam.LimitExceededException(f"Cannot exceed quota for GroupsPerUser: {MAX_GROUPS}")
            # the group is written too: it must not be deleted meanwhile
            await self._store.commit(Put(replace(user, groups=(*user.groups, group.name))), Put(group))

        await settled(attempt)

    async def remove_user_from_group(self, ctx: Context, request: iam.RemoveUserFromGroupRequest) -> None:
        """Somebody who is not in it is NoSuchEntity."""

        async def attempt() -> None:
            group = get_named(self._store, Group, request.group_name)
            user = get_named(self._store, User, request.user_name)
            if group.name not in user.groups:
                raise iam.NoSuchEntityException(f"User {user.name} not in group {group.name}")
            groups = tuple(name for name in user.groups if name != group.name)
            await self._store.commit(Put(replace(user, groups=groups)))

        await settled(attempt)

    async def list_groups_for_user(
        self, ctx: Context, request: iam.ListGroupsForUserRequest
    ) -> iam.ListGroupsForUserResponse:
        """By name."""
        user = get_named(self._store, User, request.user_name)
        groups = (group for name in user.groups if (group := find_named(self._store, Group, name)))
        found, marker = take_page(groups, lambda g: g.key, "ListGroupsForUser", request.marker, request.max_items)
        shown = tuple(_show(ctx, group) for group in found)
        return iam.ListGroupsForUserResponse(groups=shown, is_truncated=marker is not None, marker=marker)

    def _members(self, group: Group) -> list[User]:
        return [user for user in self._store.select(User) if group.name in user.groups]


def _show(ctx: Context, group: Group) -> iam.Group:
    return iam.Group(
        path=group.path,
        group_name=group.name,
        group_id=group.id,
        arn=arn_of(ctx, group),
        create_date=group.created_at,
    )
