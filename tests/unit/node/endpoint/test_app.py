"""Calls to the endpoint: who is answered what, and what is nobody's business."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.endpoint import ADDRESS, ROLE, TASK, FakeSessions, FakeTags, FakeTasks, counters, facts_of, web_task
from fakes.services import run_async
from tidegate.model.counters import ContainerCounters
from tidegate.model.spec import TaskSpec
from tidegate.node.endpoint.agent_paths import AgentPaths
from tidegate.node.endpoint.app import PATH_LIMIT, EndpointApp
from tidegate.node.endpoint.credentials import CredentialsIds, RoleCredentials
from tidegate.node.endpoint.credentials_paths import CredentialsPaths
from tidegate.node.endpoint.metadata import Surroundings
from tidegate.node.endpoint.metadata_paths import MetadataPaths
from tidegate.node.endpoint.protection import Protection, ProtectionApi, ProtectionError, ProtectionState
from tidegate.node.endpoint.sampling import Sampler
from tidegate.node.endpoint.throttle import Throttle

pytestmark = pytest.mark.anyio

OTHER_ADDRESS = "10.0.2.62"
OTHER_TASK = "f" * 32
MINE = web_task(task_role=ROLE)
ID = MINE.runtime_id("app")
OTHER = web_task(id=OTHER_TASK, task_role=ROLE)
IDS = CredentialsIds(b"k" * 32)


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        assert self.headers["content-type"] == "application/json"
        return json.loads(self.body)


class FakeCounters:
    def read(self, task: str, container: str) -> ContainerCounters | None:
        return counters(anyio.current_time())


class FakeProtection:
    """Ready to answer; slow if told so."""

    def __init__(self) -> None:
        self.state = ProtectionState(None)
        self.calls: list[Any] = []
        self.error: Exception | None = None
        self.seconds = 0.0

    async def get(self, task: TaskSpec) -> ProtectionState:
        return await self._answer("get")

    async def update(self, task: TaskSpec, *, is_enabled: bool, expires_in_minutes: int | None) -> ProtectionState:
        return await self._answer((is_enabled, expires_in_minutes))

    async def _answer(self, call: Any) -> ProtectionState:
        self.calls.append(call)
        await anyio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        return self.state


class Endpoint:
    """The application, with two tasks on its node."""

    def __init__(self, protection: Protection | None = None) -> None:
        self.tasks = FakeTasks({ADDRESS: facts_of(MINE), OTHER_ADDRESS: facts_of(OTHER)})
        self.sessions = FakeSessions()
        self.tags = FakeTags()
        self.sampler = Sampler(FakeCounters(), self.tasks.is_running)
        credentials = RoleCredentials(self.sessions, self.tasks.is_running, lambda: self.sessions.now)
        self.app = EndpointApp(
            self.tasks,
            Throttle(anyio.current_time),
            MetadataPaths(self.sampler, self.tags, Surroundings(("10.0.0.2",)), lambda: 0.0),
            CredentialsPaths(IDS, credentials),
            AgentPaths(ProtectionApi(protection)),
        )

    async def call(self, path: str, address: str = ADDRESS, method: str = "GET", body: bytes = b"") -> Reply:
        sent: list[dict[str, Any]] = []
        path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "client": (address, 40000),
            "headers": [],
        }

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        assert headers["content-length"] == str(len(sent[1]["body"]))
        return Reply(sent[0]["status"], headers, sent[1]["body"])


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


@pytest.mark.parametrize("version", ["v3", "v4"])
async def test_a_task_and_its_container(endpoint: Endpoint, version: str) -> None:
    """The container's path has what is in the task's list; a slash at the end changes nothing."""
    task = (await endpoint.call(f"/{version}/{ID}/task")).json
    assert task["TaskARN"] == MINE.arn
    assert (await endpoint.call(f"/{version}/{ID}")).json == task["Containers"][0]
    assert (await endpoint.call(f"/{version}/{ID}/")).json == task["Containers"][0]
    assert ("LaunchType" in task) == (version == "v4")


async def test_version_2_goes_by_the_address(endpoint: Endpoint) -> None:
    """Task or container; statistics too; who has no task is told so."""
    task = (await endpoint.call("/v2/metadata")).json
    assert task["TaskARN"] == MINE.arn
    assert (await endpoint.call(f"/v2/metadata/{ID}")).json == task["Containers"][0]
    assert list((await endpoint.call("/v2/stats")).json) == [ID]
    assert (await endpoint.call(f"/v2/stats/{ID}")).json["id"] == ID
    assert (await endpoint.call("/v2/metadata", "10.9.9.9")).status == 404


async def test_statistics(endpoint: Endpoint) -> None:
    """Of a container, and of all by their ids."""
    one = (await endpoint.call(f"/v4/{ID}/stats")).json
    assert (one["name"], one["id"]) == ("app", ID)
    assert (await endpoint.call(f"/v4/{ID}/task/stats")).json == {ID: one}


async def test_tags(endpoint: Endpoint) -> None:
    """A task's tags, where they are asked for."""
    endpoint.tags.tags = {"team": "blue"}
    assert (await endpoint.call(f"/v4/{ID}/taskWithTags")).json["TaskTags"] == {"team": "blue"}
    assert "TaskTags" not in (await endpoint.call(f"/v4/{ID}/task")).json


@pytest.mark.parametrize("other", [OTHER.runtime_id("app"), "nope", f"{TASK}-0000000000"])
@pytest.mark.parametrize(
    ("rest", "text"),
    [
        ("", "V4 container metadata handler: unable to get container ID from request: unable to get docker ID"),
        ("/stats", "V4 container stats handler: unable to get container ID from request: unable to get docker ID"),
        ("/task", "V4 task metadata handler: unable to get task arn from request: unable to get task Arn"),
        ("/taskWithTags", "V4 task metadata handler: unable to get task arn from request: unable to get task Arn"),
        ("/task/stats", "V4 task stats handler: unable to get task arn from request: unable to get task Arn"),
    ],
)
async def test_another_tasks_id_is_unknown(endpoint: Endpoint, other: str, rest: str, text: str) -> None:
    """As one that nobody has, in the agent's words."""
    answer = await endpoint.call(f"/v4/{other}{rest}")
    assert (answer.status, answer.json) == (404, f"{text} from v3 endpoint ID: {other}")


async def test_who_is_no_task_is_told_nothing(endpoint: Endpoint) -> None:
    """An address that no task has (any more): ids that were good are unknown from there."""
    for path in (f"/v4/{ID}", f"/v4/{ID}/task", f"/v3/{ID}", f"/api/{ID}/task-protection/v1/state"):
        assert (await endpoint.call(path, "10.9.9.9")).status == 404
    del endpoint.tasks[ADDRESS]
    assert (await endpoint.call(f"/v4/{ID}")).status == 404


async def test_credentials(endpoint: Endpoint) -> None:
    """Both forms give the same; version 2's path is what the container was told."""
    answer = await endpoint.call(f"/v2/credentials/{IDS.of(TASK)}")
    assert answer.status == 200
    assert answer.json == {
        "RoleArn": ROLE,
        "AccessKeyId": "ASIA1",
        "SecretAccessKey": "secret1",
        "Token": "token1",
        "Expiration": "1970-01-12T19:46:40Z",
    }
    assert (await endpoint.call(f"/v1/credentials?id={IDS.of(TASK)}")).json == answer.json


@pytest.mark.parametrize(("version", "path"), [("V2", "/v2/credentials/{}"), ("V1", "/v1/credentials?id={}")])
async def test_credentials_that_are_not_the_tasks(endpoint: Endpoint, version: str, path: str) -> None:
    """Another task's id and any other are not found; none at all is said so; keys that are not there are not yet."""
    for wrong in (IDS.of(OTHER_TASK), "nope", "%C3%A9"):
        answer = await endpoint.call(path.format(wrong))
        assert (answer.status, answer.json) == (
            400,
            {
                "code": "InvalidIdInRequest",
                "message": f"Credentials{version}Request: Credentials not found",
                "HTTPErrorCode": 400,
            },
        )
    answer = await endpoint.call(path.format(""))
    assert (answer.status, answer.json) == (
        400,
        {
            "code": "NoIdInRequest",
            "message": f"Credentials{version}Request: No Credential ID in the request",
            "HTTPErrorCode": 400,
        },
    )
    endpoint.sessions.refusal = "not yet"
    answer = await endpoint.call(path.format(IDS.of(TASK)))
    assert (answer.status, answer.json) == (
        503,
        {
            "code": "CredentialsUninitialized",
            "message": f"Credentials{version}Request: Credentials uninitialized for ID",
            "HTTPErrorCode": 503,
        },
    )


async def test_an_execution_role_has_no_credentials_here(endpoint: Endpoint) -> None:
    """It is the node's, not the task's."""
    endpoint.tasks[ADDRESS] = facts_of(web_task(execution_role=ROLE))
    assert (await endpoint.call(f"/v2/credentials/{IDS.of(TASK)}")).json["code"] == "InvalidIdInRequest"


async def test_a_mistake_of_ours_is_told_as_such(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """500 in the agent's form, and nothing of what went wrong."""

    def fail(*_: object, **__: object) -> Any:
        raise RuntimeError("secret1")

    monkeypatch.setattr(endpoint.tags, "of_task", fail)
    answer = await endpoint.call(f"/v4/{ID}/taskWithTags")
    assert (answer.status, answer.json) == (500, "failed to get task metadata")
    monkeypatch.setattr(endpoint.sessions, "issue", fail)
    answer = await endpoint.call(f"/v2/credentials/{IDS.of(TASK)}")
    assert (answer.status, answer.json["code"], answer.json["HTTPErrorCode"]) == (500, "InternalServerError", 500)
    assert b"secret1" not in answer.body


async def test_too_many_calls(endpoint: Endpoint) -> None:
    """Sixty at once, forty a second, each task for itself; then 429 and the connection is closed."""
    answers = [await endpoint.call(f"/v4/{ID}") for _ in range(70)]
    assert [answer.status for answer in answers] == [200] * 60 + [429] * 10
    assert answers[-1].body == b"You have reached maximum request limit."
    assert answers[-1].headers["connection"] == "close"
    assert (await endpoint.call(f"/v4/{OTHER.runtime_id('app')}", OTHER_ADDRESS)).status == 200
    await anyio.sleep(0.5)
    assert [(await endpoint.call(f"/v4/{ID}")).status for _ in range(25)] == [200] * 20 + [429] * 5


@pytest.mark.parametrize(
    "path",
    ["", "/", "/v4", "/v5/x", f"/v4/{ID}/nope", f"/v4/{ID}/task/nope", "/v2/nope", "/health", "/v1/credentials/x"],
)
async def test_nothing_else_is_there(endpoint: Endpoint, path: str) -> None:
    """As the agent says it."""
    answer = await endpoint.call(path)
    assert (answer.status, answer.body) == (404, b"404 page not found\n")


@pytest.mark.parametrize("fault", ["network-blackhole-port", "network-latency", "network-packet-loss"])
@pytest.mark.parametrize("verb", ["start", "stop", "status"])
async def test_faults_are_off(endpoint: Endpoint, fault: str, verb: str) -> None:
    """Registration refuses `enableFaultInjection`: the answer is the one for a task without it."""
    answer = await endpoint.call(f"/api/{ID}/fault/v1/{fault}/{verb}", method="POST", body=b"{}")
    assert (answer.status, answer.json) == (
        400,
        {"Error": f"enableFaultInjection is not enabled for task: {MINE.arn}"},
    )
    assert (await endpoint.call(f"/api/nope/fault/v1/{fault}/{verb}", method="POST")).status == 404
    assert (await endpoint.call(f"/api/{ID}/fault/v1/{fault}/{verb}")).status == 405


async def test_a_body_that_does_not_end_is_cut(endpoint: Endpoint) -> None:
    """No more than a few kilobytes of one are read."""
    answer = await endpoint.call(
        f"/api/{ID}/task-protection/v1/state", method="PUT", body=b'{"ProtectionEnabled":true' + b" " * 10_000 + b"}"
    )
    assert (answer.status, answer.json["error"]["Message"]) == (
        400,
        "UpdateTaskProtection: failed to decode request",
    )


@given(
    path=st.text(max_size=PATH_LIMIT + 50).map(lambda text: "/" + text.replace("?", "")),
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD"]),
    body=st.binary(max_size=200),
)
def test_any_call_is_answered(path: str, method: str, body: bytes) -> None:
    """Whatever a hostile task asks for: an answer, and never a fault of ours."""

    async def run() -> None:
        endpoint = Endpoint(FakeProtection())
        for prefix in ("", f"/v4/{ID}", f"/api/{ID}", f"/api/{ID}/task-protection/v1/state", "/v2/credentials"):
            assert (await endpoint.call(prefix + path, method=method, body=body)).status < 500

    run_async(run)


async def test_protection_that_nobody_answers_in_time() -> None:
    """504, in the agent's words."""
    protection = FakeProtection()
    protection.seconds = 60
    answer = await Endpoint(protection).call(f"/api/{ID}/task-protection/v1/state")
    assert (answer.status, answer.json["error"]) == (
        504,
        {"Arn": MINE.arn, "Code": "RequestCanceled", "Message": "Timed out calling ECS Task Protection API"},
    )


async def test_protection_is_passed_on() -> None:
    """State, changes, and ECS's exceptions with their status."""
    protection = FakeProtection()
    endpoint = Endpoint(protection)
    path = f"/api/{ID}/task-protection/v1/state"
    assert (await endpoint.call(path)).json == {
        "protection": {"ExpirationDate": None, "ProtectionEnabled": False, "TaskArn": MINE.arn}
    }
    protection.state = ProtectionState(1_772_626_520.0)
    assert (await endpoint.call(path, method="PUT", body=b'{"ProtectionEnabled":true,"ExpiresInMinutes":60}')).json == {
        "protection": {"ExpirationDate": "2026-03-04T12:15:20Z", "ProtectionEnabled": True, "TaskArn": MINE.arn}
    }
    protection.error = ProtectionError(400, "AccessDeniedException", "User: x is not authorized", "r-1")
    answer = await endpoint.call(path, method="PUT", body=b'{"ProtectionEnabled":false}')
    assert (answer.status, answer.json) == (
        400,
        {
            "requestID": "r-1",
            "error": {"Arn": MINE.arn, "Code": "AccessDeniedException", "Message": "User: x is not authorized"},
        },
    )
    assert protection.calls == ["get", (True, 60), (False, None)]
    assert (await endpoint.call(path, method="DELETE")).status == 405
