"""Task definitions over a store: numbered once, found again, deregistered, deleted."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest
from msgspec.structs import replace

from fakes.definitions import CTX, container, fargate
from tidegate.api import ecs
from tidegate.api.shape import ServiceError
from tidegate.model.status import LastStatus, TaskStatus
from tidegate.model.task import Task
from tidegate.services.ecs.definitions import TaskDefinitions, resolve
from tidegate.store.memory import MemoryStore
from tidegate.store.store import Conflict, Delete, Put

pytestmark = pytest.mark.anyio

ARN = "arn:aws:ecs:eu-north-1:123456789012:task-definition/"


class OvertakenStore(MemoryStore):
    """A store whose commits let others run first, so that what was read may have changed."""

    async def commit(self, *changes: Put | Delete) -> int:
        await anyio.lowlevel.checkpoint()
        return await super().commit(*changes)


class House:
    """The operations over a store, at a time that tests set."""

    def __init__(self) -> None:
        self.store = OvertakenStore()
        self.time = 1000.0
        self.definitions = TaskDefinitions(self.store, lambda: self.time)

    async def register(self, family: str = "app", times: int = 1) -> ecs.TaskDefinition:
        for _ in range(times):
            answer = await self.definitions.register_task_definition(CTX, replace(fargate(), family=family))
        assert answer.task_definition is not None
        return answer.task_definition

    async def deregister(self, identifier: str) -> ecs.TaskDefinition:
        request = ecs.DeregisterTaskDefinitionRequest(task_definition=identifier)
        answer = await self.definitions.deregister_task_definition(CTX, request)
        assert answer.task_definition is not None
        return answer.task_definition

    async def describe(self, identifier: str) -> ecs.TaskDefinition:
        request = ecs.DescribeTaskDefinitionRequest(task_definition=identifier)
        answer = await self.definitions.describe_task_definition(CTX, request)
        assert answer.tags is None
        assert answer.task_definition is not None
        return answer.task_definition

    async def delete(self, *identifiers: str) -> ecs.DeleteTaskDefinitionsResponse:
        request = ecs.DeleteTaskDefinitionsRequest(task_definitions=identifiers)
        return await self.definitions.delete_task_definitions(CTX, request)

    async def listed(self, **filters: Any) -> list[str]:
        request = ecs.ListTaskDefinitionsRequest(**filters)
        answer = await self.definitions.list_task_definitions(CTX, request)
        return [arn.removeprefix(ARN) for arn in answer.task_definition_arns or ()]

    async def families(self, **filters: Any) -> list[str]:
        request = ecs.ListTaskDefinitionFamiliesRequest(**filters)
        answer = await self.definitions.list_task_definition_families(CTX, request)
        return list(answer.families or ())

    async def refer(self, definition: str) -> None:
        """Keep a stopped task that refers to a revision."""
        status = TaskStatus(last_status=LastStatus.STOPPED, created_at=1.0)
        task = Task(
            id="0" * 32,
            cluster="default",
            definition=definition,
            group="g",
            request=ecs.RunTaskRequest(task_definition=definition),
            container_ids={},
            status=status,
        )
        await self.store.commit(Put(task))


@pytest.fixture
def house() -> House:
    return House()


async def test_registration_adds_identity(house: House) -> None:
    """A registered revision has its ARN, number, status, time and author, and can be described as it was answered."""
    registered = await house.register()
    assert registered.task_definition_arn == ARN + "app:1"
    assert registered.revision == 1
    assert registered.status == "ACTIVE"
    assert registered.registered_at == 1000.0
    assert registered.registered_by == CTX.principal
    assert registered.compatibilities == ("EC2", "MANAGED_INSTANCES", "FARGATE")
    for identifier in ("app", "app:1", ARN + "app:1"):
        assert await house.describe(identifier) == registered


async def test_tags_are_kept_beside_the_definition(house: House) -> None:
    """Tags come back from registration, and from describe only when asked for."""
    tags = (ecs.Tag(key="team", value="tide"),)
    answer = await house.definitions.register_task_definition(CTX, replace(fargate(), tags=tags))
    assert answer.tags == tags
    request = ecs.DescribeTaskDefinitionRequest(task_definition="app", include=("TAGS",))
    assert (await house.definitions.describe_task_definition(CTX, request)).tags == tags
    await house.describe("app")


async def test_refused_registration_takes_no_number(house: House) -> None:
    """What is refused leaves no trace: the next revision has the next number."""
    with pytest.raises(ecs.ClientException):
        await house.definitions.register_task_definition(CTX, fargate(container(privileged=True)))
    assert (await house.register()).revision == 1


async def test_numbers_are_never_reused(house: House) -> None:
    """Neither deregistration nor deletion of every revision makes a family count anew."""
    await house.register(times=2)
    for identifier in ("app:1", "app:2"):
        await house.deregister(identifier)
        await house.delete(identifier)
    house.time += 3600
    assert await house.definitions.collect_deleted() == 2
    assert await house.families() == []
    assert (await house.register()).revision == 3


async def test_concurrent_registrations_get_different_numbers(house: House) -> None:
    """Registrations of one family at the same time all succeed, each with a number of its own."""
    numbers: list[int | None] = []

    async def register() -> None:
        numbers.append((await house.register()).revision)

    async with anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(register)
    assert sorted(numbers, key=str) == [1, 2, 3, 4, 5, 6, 7, 8]


async def test_registration_gives_up_when_always_overtaken(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A family that others never stop writing to is an error that clients know to retry."""

    async def overtaken(*changes: Put | Delete) -> int:
        raise Conflict("family", "app")

    monkeypatch.setattr(house.store, "commit", overtaken)
    with pytest.raises(ecs.ClientException) as caught:
        await house.register()
    assert caught.value.message == ("Too many concurrent attempts to create a new revision of the specified family.")


async def test_what_cannot_be_written_is_a_server_exception(house: House) -> None:
    """A full disk is the server's fault, says so, and leaves nothing behind."""
    await house.register()
    house.store.failure = "the disk is full"
    for attempt in (house.register(), house.deregister("app:1")):
        with pytest.raises(ecs.ServerException, match="the disk is full"):
            await attempt
    house.store.failure = None
    assert (await house.describe("app")).revision == 1


async def test_repeated_calls_wait_for_the_first(house: House) -> None:
    """A deregistration or deletion that finds its work done doesn't answer before that work is durable."""
    await house.register()
    for operation in (house.deregister, house.delete):
        house.store.hold()
        done: list[str] = []

        async def call(name: str, operation: Any = operation, done: list[str] = done) -> None:
            await operation("app:1")
            done.append(name)

        async with anyio.create_task_group() as group:
            group.start_soon(call, "first")
            group.start_soon(call, "second")
            await anyio.wait_all_tasks_blocked()
            assert done == []
            house.store.release()
        assert sorted(done) == ["first", "second"]


async def test_family_means_its_latest_active_revision(house: House) -> None:
    """Inactive revisions are passed over for a bare family, and found by their number."""
    await house.register(times=3)
    await house.deregister("app:3")
    assert (await house.describe("app")).revision == 2
    assert (await house.describe("app:3")).status == "INACTIVE"


async def test_deregistration_is_recorded_once(house: House) -> None:
    """A revision becomes INACTIVE with its time, and stays so when it is deregistered again."""
    await house.register()
    house.time = 2000.0
    first = await house.deregister("app:1")
    assert first.status == "INACTIVE"
    assert first.deregistered_at == 2000.0
    house.time = 3000.0
    assert await house.deregister(ARN + "app:1") == first


async def test_resolve_gives_what_may_run(house: House) -> None:
    """Only an ACTIVE revision runs; the two ways of failing are told apart."""
    await house.register()
    assert resolve(house.store, "app").key == "app:1"
    assert resolve(house.store, ARN + "app:1", CTX).key == "app:1"
    await house.deregister("app:1")
    with pytest.raises(ecs.InvalidParameterException, match=r"^TaskDefinition is inactive$"):
        resolve(house.store, "app:1")
    for unknown in ("app", "app:7", "other", "other:1"):
        with pytest.raises(ecs.ClientException, match=r"^TaskDefinition not found\.$"):
            resolve(house.store, unknown)


@pytest.mark.parametrize("identifier", ["other", "app:2", ARN + "app:2"])
async def test_unknown_definitions_are_a_client_exception(house: House, identifier: str) -> None:
    """Task definitions have no NotFound error of their own."""
    await house.register()
    with pytest.raises(ecs.ClientException, match=r"^Unable to describe task definition\.$"):
        await house.describe(identifier)


@pytest.mark.parametrize(
    ("identifier", "error", "message"),
    [
        ("app", ecs.ClientException, "Revision is missing."),
        (ARN + "app", ecs.ClientException, "Revision is missing."),
        ("app:x", ecs.InvalidParameterException, "Invalid revision number. Number: x"),
        ("app:9", ecs.ClientException, "Unable to describe task definition."),
    ],
)
async def test_deregistration_needs_a_revision(
    house: House, identifier: str, error: type[ServiceError], message: str
) -> None:
    """A family alone, or a revision that is none, deregisters nothing."""
    await house.register()
    with pytest.raises(error) as caught:
        await house.deregister(identifier)
    assert caught.value.message == message
    assert (await house.describe("app")).status == "ACTIVE"


async def test_deletion_marks_and_collection_removes(house: House) -> None:
    """A deleted revision is still described until no task refers to it, and gone after."""
    await house.register()
    await house.deregister("app:1")
    await house.refer("app:1")
    answer = await house.delete("app:1")
    assert answer.failures == ()
    assert [each.status for each in answer.task_definitions or ()] == ["DELETE_IN_PROGRESS"]
    assert (await house.delete("app:1")).task_definitions == answer.task_definitions
    with pytest.raises(ecs.InvalidParameterException, match="inactive"):
        resolve(house.store, "app:1")
    house.time += 3600
    assert await house.definitions.collect_deleted() == 0
    assert (await house.describe("app:1")).delete_requested_at == 1000.0
    task = house.store.get(Task, "0" * 32)
    assert task is not None
    await house.store.commit(Delete(task))
    assert await house.definitions.collect_deleted() == 1
    with pytest.raises(ecs.ClientException):
        await house.describe("app:1")


async def test_collection_waits_for_a_run_task_under_way(house: House) -> None:
    """A revision is not taken from under a task that is just being created from it."""
    await house.register()
    await house.deregister("app:1")
    await house.delete("app:1")
    house.time += 59
    assert await house.definitions.collect_deleted() == 0
    house.time += 2
    assert await house.definitions.collect_deleted() == 1


async def test_a_status_changed_by_two_is_changed_once(house: House) -> None:
    """Deregistrations and deletions at the same time agree on one result."""
    await house.register()
    results: list[Any] = []

    async def collect(operation: Any, *arguments: Any) -> None:
        results.append(await operation(*arguments))

    for operation in (house.deregister, house.delete):
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(collect, operation, "app:1")
    assert results[0] == results[1] == results[2]
    assert results[0].status == "INACTIVE"
    assert results[3] == results[4] == results[5]
    assert results[3].task_definitions[0].status == "DELETE_IN_PROGRESS"


async def test_deletion_fails_item_by_item(house: House) -> None:
    """One identifier that can't be deleted is a failure of its own, and doesn't hold the others up."""
    await house.register(times=2)
    await house.deregister("app:1")
    answer = await house.delete("app:1", "app:2", "app:9", "app", "app:x")
    assert [each.revision for each in answer.task_definitions or ()] == [1]
    assert [(each.arn, (each.reason or "").split(".")[0]) for each in answer.failures or ()] == [
        (ARN + "app:2", "The specified task definition is still in ACTIVE status"),
        (ARN + "app:9", "The specified task definition does not exist"),
        ("app", "The specified task definition identifier is invalid"),
        ("app:x", "The specified task definition identifier is invalid"),
    ]


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (0, "size of TaskDefinition references list must be greater than 0"),
        (11, "Size of TaskDefinition references list cannot exceed 10"),
    ],
)
async def test_deletion_takes_one_to_ten(house: House, count: int, message: str) -> None:
    """The list's size is checked before anything is deleted."""
    with pytest.raises(ecs.InvalidParameterException) as caught:
        await house.delete(*[f"app:{number}" for number in range(count)])
    assert caught.value.message == message


async def test_lists_are_ordered_by_family_then_number(house: House) -> None:
    """Revision 10 follows 9, not 1; DESC reverses both; a family prefix is a whole name."""
    await house.register("b", times=10)
    await house.register("a")
    await house.register("bb")
    assert await house.listed() == ["a:1", *(f"b:{number}" for number in range(1, 11)), "bb:1"]
    assert await house.listed(sort="DESC") == ["bb:1", *(f"b:{number}" for number in range(10, 0, -1)), "a:1"]
    assert await house.listed(family_prefix="bb") == ["bb:1"]
    assert await house.listed(family_prefix="") == await house.listed()


async def test_lists_go_by_status(house: House) -> None:
    """ACTIVE is the default; the other two states are listed when asked for."""
    await house.register(times=3)
    for identifier in ("app:1", "app:2"):
        await house.deregister(identifier)
    await house.delete("app:1")
    assert await house.listed() == ["app:3"]
    assert await house.listed(status="INACTIVE") == ["app:2"]
    assert await house.listed(status="DELETE_IN_PROGRESS") == ["app:1"]


async def test_families_go_by_prefix_and_status(house: House) -> None:
    """Families without an ACTIVE revision are listed by default; a prefix is a true prefix."""
    for family in ("web", "worker", "db"):
        await house.register(family)
    await house.deregister("worker:1")
    assert await house.families() == ["db", "web", "worker"]
    assert await house.families(status="ALL", family_prefix="w") == ["web", "worker"]
    assert await house.families(status="ACTIVE") == ["db", "web"]
    assert await house.families(status="INACTIVE") == ["worker"]


async def test_pages_join_to_the_whole(house: House) -> None:
    """Pages neither repeat nor skip, also when a revision goes between two of them."""
    await house.register(times=5)
    request = ecs.ListTaskDefinitionsRequest(max_results=2)
    first = await house.definitions.list_task_definitions(CTX, request)
    assert [arn[-1] for arn in first.task_definition_arns or ()] == ["1", "2"]
    await house.deregister("app:2")
    second = await house.definitions.list_task_definitions(CTX, replace(request, next_token=first.next_token))
    assert [arn[-1] for arn in second.task_definition_arns or ()] == ["3", "4"]
    third = await house.definitions.list_task_definitions(CTX, replace(request, next_token=second.next_token))
    assert [arn[-1] for arn in third.task_definition_arns or ()] == ["5"]
    assert third.next_token is None


@pytest.mark.parametrize("token", ["", "nonsense", "é", "e30=", "WzEsMl0=", "a" * 5000])
async def test_bad_tokens_are_refused(house: House, token: str) -> None:
    """A token that this server did not make is an error, whatever it holds."""
    with pytest.raises(ecs.InvalidParameterException, match=r"^Invalid token\.$"):
        await house.listed(next_token=token)
    with pytest.raises(ecs.InvalidParameterException, match=r"^Invalid token\.$"):
        await house.families(next_token=token)


@pytest.mark.parametrize("count", [0, 101, -1])
async def test_max_results_is_bounded(house: House, count: int) -> None:
    """A page holds 1 to 100."""
    with pytest.raises(ecs.InvalidParameterException, match="maxResults"):
        await house.listed(max_results=count)
