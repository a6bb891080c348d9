"""The account as a whole."""

from __future__ import annotations

from tidegate.api import iam
from tidegate.api.shape import Context
from tidegate.model.account import AccessKey
from tidegate.model.identity import Group, InstanceProfile, ManagedPolicy, Role, User
from tidegate.services.iam.access_keys import MAX_KEYS
from tidegate.services.iam.carried import MAX_ATTACHED
from tidegate.services.iam.documents import INLINE_BYTES, MANAGED_BYTES, TRUST_BYTES
from tidegate.services.iam.entities import QUOTAS
from tidegate.services.iam.groups import MAX_GROUPS
from tidegate.services.iam.versions import MAX_VERSIONS
from tidegate.store.store import Store


class AccountSummary:
    """The operations."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get_account_summary(self, ctx: Context, request: None) -> iam.GetAccountSummaryResponse:
        """How many there are of each, and how many there may be."""

        def count(kind: type[User | Group | Role | ManagedPolicy | InstanceProfile]) -> int:
            return sum(1 for _ in self._store.select(kind))

        has_root_key = any(not key.user for key in self._store.select(AccessKey))
        return iam.GetAccountSummaryResponse(
            summary_map={
                "Users": count(User),
                "UsersQuota": QUOTAS[User],
                "Groups": count(Group),
                "GroupsQuota": QUOTAS[Group],
                "Roles": count(Role),
                "RolesQuota": QUOTAS[Role],
                "Policies": count(ManagedPolicy),
                "PoliciesQuota": QUOTAS[ManagedPolicy],
                "InstanceProfiles": count(InstanceProfile),
                "InstanceProfilesQuota": QUOTAS[InstanceProfile],
                "PolicyVersionsInUse": sum(len(p.versions) for p in self._store.select(ManagedPolicy)),
                "AccountAccessKeysPresent": int(has_root_key),
                "AccessKeysPerUserQuota": MAX_KEYS,
                "GroupsPerUserQuota": MAX_GROUPS,
                "AttachedPoliciesPerUserQuota": MAX_ATTACHED,
                "AttachedPoliciesPerGroupQuota": MAX_ATTACHED,
                "AttachedPoliciesPerRoleQuota": MAX_ATTACHED,
                "VersionsPerPolicyQuota": MAX_VERSIONS,
                "PolicySizeQuota": MANAGED_BYTES,
                "UserPolicySizeQuota": INLINE_BYTES[User],
                "GroupPolicySizeQuota": INLINE_BYTES[Group],
                "RolePolicySizeQuota": INLINE_BYTES[Role],
                "AssumeRolePolicySizeQuota": TRUST_BYTES,
                "MFADevices": 0,
                "AccountMFAEnabled": 0,
            }
        )

    async def list_account_aliases(
        self, ctx: Context, request: iam.ListAccountAliasesRequest
    ) -> iam.ListAccountAliasesResponse:
        """There are none: no operation here makes one."""
        return iam.ListAccountAliasesResponse(account_aliases=(), is_truncated=False)
