"""The versions of managed policies."""

from __future__ import annotations

from msgspec.structs import replace

from tidegate.api import iam
from tidegate.api.shape import Context
from tidegate.model.identity import Group, ManagedPolicy, PolicyVersion, Role, User
from tidegate.services.iam.documents import show_document
from tidegate.services.iam.entities import take_page
from tidegate.services.iam.policies import change_policy, check_managed_document, get_policy
from tidegate.services.writes import Clock
from tidegate.store.store import Store

MAX_VERSIONS = 5


class PolicyVersions:
    """The operations on versions, and the list of those who carry a policy."""

    def __init__(self, store: Store, now: Clock) -> None:
        self._store = store
        self._now = now

    async def create_policy_version(
        self, ctx: Context, request: iam.CreatePolicyVersionRequest
    ) -> iam.CreatePolicyVersionResponse:
        """In force at once if the request says so."""
        check_managed_document(request.policy_document)

        def change(policy: ManagedPolicy) -> ManagedPolicy:
            if len(policy.versions) >= MAX_VERSIONS:
                raise iam.LimitExceededException(
                    f"A managed policy can have up to {MAX_VERSIONS} versions. Before you create a new version, you "
                    "must delete an existing version."
                )
            now, number = self._now(), policy.latest + 1
            version = PolicyVersion(number=number, document=request.policy_document, created_at=now)
            return replace(
                policy,
                versions=(*policy.versions, version),
                latest=number,
                default=number if request.set_as_default else policy.default,
                updated_at=now if request.set_as_default else policy.updated_at,
            )

        policy = await change_policy(self._store, request.policy_arn, change)
        shown = replace(_show(policy, policy.versions[-1]), document=None)
        return iam.CreatePolicyVersionResponse(policy_version=shown)

    async def get_policy_version(
        self, ctx: Context, request: iam.GetPolicyVersionRequest
    ) -> iam.GetPolicyVersionResponse:
        """With its document."""
        policy = get_policy(self._store, request.policy_arn)
        for version in policy.versions:
            if f"v{version.number}" == request.version_id:
                return iam.GetPolicyVersionResponse(policy_version=_show(policy, version))
        raise _missing(request.policy_arn, request.version_id)

    async def list_policy_versions(
        self, ctx: Context, request: iam.ListPolicyVersionsRequest
    ) -> iam.ListPolicyVersionsResponse:
        """The newest last; without their documents."""
        policy = get_policy(self._store, request.policy_arn)
        found, marker = take_page(
            policy.versions, lambda v: f"{v.number:09}", "ListPolicyVersions", request.marker, request.max_items
        )
        shown = tuple(replace(_show(policy, version), document=None) for version in found)
        return iam.ListPolicyVersionsResponse(versions=shown, is_truncated=marker is not None, marker=marker)

    async def delete_policy_version(self, ctx: Context, request: iam.DeletePolicyVersionRequest) -> None:
        """Any but the one in force."""

        def change(policy: ManagedPolicy) -> ManagedPolicy:
            version = _get(policy, request.policy_arn, request.version_id)
            if version.number == policy.default:
                raise iam.DeleteConflictException("Cannot delete the default version of a policy.")
            return replace(policy, versions=tuple(each for each in policy.versions if each != version))

        await change_policy(self._store, request.policy_arn, change)

    async def set_default_policy_version(self, ctx: Context, request: iam.SetDefaultPolicyVersionRequest) -> None:
        """In force for all who carry the policy, at once."""

        def change(policy: ManagedPolicy) -> ManagedPolicy:
            number = _get(policy, request.policy_arn, request.version_id).number
            return replace(policy, default=number, updated_at=self._now())

        await change_policy(self._store, request.policy_arn, change)

    async def list_entities_for_policy(
        self, ctx: Context, request: iam.ListEntitiesForPolicyRequest
    ) -> iam.ListEntitiesForPolicyResponse:
        """Who carries it, or has it as the boundary; users, groups and roles in one order of pages."""
        get_policy(self._store, request.policy_arn)
        carriers = [c for c in self._carriers(request) if c.path.startswith(request.path_prefix or "/")]
        found, marker = take_page(
            carriers,
            lambda c: f"{type(c).__name__} {c.key}",
            "ListEntitiesForPolicy",
            request.marker,
            request.max_items,
        )
        return iam.ListEntitiesForPolicyResponse(
            policy_groups=tuple(
                iam.PolicyGroup(group_name=c.name, group_id=c.id) for c in found if isinstance(c, Group)
            ),
            policy_users=tuple(iam.PolicyUser(user_name=c.name, user_id=c.id) for c in found if isinstance(c, User)),
            policy_roles=tuple(iam.PolicyRole(role_name=c.name, role_id=c.id) for c in found if isinstance(c, Role)),
            is_truncated=marker is not None,
            marker=marker,
        )

    def _carriers(self, request: iam.ListEntitiesForPolicyRequest) -> list[User | Group | Role]:
        arn, usage, wanted = request.policy_arn, request.policy_usage_filter, request.entity_filter
        everybody: list[User | Group | Role] = [
            *(self._store.select(User) if wanted in (None, "User") else ()),
            *(self._store.select(Group) if wanted in (None, "Group") else ()),
            *(self._store.select(Role) if wanted in (None, "Role") else ()),
        ]
        return [
            one
            for one in everybody
            if (usage != "PermissionsBoundary" and arn in one.attached)
            or (usage != "PermissionsPolicy" and one.boundary == arn)
        ]


def _get(policy: ManagedPolicy, arn: str, version: str) -> PolicyVersion:
    for each in policy.versions:
        if f"v{each.number}" == version:
            return each
    raise _missing(arn, version)


def _missing(arn: str, version: str) -> iam.NoSuchEntityException:
    return iam.NoSuchEntityException(f"Policy {arn} version {version} does not exist or is not attachable.")


def _show(policy: ManagedPolicy, version: PolicyVersion) -> iam.PolicyVersion:
    return iam.PolicyVersion(
        document=show_document(version.document),
        version_id=f"v{version.number}",
        is_default_version=version.number == policy.default,
        create_date=version.created_at,
    )
