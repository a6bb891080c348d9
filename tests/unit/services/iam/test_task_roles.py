"""The roles of tasks: refused where they can't be had, made where nobody has, with the least that they need."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from msgspec.structs import replace

from fakes.definitions import container
from fakes.identity import TASKS_TRUST, Identities, allow, document, task_roles
from fakes.services import Services
from tidegate.api import ecs
from tidegate.model.identity import Role, User
from tidegate.model.task import Task
from tidegate.services.ecs.service import Ecs
from tidegate.services.iam.identities import find_named
from tidegate.services.iam.task_roles import MADE_POLICY, MADE_TAG
from tidegate.store.store import Put

pytestmark = pytest.mark.anyio
A = "arn:aws:iam::123456789012"
UNABLE = (
    "ECS was unable to assume the role '{}' that was provided for this task. Please verify that the role being passed "
    "has the proper trust relationship and permissions and that your IAM user has permissions to pass this role."
)


class House(Services):
    """Services that may be strict, and roles to look at."""

    async def open(self, *, is_strict: bool = False) -> House:
        await super().open()
        self.identities = Identities()
        self.identities.store = self.store
        self.authorizer = task_roles(self.store, self.now)._authorizer
        self.ecs = Ecs(self.store, self.now, task_roles(self.store, self.now, is_strict=is_strict))
        return self

    def role(self, name: str) -> Role:
        found = find_named(self.store, Role, name)
        assert found is not None
        return found

    def roles(self) -> list[str]:
        return [role.name for role in self.store.select(Role)]

    async def refused(self, definition: str = "app", **members: Any) -> str:
        with pytest.raises(ecs.ClientException) as caught:
            await self.run(definition, **members)
        assert list(self.store.select(Task)) == []
        return caught.value.message

    def may(self, name: str, action: str, resource: str) -> bool:
        return self.authorizer.check(f"{A}:role/{name}", action, resource).is_allowed


async def test_a_role_that_nobody_made_is_made_and_the_task_says_so() -> None:
    """With the task, in one commit: the task role may do nothing, the execution role what its kind needs."""
    house = await House().open()
    await house.register(taskRoleArn=f"{A}:role/svc/app", executionRoleArn="exec")
    (shown,) = await house.run()
    task = house.record(shown)
    app, execution = house.role("app"), house.role("exec")
    assert app.revision == execution.revision == task.revision
    assert (app.path, app.attached, app.inline) == ("/svc/", (), {})
    assert app.tags == execution.tags == {MADE_TAG: "app:1"}
    assert {(a.name, a.value) for a in shown.attributes or ()} > {
        ("tidegate.made-task-role", "app"),
        ("tidegate.made-execution-role", "exec"),
    }
    assert house.may("exec", "ecr:GetAuthorizationToken", "*")
    assert house.may("exec", "logs:PutLogEvents", "*")
    assert not house.may("exec", "ssm:GetParameters", "*")
    assert not house.may("exec", "logs:CreateLogGroup", "*")
    assert not house.may("app", "ecs:ListClusters", "*")
    (again,) = await house.run()
    assert {a.name for a in again.attributes or ()} > {"tidegate.made-task-role", "tidegate.made-execution-role"}
    assert len(house.roles()) == 2


async def test_a_made_execution_role_reads_the_very_secrets_that_are_named() -> None:
    """Parameters by name and ARN, secrets with and without the end of their ARN, files, logins; no others."""
    house = await House().open()
    asm = "arn:aws:secretsmanager:eu-north-1:123456789012:secret"
    ssm = "arn:aws:ssm:eu-north-1:123456789012:parameter"
    secrets = [
        {"name": "A", "valueFrom": "/plain/a"},
        {"name": "B", "valueFrom": f"{ssm}/b"},
        {"name": "C", "valueFrom": f"{asm}:c-AbCdEf:key::"},
        {"name": "D", "valueFrom": f"{asm}:d"},
    ]
    log = {
        "logDriver": "awslogs",
        "options": {"awslogs-group": "/g", "awslogs-region": "eu-north-1", "awslogs-create-group": "true"}
        | {"awslogs-stream-prefix": "p"},
    }
    files = [{"value": "arn:aws:s3:::bucket/e.env", "type": "s3"}]
    one = container(secrets=secrets, logConfiguration=log, environmentFiles=files)
    other = container(name="other", repositoryCredentials={"credentialsParameter": "login"})
    await house.register(one, other, executionRoleArn="exec")
    await house.run()
    for action, resource in (
        ("ssm:GetParameters", f"{ssm}/plain/a"),
        ("ssm:GetParameters", f"{ssm}/b"),
        ("secretsmanager:GetSecretValue", f"{asm}:c-AbCdEf"),
        ("secretsmanager:GetSecretValue", f"{asm}:d-UvWxYz"),
        ("secretsmanager:GetSecretValue", f"{asm}:login-123456"),
        ("s3:GetObject", "arn:aws:s3:::bucket/e.env"),
        ("logs:CreateLogGroup", "arn:aws:logs:eu-north-1:123456789012:log-group:/g:log-stream:"),
    ):
        assert house.may("exec", action, resource), (action, resource)
    for action, resource in (
        ("ssm:GetParameters", f"{ssm}/plain"),
        ("ssm:GetParameters", f"{ssm}/plain/a/b"),
        ("ssm:PutParameter", f"{ssm}/b"),
        ("secretsmanager:GetSecretValue", f"{asm}:other-AbCdEf"),
        ("s3:GetObject", "arn:aws:s3:::bucket/f.env"),
        ("logs:CreateLogGroup", "arn:aws:logs:eu-north-1:123456789012:log-group:/h:log-stream:"),
    ):
        assert not house.may("exec", action, resource), (action, resource)


async def test_a_later_definition_adds_to_it_until_the_tag_is_taken_away() -> None:
    """What was readable stays so; without the tag the role is somebody's own."""
    house = await House().open()
    for name in ("/a", "/b", "/c"):
        await house.register(container(secrets=[{"name": "S", "valueFrom": name}]), executionRoleArn="exec")
    ssm = "arn:aws:ssm:eu-north-1:123456789012:parameter"

    def readable() -> list[str]:
        return [n for n in "abc" if house.may("exec", "ssm:GetParameters", f"{ssm}/{n}")]

    await house.run("app:1")
    assert readable() == ["a"]
    before = house.role("exec").revision
    await house.run("app:1")
    assert house.role("exec").revision == before
    await house.run("app:2")
    assert readable() == ["a", "b"]
    await house.store.commit(Put(replace(house.role("exec"), tags={})))
    (shown,) = await house.run("app:3")
    assert readable() == ["a", "b"]
    assert [a.name for a in shown.attributes or ()] == ["ecs.cpu-architecture"]


async def test_one_role_for_both_is_made_once() -> None:
    """As an execution role."""
    house = await House().open()
    await house.register(taskRoleArn="both", executionRoleArn=f"{A}:role/both")
    (shown,) = await house.run()
    assert house.roles() == ["both"]
    assert house.may("both", "logs:PutLogEvents", "*")
    made = {a.value for a in shown.attributes or () if a.name.startswith("tidegate.made-")}
    assert made == {"both"}


async def test_overrides_name_roles_too() -> None:
    """In place of the definition's."""
    house = await House().open()
    await house.register(taskRoleArn="app", executionRoleArn="exec")
    await house.run(overrides={"taskRoleArn": f"{A}:role/other", "executionRoleArn": f"{A}:role/more"})
    assert sorted(house.roles()) == ["more", "other"]


async def test_roles_that_are_there_are_left_alone() -> None:
    """Also those that a definition from another account names; one that does not trust tasks is refused."""
    house = await House().open()
    mine = await house.identities.role("mine", path="/deep/")
    await house.register(taskRoleArn="arn:aws:iam::999999999999:role/mine")
    (shown,) = await house.run()
    assert house.role("mine") == replace(mine, revision=house.role("mine").revision)
    assert house.record(shown).made_roles is None
    other = document({**TASKS_TRUST, "Principal": {"Service": "ec2.amazonaws.com"}})
    await house.identities.role("other", trust=other)
    await house.register(family="second", taskRoleArn=f"{A}:role/other")
    with pytest.raises(ecs.ClientException) as caught:
        await house.run("second")
    assert caught.value.message == UNABLE.format(f"{A}:role/other")


async def test_a_strict_server_makes_none() -> None:
    """A role that is not there, by the whole ARN, is AWS's error; nothing is written."""
    house = await House().open(is_strict=True)
    await house.register(taskRoleArn=f"{A}:role/app")
    assert await house.refused() == UNABLE.format(f"{A}:role/app")
    assert house.roles() == []
    await house.identities.role("app", path="/deep/")
    assert await house.refused() == UNABLE.format(f"{A}:role/app")
    await house.register(taskRoleArn=f"{A}:role/deep/app", executionRoleArn="arn:aws:iam::999999999999:role/deep/app")
    assert await house.refused() == UNABLE.format("arn:aws:iam::999999999999:role/deep/app")
    await house.register(taskRoleArn=f"{A}:role/deep/app", executionRoleArn="deep/app")
    assert len(await house.run()) == 1


async def test_a_role_is_made_in_the_callers_name() -> None:
    """Who may not create roles, or give them policies, does not come by one this way; nor by more secrets."""
    house = await House().open()
    root = house.ctx
    await house.identities.user("bo")
    bo = dataclasses.replace(house.ctx, principal=f"{A}:user/bo")

    async def may(*actions: str) -> None:
        user = house.store.get(User, "bo")
        assert user is not None
        inline = {"p": document(allow(*actions))} if actions else {}
        await house.store.commit(Put(replace(user, inline=inline)))

    for definition in ("/a", "/b"):
        one = container(secrets=[{"name": "S", "valueFrom": definition}])
        await house.register(one, executionRoleArn="exec")
    house.ctx = bo
    for actions in ((), ("iam:CreateRole",), ("iam:CreateRole", "iam:PutRolePolicy")):
        await may(*actions)
        assert await house.refused("app:1") == UNABLE.format(f"{A}:role/exec")
    await may("iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy")
    await house.run("app:1")
    await may()
    await house.run("app:2")
    named = json.loads(house.role("exec").inline[MADE_POLICY])["Statement"][-1]["Resource"]
    assert named == ["arn:aws:ssm:eu-north-1:123456789012:parameter/a"]
    house.ctx = root
    await house.run("app:2")
    assert house.may("exec", "ssm:GetParameters", "arn:aws:ssm:eu-north-1:123456789012:parameter/b")


async def test_names_mean_nothing_to_the_policy_language() -> None:
    """A star in a file's name is a star."""
    house = await House().open()
    files = [{"value": "arn:aws:s3:::bucket/*.env", "type": "s3"}]
    await house.register(container(environmentFiles=files), executionRoleArn="exec")
    await house.run()
    assert house.may("exec", "s3:GetObject", "arn:aws:s3:::bucket/*.env")
    assert not house.may("exec", "s3:GetObject", "arn:aws:s3:::bucket/other.env")


async def test_a_made_role_has_its_limit() -> None:
    """A policy that would be too long is refused with what to do about it."""
    house = await House().open()
    await house.identities.put(
        Role(
            name="exec",
            id="AROAX",
            created_at=0,
            trust=document(TASKS_TRUST),
            tags={MADE_TAG: "x:1"},
            inline={"mine": document(allow(*(f"x:Action{i:05}" for i in range(700))))},
        )
    )
    await house.register(container(secrets=[{"name": "S", "valueFrom": "/a"}]), executionRoleArn="exec")
    assert "take its tag tidegate:made away" in await house.refused()
