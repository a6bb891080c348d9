"""
The roles of tasks: who may pass them, if ECS may assume them, and what is made where there is none.

Nine of ten task definitions name roles that are made elsewhere. On one machine a role that nobody has made is made when
it is first used, in the name of whoever runs the task, with the least that its kind needs: an execution role pulls
images, writes logs and reads the very secrets that the definition names; a task role may do nothing, but open channels
where ECS Exec is asked for. It carries the tag `tidegate:made`, and every task that uses it says so. Take the tag away,
and the role is left as it is. A strict server makes none.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from tidegate.api.shape import Context
from tidegate.model.account import Account
from tidegate.model.arn import arn, partition, role_arn
from tidegate.model.identity import Role
from tidegate.services.authorization import Ask, Need
from tidegate.services.iam.authorization import Authorizer
from tidegate.services.iam.documents import INLINE_BYTES, size_of
from tidegate.services.iam.execution_grants import grant_document, granted_resources
from tidegate.services.iam.identities import entity_arn, find_role, new_id
from tidegate.services.iam.sessions import TASKS_SERVICE, trusts_tasks
from tidegate.services.writes import Clock
from tidegate.store.store import Put, Store

MADE_TAG = "tidegate:made"
MADE_POLICY = "tidegate-made"
"""The inline policy of a made execution role: what it may read."""
AGENT_POLICY = "tidegate-made-exec"
"""The inline policy of a made task role whose tasks may be entered."""
AGENT_ACTIONS = (
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
)
"""What a task role must be allowed for ECS Exec."""
EXECUTION_POLICY = "service-role/AmazonECSTaskExecutionRolePolicy"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": TASKS_SERVICE}, "Action": "sts:AssumeRole"}],
    }
)


class RoleUnusable(Exception):
    """ECS can't have this role; the text is AWS's, unless there is a reason of ours."""

    def __init__(self, arn: str, why: str = "") -> None:
        super().__init__(
            why
            or f"ECS was unable to assume the role '{arn}' that was provided for this task. Please verify that the "
            "role being passed has the proper trust relationship and permissions and that your IAM user has "
            "permissions to pass this role."
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a task definition, with overrides, asks of its roles."""

    definition: str
    """family:revision."""
    task_role: str | None = None
    """Name or ARN."""
    execution_role: str | None = None
    reads: tuple[str, ...] = ()
    """ARNs of the secrets, parameters and files that the execution role is to read."""
    log_groups: tuple[str, ...] = ()
    """Names of the log groups that are to be created where they are missing."""
    task_actions: tuple[str, ...] = ()
    """What the task role has to be allowed for ECS to do what was asked of it."""


@dataclass(frozen=True, slots=True)
class RolePlan:
    """What must be written together with the task, and which of its roles nobody but Tidegate has made."""

    changes: tuple[Put, ...] = ()
    made: dict[str, str] | None = None
    """Name by kind: `task-role`, `execution-role`."""


class TaskRoles:
    """Decides on the roles of tasks before they are written."""

    def __init__(self, store: Store, authorizer: Authorizer, now: Clock, *, is_strict: bool = False) -> None:
        self._store = store
        self._authorizer = authorizer
        self._now = now
        self._is_strict = is_strict

    def plan(self, ctx: Context, wanted: Wanted) -> RolePlan:
        """Pure but for reading. Raises RoleUnusable."""
        roles: dict[str, Role] = {}
        changed: dict[str, Role] = {}
        named = {"execution-role": wanted.execution_role, "task-role": wanted.task_role}
        for kind, text in named.items():
            if not text:
                continue
            named_arn = role_arn(ctx.region, ctx.account, text)
            role = self._find(ctx, named_arn, changed)
            found = role or self._make(ctx, named_arn, wanted, is_execution=kind == "execution-role")
            if not trusts_tasks(found, Account(id=ctx.account, region=ctx.region)):
                raise RoleUnusable(named_arn)
            if role is not None and kind == "execution-role":
                found = self._extend(ctx, role, wanted)
            if kind == "task-role" and wanted.task_actions:
                found = self._allow(ctx, found, wanted.task_actions)
            if found is not role:
                changed[found.key] = found
            roles[kind] = found
        made = {kind: role.name for kind, role in roles.items() if MADE_TAG in role.tags}
        return RolePlan(tuple(Put(role) for role in changed.values()), made or None)

    def may_role(self, role: str, action: str) -> bool:
        """Whether a role (its ARN) is allowed an action that is about no resource in particular."""
        return self._authorizer.check(role, action, "*").is_allowed

    def _find(self, ctx: Context, named: str, changed: Mapping[str, Role]) -> Role | None:
        """A strict server goes by the whole ARN, another by the name."""
        role = find_role(self._store, named)
        if role is None:
            return changed.get(named.rpartition("/")[2].lower())
        if self._is_strict and entity_arn(role, ctx.account, ctx.region) != named:
            raise RoleUnusable(named)
        return role

    def _make(self, ctx: Context, named: str, wanted: Wanted, *, is_execution: bool) -> Role:
        """In the name of whoever runs the task: who may not create roles does not get one this way either."""
        path, _, name = named.partition(":role")[2].rpartition("/")
        role = Role(
            name=name,
            id=new_id(Role),
            path=f"{path}/",
            created_at=self._now(),
            tags={MADE_TAG: wanted.definition},
            trust=TRUST,
            description="Made by Tidegate at its first use, as nobody had created it.",
        )
        own = entity_arn(role, ctx.account, ctx.region)
        is_taken = self._store.get(Role, role.key) is not None
        if self._is_strict or is_taken or not self._may(ctx, "iam:CreateRole", own):
            raise RoleUnusable(named)
        if not is_execution:
            return role
        if not (self._may(ctx, "iam:AttachRolePolicy", own) and self._may(ctx, "iam:PutRolePolicy", own)):
            raise RoleUnusable(named)
        policy = f"arn:{partition(ctx.region)}:iam::aws:policy/{EXECUTION_POLICY}"
        return self._extend(ctx, replace(role, attached=(policy,)), wanted)

    def _extend(self, ctx: Context, role: Role, wanted: Wanted) -> Role:
        """A made execution role reads what the definition names, also when a later one names more."""
        if MADE_TAG not in role.tags:
            return role
        before = granted_resources(role.inline.get(MADE_POLICY))
        after = before.extended(
            wanted.reads, (arn("logs", ctx.region, ctx.account, f"log-group:{n}") for n in wanted.log_groups)
        )
        if after == before or not self._may(ctx, "iam:PutRolePolicy", entity_arn(role, ctx.account, ctx.region)):
            return role
        inline = {**role.inline, MADE_POLICY: grant_document(after)}
        if sum(map(size_of, inline.values())) > INLINE_BYTES[Role]:
            raise RoleUnusable(
                role.name,
                f"cannot let the role {role.name}, which Tidegate made, read more: its policy would be too long. "
                f"Give it a policy of your own, and take its tag {MADE_TAG} away",
            )
        return replace(role, inline=inline)

    def _allow(self, ctx: Context, role: Role, actions: tuple[str, ...]) -> Role:
        """A made task role may do what ECS needs of it; one that somebody else has made is left as it is."""
        if MADE_TAG not in role.tags or AGENT_POLICY in role.inline:
            return role
        if not self._may(ctx, "iam:PutRolePolicy", entity_arn(role, ctx.account, ctx.region)):
            return role
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))
        return replace(role, inline={**role.inline, AGENT_POLICY: document})

    def _may(self, ctx: Context, action: str, resource: str) -> bool:
        context = self._authorizer.request_context(ctx)
        return self._authorizer.check_session(ctx.principal, ctx.session, action, resource, context).is_allowed


def pass_role_needs(ask: Ask, roles: Iterable[str | None]) -> Iterable[Need]:
    """
    iam:PassRole for each role that tasks are to get, by name or ARN.

    Of a role that is there the need is on its own ARN, however it was named: the name is what it will be found by.
    """
    ctx = ask.ctx
    for named in dict.fromkeys(role for role in roles if role):
        as_named = role_arn(ctx.region, ctx.account, named)
        found = find_role(ask.store, as_named)
        resource = entity_arn(found, ctx.account, ctx.region) if found else as_named
        yield Need("iam:PassRole", resource, {"iam:PassedToService": TASKS_SERVICE})
