"""Whatever bytes come, the answer is the client's error or a success: never a fault of ours, never silence."""

from __future__ import annotations

import asyncio
import json
from types import ModuleType
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.cases import Recorder
from fakes.http import Answer, ask
from tidegate.api import ec2, ecs, logs, sts
from tidegate.wire.app import Application
from tidegate.wire.authentication import Identity
from tidegate.wire.routing import serve_with

JSON_OPERATIONS = [(api, operation.name) for api in (ecs, logs) for operation in api.OPERATIONS]
FORM_OPERATIONS = [(api, operation.name) for api in (ec2, sts) for operation in api.OPERATIONS]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""How busy the machine is decides nothing."""


def answer(method: str, query: str, headers: dict[str, str], body: bytes) -> Answer:
    services = [serve_with(api, Recorder()) for api in (ecs, logs, ec2, sts)]
    application = Application(services, Identity("123456789012", "eu-north-1"), None, dict, tells_successes=False)
    return asyncio.run(ask(application, method, "/", query, headers, body))


def check(found: Answer) -> None:
    assert found.status in (200, 400, 403, 405, 413, 415), found.body
    assert found.headers["x-amzn-requestid"]


def target(api: ModuleType, operation: str) -> dict[str, str]:
    return {"x-amz-target": f"{api.TARGET_PREFIX}.{operation}"}


@PATIENT
@given(operation=st.sampled_from(JSON_OPERATIONS), body=st.binary(max_size=200))
def test_any_bytes_as_json(operation: tuple[ModuleType, str], body: bytes) -> None:
    """For any operation."""
    check(answer("POST", "", target(*operation), body))


@PATIENT
@given(data=st.data(), operation=st.sampled_from(JSON_OPERATIONS))
def test_members_of_any_value(data: st.DataObject, operation: tuple[ModuleType, str]) -> None:
    """Members that the operation has, with what no client would send."""
    api, name = operation
    (shape,) = (row.request for row in api.OPERATIONS if row.name == name)
    names = list(shape.__struct_encode_fields__) or ["none"]
    body: dict[str, Any] = data.draw(st.dictionaries(st.sampled_from(names), VALUES, max_size=5))
    check(answer("POST", "", target(api, name), json.dumps(body).encode()))


@PATIENT
@given(operation=st.sampled_from(FORM_OPERATIONS), tail=st.binary(max_size=200))
def test_any_bytes_as_a_form(operation: tuple[ModuleType, str], tail: bytes) -> None:
    """After the action, which alone is as it should be."""
    api, name = operation
    check(answer("POST", "", {}, f"Action={name}&Version={api.VERSION}&".encode() + tail))


@PATIENT
@given(data=st.data(), operation=st.sampled_from(FORM_OPERATIONS))
def test_parameters_of_any_value(data: st.DataObject, operation: tuple[ModuleType, str]) -> None:
    """Names that the operation has, numbered and not, with any text."""
    api, name = operation
    (shape,) = (row.request for row in api.OPERATIONS if row.name == name)
    names = [member.request for member in api.MEMBERS[shape.__name__]] or ["None"]
    step = st.sampled_from([*names, "Name", "Value", "Key", "0", "1", "01", "x", "", "member", "entry"])
    pairs = data.draw(
        st.lists(st.tuples(st.lists(step, min_size=1, max_size=4).map(".".join), st.text(max_size=8)), max_size=5)
    )
    form = urlencode([("Action", name), ("Version", api.VERSION), *pairs])
    check(answer("POST", "", {}, form.encode()))
    check(answer("GET", form, {}, b""))


@PATIENT
@given(
    query=st.text(st.characters(max_codepoint=127), max_size=100),
    headers=st.dictionaries(
        st.sampled_from(
            [
                "x-amz-target",
                "authorization",
                "content-type",
                "x-amz-date",
                "host",
                "content-length",
                "content-encoding",
                "transfer-encoding",
            ]
        ),
        st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=60),
    ),
)
def test_any_query_and_headers(query: str, headers: dict[str, str]) -> None:
    """Of a request without a body."""
    check(answer("GET", query, headers, b""))


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"overrides":', b'{"x":[{"y":['])
def test_a_deep_body(opening: bytes) -> None:
    """Half a mebibyte of opening brackets."""
    check(answer("POST", "", target(ecs, "RunTask"), opening * (500_000 // len(opening))))


def test_a_key_that_is_given_twice() -> None:
    """The last one counts, for every reader: there is only one."""
    body = b'{"clusterName": "a", "clusterName": "b", "clusterName": 5}'
    check(answer("POST", "", target(ecs, "CreateCluster"), body))
