"""AWS IAM: every operation, put together from the modules that know one resource each."""

from __future__ import annotations

from tidegate.api import iam
from tidegate.model.identity import Group, InstanceProfile, Role, User
from tidegate.services.iam.access_keys import AccessKeys, Sealer
from tidegate.services.iam.carried import Answers, Carried
from tidegate.services.iam.entities import get_named
from tidegate.services.iam.groups import Groups
from tidegate.services.iam.linked_roles import LinkedRoles
from tidegate.services.iam.other_credentials import OtherCredentials
from tidegate.services.iam.policies import Policies, get_own_policy
from tidegate.services.iam.profiles import InstanceProfiles
from tidegate.services.iam.roles import Roles
from tidegate.services.iam.summary import AccountSummary
from tidegate.services.iam.tags import Tagged
from tidegate.services.iam.users import Users
from tidegate.services.iam.versions import PolicyVersions
from tidegate.services.writes import Clock
from tidegate.store.store import Store


class _UserOperations:
    """Everything whose name has User in it."""

    def __init__(self, store: Store, sealer: Sealer, now: Clock) -> None:
        users = Users(store, now)
        self.create_user = users.create_user
        self.get_user = users.get_user
        self.list_users = users.list_users
        self.update_user = users.update_user
        self.delete_user = users.delete_user

        keys = AccessKeys(store, sealer, now)
        self.create_access_key = keys.create_access_key
        self.list_access_keys = keys.list_access_keys
        self.update_access_key = keys.update_access_key
        self.delete_access_key = keys.delete_access_key

        others = OtherCredentials(store)
        self.get_login_profile = others.get_login_profile
        self.delete_login_profile = others.delete_login_profile
        self.list_mfa_devices = others.list_mfa_devices
        self.list_virtual_mfa_devices = others.list_virtual_mfa_devices
        self.list_ssh_public_keys = others.list_ssh_public_keys
        self.list_signing_certificates = others.list_signing_certificates
        self.list_service_specific_credentials = others.list_service_specific_credentials

        tags = Tagged(store, lambda r: get_named(store, User, r.user_name), iam.ListUserTagsResponse)
        self.tag_user = tags.tag
        self.untag_user = tags.untag
        self.list_user_tags = tags.list

        answers = Answers(iam.GetUserPolicyResponse, iam.ListUserPoliciesResponse, iam.ListAttachedUserPoliciesResponse)
        carried = Carried(store, User, "user", answers)
        self.put_user_policy = carried.put_inline
        self.get_user_policy = carried.get_inline
        self.list_user_policies = carried.list_inline
        self.delete_user_policy = carried.delete_inline
        self.attach_user_policy = carried.attach
        self.detach_user_policy = carried.detach
        self.list_attached_user_policies = carried.list_attached
        self.put_user_permissions_boundary = carried.put_boundary
        self.delete_user_permissions_boundary = carried.delete_boundary


class _GroupOperations:
    """Everything whose name has Group in it."""

    def __init__(self, store: Store, now: Clock) -> None:
        groups = Groups(store, now)
        self.create_group = groups.create_group
        self.get_group = groups.get_group
        self.list_groups = groups.list_groups
        self.update_group = groups.update_group
        self.delete_group = groups.delete_group
        self.add_user_to_group = groups.add_user_to_group
        self.remove_user_from_group = groups.remove_user_from_group
        self.list_groups_for_user = groups.list_groups_for_user

        answers = Answers(
            iam.GetGroupPolicyResponse, iam.ListGroupPoliciesResponse, iam.ListAttachedGroupPoliciesResponse
        )
        carried = Carried(store, Group, "group", answers)
        self.put_group_policy = carried.put_inline
        self.get_group_policy = carried.get_inline
        self.list_group_policies = carried.list_inline
        self.delete_group_policy = carried.delete_inline
        self.attach_group_policy = carried.attach
        self.detach_group_policy = carried.detach
        self.list_attached_group_policies = carried.list_attached


class _RoleOperations:
    """Everything whose name has Role or InstanceProfile in it."""

    def __init__(self, store: Store, now: Clock) -> None:
        roles = Roles(store, now)
        self.create_role = roles.create_role
        self.get_role = roles.get_role
        self.list_roles = roles.list_roles
        self.update_role = roles.update_role
        self.update_role_description = roles.update_role_description
        self.update_assume_role_policy = roles.update_assume_role_policy
        self.delete_role = roles.delete_role

        linked = LinkedRoles(store, now)
        self.create_service_linked_role = linked.create_service_linked_role
        self.delete_service_linked_role = linked.delete_service_linked_role
        self.get_service_linked_role_deletion_status = linked.get_service_linked_role_deletion_status

        tags = Tagged(store, lambda r: get_named(store, Role, r.role_name), iam.ListRoleTagsResponse)
        self.tag_role = tags.tag
        self.untag_role = tags.untag
        self.list_role_tags = tags.list

        answers = Answers(iam.GetRolePolicyResponse, iam.ListRolePoliciesResponse, iam.ListAttachedRolePoliciesResponse)
        carried = Carried(store, Role, "role", answers)
        self.put_role_policy = carried.put_inline
        self.get_role_policy = carried.get_inline
        self.list_role_policies = carried.list_inline
        self.delete_role_policy = carried.delete_inline
        self.attach_role_policy = carried.attach
        self.detach_role_policy = carried.detach
        self.list_attached_role_policies = carried.list_attached
        self.put_role_permissions_boundary = carried.put_boundary
        self.delete_role_permissions_boundary = carried.delete_boundary
        self._add_instance_profiles(store, now)

    def _add_instance_profiles(self, store: Store, now: Clock) -> None:
        profiles = InstanceProfiles(store, now)
        self.create_instance_profile = profiles.create_instance_profile
        self.get_instance_profile = profiles.get_instance_profile
        self.list_instance_profiles = profiles.list_instance_profiles
        self.list_instance_profiles_for_role = profiles.list_instance_profiles_for_role
        self.add_role_to_instance_profile = profiles.add_role_to_instance_profile
        self.remove_role_from_instance_profile = profiles.remove_role_from_instance_profile
        self.delete_instance_profile = profiles.delete_instance_profile
        tags = Tagged(
            store,
            lambda r: get_named(store, InstanceProfile, r.instance_profile_name),
            iam.ListInstanceProfileTagsResponse,
        )
        self.tag_instance_profile = tags.tag
        self.untag_instance_profile = tags.untag
        self.list_instance_profile_tags = tags.list


class Iam(_UserOperations, _GroupOperations, _RoleOperations):
    """Satisfies the generated `api.iam.Api`. now: seconds since the epoch."""

    def __init__(self, store: Store, sealer: Sealer, now: Clock) -> None:
        _UserOperations.__init__(self, store, sealer, now)
        _GroupOperations.__init__(self, store, now)
        _RoleOperations.__init__(self, store, now)

        policies = Policies(store, now)
        self.create_policy = policies.create_policy
        self.get_policy = policies.get_policy
        self.list_policies = policies.list_policies
        self.delete_policy = policies.delete_policy

        versions = PolicyVersions(store, now)
        self.create_policy_version = versions.create_policy_version
        self.get_policy_version = versions.get_policy_version
        self.list_policy_versions = versions.list_policy_versions
        self.delete_policy_version = versions.delete_policy_version
        self.set_default_policy_version = versions.set_default_policy_version
        self.list_entities_for_policy = versions.list_entities_for_policy

        tags = Tagged(store, lambda r: get_own_policy(store, r.policy_arn), iam.ListPolicyTagsResponse)
        self.tag_policy = tags.tag
        self.untag_policy = tags.untag
        self.list_policy_tags = tags.list

        summary = AccountSummary(store)
        self.get_account_summary = summary.get_account_summary
        self.list_account_aliases = summary.list_account_aliases
