"""An account with identities in it, over a store in memory."""

from __future__ import annotations

import json
from typing import Any

from tidegate.model.account import Account
from tidegate.model.identity import Group, ManagedPolicy, PolicyVersion, Role, User
from tidegate.model.record import Record
from tidegate.services.iam.authorization import Authorizer
from tidegate.services.iam.identities import new_id
from tidegate.services.iam.sessions import Sessions
from tidegate.services.iam.task_roles import TaskRoles
from tidegate.services.writes import Clock
from tidegate.store.memory import MemoryStore
from tidegate.store.secrets import Sealer
from tidegate.store.store import Delete, Put, Store

ACCOUNT = Account(id="123456789012", region="eu-north-1")
ROOT = "arn:aws:iam::123456789012:root"
TASKS_TRUST = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ecs-tasks.amazonaws.com"}}


def document(*statements: dict[str, Any]) -> str:
    """A policy; statements allow everywhere unless they say otherwise."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions: str, resource: Any = "*", **members: Any) -> dict[str, Any]:
    """A statement."""
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource, **members}


def deny(*actions: str, resource: Any = "*", **members: Any) -> dict[str, Any]:
    """A statement."""
    return {**allow(*actions, resource=resource, **members), "Effect": "Deny"}


def task_roles(store: Store, now: Clock, *, is_strict: bool = False) -> TaskRoles:
    """As the server puts them together."""
    return TaskRoles(store, Authorizer(store, ACCOUNT, now), now, is_strict=is_strict)


class Identities:
    """`time` is now, in seconds since the epoch."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.time = 1_700_000_000.0
        self.sealer = Sealer(b"k" * 32)
        self.sessions = Sessions(self.store, self.sealer, ACCOUNT, self.now)
        self.authorizer = Authorizer(self.store, ACCOUNT, self.now)

    def now(self) -> float:
        return self.time

    async def put(self, record: Record) -> None:
        """With the account, if it is the first."""
        if self.store.get(Account, "account") is None:
            await self.store.commit(Put(ACCOUNT))
        await self.store.commit(Put(record))

    async def remove(self, record: Record) -> None:
        """Whatever revision it has by now."""
        found = self.store.get(type(record), record.key)
        assert found is not None
        await self.store.commit(Delete(found))

    async def role(self, name: str = "app", *statements: dict[str, Any], **members: Any) -> Role:
        """With an inline policy of these statements."""
        given = {"trust": document(TASKS_TRUST), "created_at": self.time, **members}
        role = Role(name=name, id=new_id(Role), inline=_inline(statements), **given)
        await self.put(role)
        return role

    async def user(self, name: str = "bo", *statements: dict[str, Any], **members: Any) -> User:
        user = User(name=name, id=new_id(User), inline=_inline(statements), created_at=self.time, **members)
        await self.put(user)
        return user

    async def group(self, name: str, *statements: dict[str, Any]) -> None:
        await self.put(Group(name=name, id=new_id(Group), inline=_inline(statements), created_at=self.time))

    async def policy(self, name: str, *statements: dict[str, Any]) -> str:
        """A managed policy; its ARN."""
        version = PolicyVersion(number=1, document=document(*statements), created_at=self.time)
        await self.put(
            ManagedPolicy(
                name=name,
                id=new_id(ManagedPolicy),
                created_at=self.time,
                updated_at=self.time,
                versions=(version,),
                default=1,
                latest=1,
            )
        )
        return f"arn:aws:iam::123456789012:policy/{name}"


def _inline(statements: tuple[dict[str, Any], ...]) -> dict[str, str]:
    return {"inline": document(*statements)} if statements else {}
