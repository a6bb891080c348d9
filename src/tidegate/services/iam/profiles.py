"""Instance profiles: kept for those whose stacks have them. No instance here reads one."""

from __future__ import annotations

from msgspec.structs import replace

from tidegate.api import iam
from tidegate.api.shape import Context
from tidegate.model.identity import InstanceProfile, Role
from tidegate.services.iam.entities import arn_of, check_new, get_named, read_tags, settled, show_tags, take_page
from tidegate.services.iam.identities import find_named, new_id
from tidegate.services.iam.roles import show_role
from tidegate.services.writes import Clock
from tidegate.store.store import Delete, Put, Store


class InstanceProfiles:
    """The operations."""

    def __init__(self, store: Store, now: Clock) -> None:
        self._store = store
        self._now = now

    async def create_instance_profile(
        self, ctx: Context, request: iam.CreateInstanceProfileRequest
    ) -> iam.CreateInstanceProfileResponse:
        """Without a role."""

        async def attempt() -> InstanceProfile:
            check_new(self._store, InstanceProfile, request.instance_profile_name)
            profile = InstanceProfile(
                name=request.instance_profile_name,
                id=new_id(InstanceProfile),
                path=request.path or "/",
                created_at=self._now(),
                tags=read_tags(request.tags),
            )
            await self._store.commit(Put(profile))
            return profile

        return iam.CreateInstanceProfileResponse(instance_profile=self._show(ctx, await settled(attempt)))

    async def get_instance_profile(
        self, ctx: Context, request: iam.GetInstanceProfileRequest
    ) -> iam.GetInstanceProfileResponse:
        """By name."""
        profile = get_named(self._store, InstanceProfile, request.instance_profile_name)
        return iam.GetInstanceProfileResponse(instance_profile=self._show(ctx, profile))

    async def list_instance_profiles(
        self, ctx: Context, request: iam.ListInstanceProfilesRequest
    ) -> iam.ListInstanceProfilesResponse:
        """By name."""
        prefix = request.path_prefix or "/"
        profiles = (profile for profile in self._store.select(InstanceProfile) if profile.path.startswith(prefix))
        found, marker = take_page(profiles, lambda p: p.key, "ListInstanceProfiles", request.marker, request.max_items)
        shown = tuple(replace(self._show(ctx, profile), tags=None) for profile in found)
        return iam.ListInstanceProfilesResponse(instance_profiles=shown, is_truncated=marker is not None, marker=marker)

    async def list_instance_profiles_for_role(
        self, ctx: Context, request: iam.ListInstanceProfilesForRoleRequest
    ) -> iam.ListInstanceProfilesForRoleResponse:
        """By name."""
        role = get_named(self._store, Role, request.role_name)
        profiles = self._store.select(InstanceProfile, "role", role.key)
        found, marker = take_page(
            profiles, lambda p: p.key, "ListInstanceProfilesForRole", request.marker, request.max_items
        )
        shown = tuple(replace(self._show(ctx, profile), tags=None) for profile in found)
        return iam.ListInstanceProfilesForRoleResponse(
            instance_profiles=shown, is_truncated=marker is not None, marker=marker
        )

    async def add_role_to_instance_profile(self, ctx: Context, request: iam.AddRoleToInstanceProfileRequest) -> None:
        """One at most."""

        async def attempt() -> None:
            profile = get_named(self._store, InstanceProfile, request.instance_profile_name)
            role = get_named(self._store, Role, request.role_name)
            if profile.role is not None:
                raise iam.LimitExceededException("Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
            # the role is written too: it must not be deleted meanwhile
            await self._store.commit(Put(replace(profile, role=role.name)), Put(role))

        await settled(attempt)

    async def remove_role_from_instance_profile(
        self, ctx: Context, request: iam.RemoveRoleFromInstanceProfileRequest
    ) -> None:
        """Raises NoSuchEntity if the profile has another, or none."""

        async def attempt() -> None:
            profile = get_named(self._store, InstanceProfile, request.instance_profile_name)
            role = get_named(self._store, Role, request.role_name)
            if profile.role != role.name:
                raise iam.NoSuchEntityException(
                    f"The role with name {role.name} cannot be found in instance profile {profile.name}."
                )
            await self._store.commit(Put(replace(profile, role=None)))

        await settled(attempt)

    async def delete_instance_profile(self, ctx: Context, request: iam.DeleteInstanceProfileRequest) -> None:
        """Once it has no role any more."""

        async def attempt() -> None:
            profile = get_named(self._store, InstanceProfile, request.instance_profile_name)
            if profile.role is not None:
                raise iam.DeleteConflictException(
                    "Cannot delete entity, must remove roles from instance profile first."
                )
            await self._store.commit(Delete(profile))

        await settled(attempt)

    def _show(self, ctx: Context, profile: InstanceProfile) -> iam.InstanceProfile:
        role = find_named(self._store, Role, profile.role) if profile.role else None
        return iam.InstanceProfile(
            path=profile.path,
            instance_profile_name=profile.name,
            instance_profile_id=profile.id,
            arn=arn_of(ctx, profile),
            create_date=profile.created_at,
            roles=(replace(show_role(ctx, role), tags=None, permissions_boundary=None),) if role else (),
            tags=show_tags(profile.tags) or None,
        )
