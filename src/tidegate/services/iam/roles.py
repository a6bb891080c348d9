"""Roles, those that are linked to a service included."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from tidegate.api import iam
from tidegate.api.shape import Context
from tidegate.model.identity import InstanceProfile, Role
from tidegate.services.iam.documents import check_trust, show_document
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
from tidegate.services.iam.identities import new_id
from tidegate.services.iam.managed import check_attachable
from tidegate.services.writes import Clock
from tidegate.store.store import Delete, Put, Store

LINKED_PATH = "/aws-service-role/"
DEFAULT_SESSION_SECONDS = 3600


class Roles:
    """The operations on roles themselves."""

    def __init__(self, store: Store, now: Clock) -> None:
        self._store = store
        self._now = now

    async def create_role(self, ctx: Context, request: iam.CreateRoleRequest) -> iam.CreateRoleResponse:
        """With its trust policy and no permissions."""
        path = request.path or "/"
        if path.startswith(LINKED_PATH):
            raise iam.InvalidInputException(f"The path {LINKED_PATH} is reserved for service-linked roles.")

        async def attempt() -> Role:
            check_new(self._store, Role, request.role_name)
            check_trust(self._store, ctx.account, request.assume_role_policy_document)
            if request.permissions_boundary:
                check_attachable(self._store, request.permissions_boundary)
            role = Role(
                name=request.role_name,
                id=new_id(Role),
                path=path,
                created_at=self._now(),
                tags=read_tags(request.tags),
                boundary=request.permissions_boundary,
                trust=request.assume_role_policy_document,
                description=request.description,
                max_session_seconds=request.max_session_duration or DEFAULT_SESSION_SECONDS,
            )
            await self._store.commit(Put(role))
            return role

        return iam.CreateRoleResponse(role=show_role(ctx, await settled(attempt)))

    async def get_role(self, ctx: Context, request: iam.GetRoleRequest) -> iam.GetRoleResponse:
        """By name."""
        return iam.GetRoleResponse(role=show_role(ctx, get_named(self._store, Role, request.role_name)))

    async def list_roles(self, ctx: Context, request: iam.ListRolesRequest) -> iam.ListRolesResponse:
        """By name; without tags and boundaries, as AWS does."""
        prefix = request.path_prefix or "/"
        roles = (role for role in self._store.select(Role) if role.path.startswith(prefix))
        found, marker = take_page(roles, lambda r: r.key, "ListRoles", request.marker, request.max_items)
        shown = tuple(replace(show_role(ctx, role), tags=None, permissions_boundary=None) for role in found)
        return iam.ListRolesResponse(roles=shown, is_truncated=marker is not None, marker=marker)

    async def update_role(self, ctx: Context, request: iam.UpdateRoleRequest) -> iam.UpdateRoleResponse:
        """Its description, and how long its sessions may last."""

        def change(role: Role) -> Role:
            return replace(
                role,
                description=role.description if request.description is None else request.description,
                max_session_seconds=request.max_session_duration or role.max_session_seconds,
            )

        await self._change(request.role_name, change)
        return iam.UpdateRoleResponse()

    async def update_role_description(
        self, ctx: Context, request: iam.UpdateRoleDescriptionRequest
    ) -> iam.UpdateRoleDescriptionResponse:
        """As UpdateRole does it."""
        role = await self._change(request.role_name, lambda role: replace(role, description=request.description))
        return iam.UpdateRoleDescriptionResponse(role=show_role(ctx, role))

    async def update_assume_role_policy(self, ctx: Context, request: iam.UpdateAssumeRolePolicyRequest) -> None:
        """Who may assume it from now on; sessions that are out stay."""

        def change(role: Role) -> Role:
            check_trust(self._store, ctx.account, request.policy_document)
            return replace(role, trust=request.policy_document)

        await self._change(request.role_name, change)

    async def delete_role(self, ctx: Context, request: iam.DeleteRoleRequest) -> None:
        """Once it has no policies and is in no instance profile any more; its sessions end with it."""

        async def attempt() -> None:
            role = get_named(self._store, Role, request.role_name)
            check_modifiable(role)
            if list(self._store.select(InstanceProfile, "role", role.key)):
                raise iam.DeleteConflictException(
                    "Cannot delete entity, must remove roles from instance profile first."
                )
            if role.attached:
                raise iam.DeleteConflictException("Cannot delete entity, must detach all policies first.")
            if role.inline:
                raise iam.DeleteConflictException("Cannot delete entity, must delete policies first.")
            await self._store.commit(Delete(role))

        await settled(attempt)

    async def _change(self, name: str, change: Callable[[Role], Role]) -> Role:
        async def attempt() -> Role:
            role = get_named(self._store, Role, name)
            check_modifiable(role)
            changed = change(role)
            await self._store.commit(Put(changed))
            return changed

        return await settled(attempt)


def check_modifiable(role: object) -> None:
    """Service-linked roles are the service's. Raises UnmodifiableEntity."""
    if isinstance(role, Role) and role.path.startswith(LINKED_PATH):
        raise iam.UnmodifiableEntityException(
            f"Cannot perform the operation on the protected role '{role.name}' - this role is only modifiable by AWS"
        )


def show_role(ctx: Context, role: Role) -> iam.Role:
    """As answers have it."""
    return iam.Role(
        path=role.path,
        role_name=role.name,
        role_id=role.id,
        arn=arn_of(ctx, role),
        create_date=role.created_at,
        assume_role_policy_document=show_document(role.trust),
        description=role.description,
        max_session_duration=role.max_session_seconds,
        permissions_boundary=show_boundary(role.boundary),
        tags=show_tags(role.tags) or None,
    )
