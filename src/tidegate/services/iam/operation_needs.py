"""What IAM's operations need; see `services.authorization`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tidegate.api import iam
from tidegate.model.arn import global_arn
from tidegate.model.identity import Group, InstanceProfile, ManagedPolicy, Named, Role, User
from tidegate.services.authorization import Ask, Conditions, Need, Row, Table
from tidegate.services.iam.identities import NOUNS, entity_arn, find_named, find_user
from tidegate.services.iam.linked_roles import NAMES
from tidegate.services.iam.managed import find_own_policy
from tidegate.services.iam.roles import LINKED_PATH

Resources = Callable[[Ask, Any], Iterable[str]]


def _arn(ask: Ask, kind: type[Named], path: str, name: str) -> str:
    return global_arn("iam", ask.ctx.region, ask.ctx.account, f"{NOUNS[kind]}{path}{name}")


def _named(kind: type[Named], member: str) -> Resources:
    """The one by the name in `member`: as it is, or as it would be at the root of the paths."""

    def resources(ask: Ask, request: Any) -> Iterable[str]:
        name = getattr(request, member)
        found = find_named(ask.store, kind, name)
        if found is not None:
            return (entity_arn(found, ask.ctx.account, ask.ctx.region),)
        return (_arn(ask, kind, "/", name),)

    return resources


def _new(kind: type[Named], member: str) -> Resources:
    """The one that is to be, with the path that it is to have."""
    return lambda ask, request: (_arn(ask, kind, request.path or "/", getattr(request, member)),)


def _below(kind: type[Named]) -> Resources:
    """All of a kind below a path."""
    return lambda ask, request: (_arn(ask, kind, request.path_prefix or "/", ""),)


def _user_or_self(ask: Ask, request: Any) -> Iterable[str]:
    """Without a name it is about whoever asks."""
    if request.user_name is not None:
        return _user(ask, request)
    asker = find_user(ask.store, ask.ctx.principal)
    return (ask.ctx.principal if asker is None else entity_arn(asker, ask.ctx.account, ask.ctx.region),)


def _renamed(kind: type[Named], noun: str) -> Resources:
    """What it is, and what it is to be."""
    old = _named(kind, f"{noun}_name")

    def resources(ask: Ask, request: Any) -> Iterable[str]:
        found = find_named(ask.store, kind, getattr(request, f"{noun}_name"))
        path = request.new_path or (found.path if found else "/")
        name = getattr(request, f"new_{noun}_name") or getattr(request, f"{noun}_name")
        return tuple(dict.fromkeys((*old(ask, request), _arn(ask, kind, path, name))))

    return resources


def _linked_role(ask: Ask, request: iam.CreateServiceLinkedRoleRequest) -> Iterable[str]:
    service = request.aws_service_name
    return (_arn(ask, Role, f"{LINKED_PATH}{service}/", NAMES.get(service, "*")),)


def _service(_: Ask, request: iam.CreateServiceLinkedRoleRequest) -> Conditions:
    return {"iam:AWSServiceName": request.aws_service_name}


def _boundary(ask: Ask, request: Any) -> Conditions:
    """What the boundary is to be, or is while the permissions below it are changed."""
    given = getattr(request, "permissions_boundary", None)
    kinds: dict[str, type[User | Role]] = {"user_name": User, "role_name": Role}
    for member, kind in kinds.items():
        found = find_named(ask.store, kind, getattr(request, member, None) or "")
        if given is None and found is not None:
            given = found.boundary
    return {"iam:PermissionsBoundary": given} if given else {}


def _attachment(ask: Ask, request: Any) -> Conditions:
    return {"iam:PolicyARN": request.policy_arn, **_boundary(ask, request)}


def _policy(ask: Ask, request: Any) -> Iterable[str]:
    return (request.policy_arn,)


def _passed_role(ask: Ask, request: Any) -> Iterable[Need]:
    """Whoever gives a role to instances passes it to EC2."""
    (role,) = _role(ask, request)
    yield Need("iam:PassRole", role, {"iam:PassedToService": "ec2.amazonaws.com"})


def _tag_needs(kind: type[Named], new: Resources) -> Row:
    """The row of an operation that makes things: tags at creation take a permission of their own."""

    def also(ask: Ask, request: Any) -> Iterable[Need]:
        if request.tags:
            for resource in new(ask, request):
                yield Need(f"iam:Tag{kind.__name__.removeprefix('Managed')}", resource, _boundary(ask, request))

    return Row(new, _boundary, also)


def find_tags(ask: Ask, resource: str) -> Mapping[str, str]:
    """Of whoever has this ARN."""
    rest = resource.split(":", 5)[-1]
    for kind, noun in NOUNS.items():
        if rest.startswith(f"{noun}/"):
            if kind is ManagedPolicy:
                found: Named | None = find_own_policy(ask.store, resource)
            else:
                found = find_named(ask.store, kind, rest.rpartition("/")[2])
            return found.tags if found is not None else {}
    return {}


_user = _named(User, "user_name")
_group = _named(Group, "group_name")
_role = _named(Role, "role_name")
_profile = _named(InstanceProfile, "instance_profile_name")


def _carrier_rows(noun: str, resources: Resources) -> dict[str, Row]:
    """The operations on the policies that users, groups and roles carry."""
    return {
        f"Put{noun}Policy": Row(resources, _boundary),
        f"Get{noun}Policy": Row(resources),
        f"List{noun}Policies": Row(resources),
        f"Delete{noun}Policy": Row(resources, _boundary),
        f"Attach{noun}Policy": Row(resources, _attachment),
        f"Detach{noun}Policy": Row(resources, _attachment),
        f"ListAttached{noun}Policies": Row(resources),
        f"Put{noun}PermissionsBoundary": Row(resources, _boundary),
        f"Delete{noun}PermissionsBoundary": Row(resources, _boundary),
    }


def _tag_rows(noun: str, resources: Resources) -> dict[str, Row]:
    return {name: Row(resources) for name in (f"Tag{noun}", f"Untag{noun}", f"List{noun}Tags")}


TABLE = Table(
    "iam",
    {
        "CreateUser": _tag_needs(User, _new(User, "user_name")),
        "GetUser": Row(_user_or_self),
        "ListUsers": Row(_below(User)),
        "UpdateUser": Row(_renamed(User, "user")),
        "DeleteUser": Row(_user),
        "CreateAccessKey": Row(_user_or_self),
        "ListAccessKeys": Row(_user_or_self),
        "UpdateAccessKey": Row(_user_or_self),
        "DeleteAccessKey": Row(_user_or_self),
        "GetLoginProfile": Row(_user_or_self),
        "DeleteLoginProfile": Row(_user_or_self),
        "ListMFADevices": Row(_user_or_self),
        "ListVirtualMFADevices": Row(),
        "ListSSHPublicKeys": Row(_user_or_self),
        "ListSigningCertificates": Row(_user_or_self),
        "ListServiceSpecificCredentials": Row(_user_or_self),
        "CreateGroup": Row(_new(Group, "group_name")),
        "GetGroup": Row(_group),
        "ListGroups": Row(_below(Group)),
        "UpdateGroup": Row(_renamed(Group, "group")),
        "DeleteGroup": Row(_group),
        "AddUserToGroup": Row(_group),
        "RemoveUserFromGroup": Row(_group),
        "ListGroupsForUser": Row(_user),
        "CreateRole": _tag_needs(Role, _new(Role, "role_name")),
        "GetRole": Row(_role),
        "ListRoles": Row(_below(Role)),
        "UpdateRole": Row(_role),
        "UpdateRoleDescription": Row(_role),
        "UpdateAssumeRolePolicy": Row(_role),
        "DeleteRole": Row(_role),
        "CreateServiceLinkedRole": Row(_linked_role, _service),
        "DeleteServiceLinkedRole": Row(_role),
        "GetServiceLinkedRoleDeletionStatus": Row(),
        "CreatePolicy": _tag_needs(ManagedPolicy, _new(ManagedPolicy, "policy_name")),
        "GetPolicy": Row(_policy),
        "ListPolicies": Row(_below(ManagedPolicy)),
        "DeletePolicy": Row(_policy),
        "CreatePolicyVersion": Row(_policy),
        "GetPolicyVersion": Row(_policy),
        "ListPolicyVersions": Row(_policy),
        "DeletePolicyVersion": Row(_policy),
        "SetDefaultPolicyVersion": Row(_policy),
        "ListEntitiesForPolicy": Row(_policy),
        "CreateInstanceProfile": _tag_needs(InstanceProfile, _new(InstanceProfile, "instance_profile_name")),
        "GetInstanceProfile": Row(_profile),
        "ListInstanceProfiles": Row(_below(InstanceProfile)),
        "ListInstanceProfilesForRole": Row(_role),
        "AddRoleToInstanceProfile": Row(_profile, also=_passed_role),
        "RemoveRoleFromInstanceProfile": Row(_profile),
        "DeleteInstanceProfile": Row(_profile),
        "GetAccountSummary": Row(),
        "ListAccountAliases": Row(),
        **_carrier_rows("User", _user),
        **{name: row for name, row in _carrier_rows("Group", _group).items() if "Boundary" not in name},
        **_carrier_rows("Role", _role),
        **_tag_rows("User", _user),
        **_tag_rows("Role", _role),
        **_tag_rows("Policy", _policy),
        **_tag_rows("InstanceProfile", _profile),
    },
    find_tags,
    takes_session_tokens=False,
)
