"""The application: who answers, in which protocol, and what the log says of it."""

from __future__ import annotations

import asyncio
import json
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest
from structlog.testing import capture_logs

from conformance.cases import Recorder
from fakes.http import Answer, ask
from tidegate.api import ec2, ecs, logs, sts, tidegate
from tidegate.wire.app import Application
from tidegate.wire.authentication import Identity
from tidegate.wire.body import ALL_BODIES_LIMIT
from tidegate.wire.routing import serve_with
from tidegate.wire.sigv4 import Key, sign_headers

APIS = (ecs, logs, sts, ec2, tidegate)
REGION = "eu-north-1"
SECRET = "the-secret"


class Ring:
    """One key."""

    def find(self, access_key_id: str, session_token: str | None) -> Key | None:
        return Key(SECRET, "arn:aws:iam::123456789012:user/me") if access_key_id == "AKIAME" else None


class House:
    """Every API behind one recorder."""

    def __init__(self, answer: object = None, *, is_signed: bool = False) -> None:
        self.recorder = Recorder(answer)
        services = [serve_with(api, self.recorder) for api in APIS]
        self.application = Application(
            services, Identity("123456789012", REGION), Ring() if is_signed else None, lambda: {"status": "ok"}
        )

    def ask(
        self, headers: dict[str, str], body: bytes | list[bytes] = b"", method: str = "POST", query: str = ""
    ) -> Answer:
        return asyncio.run(ask(self.application, method, "/", query, headers, body))

    def json(self, api: ModuleType, operation: str, body: Any = None) -> Answer:
        return self.ask(to(api, operation), json.dumps(body or {}).encode())

    def form(self, form: str) -> Answer:
        return self.ask({"content-type": "application/x-www-form-urlencoded"}, form.encode())


def to(api: ModuleType, operation: str) -> dict[str, str]:
    return {"x-amz-target": f"{api.TARGET_PREFIX}.{operation}", "content-type": "application/x-amz-json-1.1"}


def told(answer: Answer) -> tuple[int, str, str]:
    """Status, code and text of an error, in either protocol."""
    if answer.headers["content-type"].startswith("application/x-amz-json"):
        body = json.loads(answer.body)
        assert answer.headers["x-amzn-errortype"] == body["__type"]
        return answer.status, body["__type"], body["message"]
    tree = ElementTree.fromstring(answer.body)
    found = {element.tag.rpartition("}")[2]: element.text or "" for element in tree.iter()}
    return answer.status, found["Code"], found["Message"]


def signed(service: str, headers: dict[str, str], body: bytes = b"", secret: str = SECRET) -> dict[str, str]:
    return sign_headers(
        method="POST",
        path="/",
        headers={"host": "localhost", **headers},
        body=body,
        access_key="AKIAME",
        secret_key=secret,
        region=REGION,
        service=service,
    )


@pytest.mark.parametrize(
    "api, operation", [(ecs, "ListClusters"), (logs, "DescribeLogGroups"), (tidegate, "DescribeNodes")]
)
def test_json_services_are_found_by_target(api: ModuleType, operation: str) -> None:
    """The handler gets the typed request; the answer has the protocol's type and the request's id."""
    house = House()
    answer = house.json(api, operation)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/x-amz-json-1.1"
    assert len(answer.headers["x-amzn-requestid"]) == 36
    assert type(house.recorder.request).__module__ == api.__name__


def test_query_services_are_found_by_scope_and_without_signatures_by_version() -> None:
    """As clients with one endpoint for all of them send."""
    house = House(is_signed=True)
    body = b"Action=DescribeVpcs&Version=2016-11-15"
    assert house.ask(signed("ec2", {}, body), body).status == 200
    assert isinstance(house.recorder.request, ec2.DescribeVpcsRequest)
    assert House().form("Action=GetCallerIdentity&Version=2011-06-15").status == 200


def test_the_key_says_who_asks() -> None:
    """Its owner; without signatures the account's root."""
    seen = []

    class Handler:
        async def list_clusters(self, ctx: Any, request: Any) -> ecs.ListClustersResponse:
            seen.append((ctx.principal, ctx.access_key, ctx.account, ctx.region))
            return ecs.ListClustersResponse()

    for ring in (Ring(), None):
        application = Application([serve_with(ecs, Handler())], Identity("123456789012", REGION), ring, dict)
        headers = signed("ecs", to(ecs, "ListClusters"), b"{}")
        asyncio.run(ask(application, "POST", "/", "", headers, b"{}"))
    assert seen == [
        ("arn:aws:iam::123456789012:user/me", "AKIAME", "123456789012", REGION),
        ("arn:aws:iam::123456789012:root", "", "123456789012", REGION),
    ]


@pytest.mark.parametrize(
    "headers, body, expected",
    [
        (to(ecs, "RunTask"), b"{}", (403, "MissingAuthenticationTokenException")),
        ({}, b"Action=GetCallerIdentity&Version=2011-06-15", (403, "MissingAuthenticationToken")),
        ({}, b"Action=DescribeVpcs&Version=2016-11-15", (403, "MissingAuthenticationToken")),
        (signed("ecs", to(ecs, "RunTask"), secret="x"), b"", (403, "InvalidSignatureException")),
        (signed("sts", {}, secret="x"), b"", (403, "SignatureDoesNotMatch")),
        (signed("logs", to(ecs, "ListClusters"), b"{}"), b"{}", (403, "InvalidSignatureException")),
    ],
)
def test_who_is_not_let_in_is_told_so_in_his_protocol(
    headers: dict[str, str], body: bytes, expected: tuple[int, str]
) -> None:
    """An XML client gets XML, also when nothing of the request is signed. No handler is called."""
    house = House(is_signed=True)
    if "authorization" in headers and not body:  # an operation must be named to come so far
        body = b"Action=GetCallerIdentity&Version=2011-06-15"
    assert told(house.ask(headers, body))[:2] == expected
    assert house.recorder.request is None


@pytest.mark.parametrize(
    "api, name, text",
    [
        (ecs, "Nothing", "The operation Nothing is not known."),
        (ecs, "", "The operation (none) is not known."),
        (ecs, "CreateService", "Tidegate does not serve ecs:CreateService yet."),
    ],
)
def test_unknown_operations_of_json_services(api: ModuleType, name: str, text: str) -> None:
    """Those that AWS has and we do not are told apart from those that nobody has."""
    assert told(House().json(api, name)) == (400, "UnknownOperationException", text)


@pytest.mark.parametrize("name, text", [("Nothing", "Could not find operation"), ("RunInstances", "does not serve")])
def test_unknown_operations_of_query_services(name: str, text: str) -> None:
    """InvalidAction is what AWS calls them there."""
    status, code, message = told(House().form(f"Action={name}&Version=2016-11-15"))
    assert (status, code) == (400, "InvalidAction")
    assert text in message


def test_what_is_for_nobody() -> None:
    """Another service's target, another service's form."""
    assert told(House().ask({"x-amz-target": "DynamoDB_20120810.ListTables"}, b"{}"))[1] == "UnknownOperationException"
    assert told(House().form("Action=ListQueues&Version=2012-11-05"))[1] == "InvalidAction"


def test_an_errors_members_stand_beside_its_message() -> None:
    """As the model has them."""
    answer = House(ecs.ConflictException("twice", resourceIds=["arn:1"])).json(ecs, "RunTask", {"taskDefinition": "a"})
    assert json.loads(answer.body) == {"__type": "ConflictException", "message": "twice", "resourceIds": ["arn:1"]}


@pytest.mark.parametrize(
    "answer_of", [lambda h: h.json(ecs, "ListClusters"), lambda h: h.form("Action=DescribeVpcs&Version=2016-11-15")]
)
def test_a_mistake_of_ours_is_told_in_the_log_alone(answer_of: Any) -> None:
    """The caller gets the request's id, by which the log has the trace."""
    house = House(RuntimeError("a detail of ours"))
    with capture_logs() as lines:
        answer = answer_of(house)
    status, code, message = told(answer)
    assert (status, code) in [(500, "ServerException"), (500, "InternalFailure")]
    assert "a detail of ours" not in message
    assert answer.headers["x-amzn-requestid"] in message
    (trace,) = [line for line in lines if line["log_level"] == "error"]
    assert "a detail of ours" in trace["trace"]
    assert trace["id"] == answer.headers["x-amzn-requestid"]


def test_one_line_a_request() -> None:
    """Who, what, how it went; and nothing of the body, whether it was understood or not."""
    house = House()
    with capture_logs() as lines:
        house.json(logs, "CreateLogGroup", {"logGroupName": "group", "tags": {"password": "hunter2"}})
        house.json(logs, "CreateLogGroup", {"logGroupName": "hunter2 is bad"})
    assert [(line["service"], line["operation"], line["status"], line["error"]) for line in lines] == [
        ("logs", "CreateLogGroup", 200, None),
        ("logs", "CreateLogGroup", 400, "InvalidParameterException"),
    ]
    assert all(line["principal"].endswith(":root") and line["ms"] >= 0 for line in lines)
    assert "hunter2" not in str(lines)


def test_too_long_a_body_is_refused_by_its_announced_length_and_by_its_real_one() -> None:
    """Before it is read, and as soon as it has come."""
    house = House()
    huge = {**to(ecs, "RunTask"), "content-length": str(10**12)}
    assert told(house.ask(huge, []))[:2] == (413, "RequestEntityTooLargeException")
    parts = [b" " * 600_000] * 2
    assert told(house.ask(to(ecs, "RunTask"), parts))[:2] == (413, "RequestEntityTooLargeException")


def test_a_mebibyte_of_events_is_taken_however_it_is_escaped() -> None:
    """PutLogEvents counts UTF-8; clients send six bytes for a control character."""
    events = [{"timestamp": 1, "message": "\x1b" * 10_000} for _ in range(100)]
    house = House()
    assert (
        house.json(logs, "PutLogEvents", {"logGroupName": "a", "logStreamName": "b", "logEvents": events}).status == 200
    )
    assert len(house.recorder.request.log_events) == 100


def test_a_web_page_is_not_answered_where_nobody_checks_signatures() -> None:
    """Or a form on any page could open a security group. With signatures on, it has none."""
    body = b"Action=DescribeVpcs&Version=2016-11-15"
    house = House()
    assert told(house.ask({"origin": "http://example.com"}, body))[:2] == (403, "AccessDeniedException")
    assert house.recorder.request is None


@pytest.mark.parametrize(
    "host, is_answered",
    [
        ("localhost", True),
        ("localhost:4566", True),
        ("x.localhost:80", True),
        ("127.0.0.1:4566", True),
        ("[::1]:4566", True),
        ("[::1]", True),
        ("evil.example:4566", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("127.0.0.1,evil.example", False),
        ("", False),
    ],
)
def test_a_name_that_leads_here_by_somebody_elses_dns_is_not_answered_without_signatures(
    host: str, is_answered: bool
) -> None:
    """A page of that name would be of the same origin. With signatures, what is not signed for is refused anyhow."""
    answer = House().ask({"host": host}, b"Action=DescribeVpcs&Version=2016-11-15")
    assert answer.status == (200 if is_answered else 403)


@pytest.mark.parametrize("headers", [{"content-encoding": "gzip"}, {"transfer-encoding": "gzip, chunked"}])
def test_a_compressed_body_is_refused_unread(headers: dict[str, str]) -> None:
    """A kilobyte can be a gigabyte when it is unpacked."""
    house = House()
    assert told(house.ask({**to(ecs, "RunTask"), **headers}, []))[:2] == (415, "UnsupportedMediaTypeException")


def test_json_is_posted() -> None:
    """What a link or an image can ask for is no operation."""
    answer = House().ask(to(ecs, "ListClusters"), b"{}", method="GET")
    assert told(answer)[:2] == (405, "UnknownOperationException")


def test_bodies_share_a_budget() -> None:
    """Who comes when it is used up is told to try again, before his body is kept; it is free again afterwards."""
    house = House()
    with house.application._budget.lease() as lease:
        lease.take(ALL_BODIES_LIMIT - 10)
        assert told(house.ask(to(ecs, "ListClusters"), b" " * 11))[:2] == (503, "ServiceUnavailable")
        assert house.json(ecs, "ListClusters").status == 200
    for _ in range(70):
        assert house.ask(to(ecs, "ListClusters"), b"{}" + b" " * 1_000_000).status == 200


def test_health_needs_no_signature() -> None:
    """And says what the server says of itself."""
    house = House(is_signed=True)
    answer = asyncio.run(ask(house.application, "GET", "/health", "", {}, b""))
    assert (answer.status, json.loads(answer.body)) == (200, {"status": "ok"})
