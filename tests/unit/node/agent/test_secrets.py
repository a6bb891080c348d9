"""Secrets of containers: resolved while the task is launched, over what is given in plain, and written nowhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from fakes.node import World
from fakes.specs import task_spec
from fixtures.agents import agent, is_, until
from tidegate.model.execution import ExecutionFailure, RegistryLogin
from tidegate.model.spec import ContainerSpec, LogTarget, TaskSpec
from tidegate.model.status import LastStatus
from tidegate.node.agent.environment import CombinedEnvironment, DefinedEnvironment, EnvironmentUnavailable
from tidegate.node.agent.secrets import NoSecrets, SecretEnvironment, resolve_named

pytestmark = pytest.mark.anyio
REASON = (
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
    "invalid ssm parameters: gone"
)


class Vault:
    """Values by reference; what is asked for is kept."""

    def __init__(self, **values: str) -> None:
        self.values = values
        self.asked: list[tuple[str, ...]] = []

    async def read_values(self, task: TaskSpec, references: Iterable[str]) -> Mapping[str, str]:
        wanted = tuple(references)
        self.asked.append(wanted)
        for reference in wanted:
            if reference not in self.values:
                raise ExecutionFailure(f"invalid ssm parameters: {reference}")
        return {reference: self.values[reference] for reference in wanted}

    async def read_login(self, task: TaskSpec, reference: str) -> RegistryLogin:
        return RegistryLogin("user", (await self.read_values(task, [reference]))[reference])


def with_vault(**values: str) -> World:
    world, vault = World(), Vault(**values)
    world.secrets = vault
    world.environment = CombinedEnvironment(DefinedEnvironment(), SecretEnvironment(vault))
    return world


async def test_a_container_finds_its_secrets_in_its_environment(tmp_path: Path) -> None:
    """Beside what the definition gives; one that is used twice is read once."""
    world = with_vault(p="canary")
    task = task_spec(
        ContainerSpec(name="app", image="sim/exit:0-after-1", environment={"A": "1"}, secrets={"S": "p", "T": "p"})
    )
    async with world.running(), agent(world, tmp_path) as node:
        node.submit(task)
        await until(node, task, is_(LastStatus.STOPPED))
    assert world.environments["app"] == {"A": "1", "S": "canary", "T": "canary"}
    assert isinstance(world.secrets, Vault)
    assert world.secrets.asked == [("p",)]
    assert world.forgotten == {f"{task.id}-app"}


async def test_what_is_written_of_a_task_holds_no_value(tmp_path: Path) -> None:
    """The node's journal names what is read, and no more."""
    world = with_vault(p="canary-value", login="canary-login")
    task = task_spec(ContainerSpec(name="app", image="sim/run", secrets={"S": "p"}, repository_credentials="login"))
    async with world.running(), agent(world, tmp_path) as node:
        node.submit(task)
        last = await until(node, task, is_(LastStatus.RUNNING))
        written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"spec" not in written or b'"p"' in written
    assert b"canary" not in written
    assert "canary" not in repr(last)


async def test_a_secret_that_can_not_be_read_ends_the_task(tmp_path: Path) -> None:
    """With AWS's reason; no container has run, and nothing was pulled for those that need it."""
    world = with_vault()
    task = task_spec(
        ContainerSpec(name="first", image="sim/run"),
        ContainerSpec(name="app", image="sim/run", secrets={"S": "gone"}),
    )
    async with world.running(), agent(world, tmp_path) as node:
        node.submit(task)
        last = await until(node, task, is_(LastStatus.STOPPED))
    assert (last.stop_code, last.stopped_reason) == ("TaskFailedToStart", REASON)
    assert [c.started_at for c in last.containers] == [None, None]
    assert world.environments == {}
    assert world.is_empty()


async def test_an_image_is_pulled_with_the_containers_own_login(tmp_path: Path) -> None:
    """Each container's; one without has none."""
    world = with_vault(a="one", b="two")
    task = task_spec(
        ContainerSpec(name="a", image="sim/run", repository_credentials="a"),
        ContainerSpec(name="b", image="sim/run", repository_credentials="b"),
        ContainerSpec(name="c", image="sim/exit:0-after-1"),
    )
    async with world.running(), agent(world, tmp_path) as node:
        node.submit(task)
        await until(node, task, is_(LastStatus.STOPPED))
    assert len(world.pulls) == 3
    assert set(world.pulls) == {
        ("sim/run", RegistryLogin("user", "one")),
        ("sim/run", RegistryLogin("user", "two")),
        ("sim/exit:0-after-1", None),
    }


async def test_a_login_that_can_not_be_read_ends_the_task(tmp_path: Path) -> None:
    """Also if the image is here already: whoever may not have the login may not have the image by it."""
    world = with_vault()
    task = task_spec(ContainerSpec(name="a", image="sim/run", repository_credentials="gone"))
    async with world.running(), agent(world, tmp_path) as node:
        node.submit(task)
        last = await until(node, task, is_(LastStatus.STOPPED))
    assert last.stopped_reason == REASON
    assert world.pulls == []


async def test_options_of_a_log_driver() -> None:
    """Are resolved by the same rule."""
    task = task_spec(ContainerSpec(name="a", image="sim/run"))
    assert await resolve_named(Vault(p="x"), task, {"token": "p"}) == {"token": "x"}
    assert await resolve_named(Vault(), task, {}) == {}
    with pytest.raises(EnvironmentUnavailable) as caught:
        await resolve_named(Vault(), task, {"token": "gone"})
    assert str(caught.value) == REASON
    with pytest.raises(EnvironmentUnavailable, match="there is nowhere to read secrets from"):
        await resolve_named(NoSecrets(), task, {"token": "p"})


async def test_later_sources_count() -> None:
    """Files below the definition below secrets."""

    class Fixed:
        def __init__(self, **values: str) -> None:
            self.values = values

        async def resolve(self, task: TaskSpec, container: ContainerSpec) -> Mapping[str, str]:
            return self.values

    spec = ContainerSpec(name="a", image="i", environment={"B": "defined", "C": "defined"})
    combined = CombinedEnvironment(Fixed(A="file", B="file"), DefinedEnvironment(), Fixed(C="secret"))
    assert await combined.resolve(task_spec(spec), spec) == {"A": "file", "B": "defined", "C": "secret"}


def test_a_login_is_not_printed() -> None:
    """Neither its name nor its password."""
    assert "user" not in repr(RegistryLogin("user", "canary"))
    assert "canary" not in repr(RegistryLogin("user", "canary"))


async def test_a_log_is_not_made_for_a_container_that_may_not_start(tmp_path: Path) -> None:
    """Its role has been asked before: to create a group is one of the things that the role may be refused."""
    world = with_vault()
    log = LogTarget(group="/g", stream="app/1", create_group=True)
    task = task_spec(ContainerSpec(name="app", image="sim/run", secrets={"S": "gone"}, log=log))
    async with world.running(), agent(world, tmp_path) as node:
        node.submit(task)
        await until(node, task, is_(LastStatus.STOPPED))
    assert world.streams == []
