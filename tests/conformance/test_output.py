"""What an operation answers is what botocore reads: botocore's output cases."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.model import StructureShape
from botocore.parsers import create_parser

from conformance.allowed import OUTPUT
from conformance.cases import Case, Recorder, cases, serve
from conformance.values import to_typed, without_nulls
from fakes.http import Answer
from tidegate.api.shape import ServiceError


@pytest.mark.parametrize("case", list(cases("output")), ids=lambda case: case.id)
def test_output(case: Case) -> None:
    """botocore's parser reads the case's result from our bytes; a case that is let off must not pass."""
    if case.id in OUTPUT:
        with pytest.raises((AssertionError, NotImplementedError)):
            check(case)
    else:
        check(case)


def check(case: Case) -> None:
    if "error" in case.said or "errorCode" in case.said:
        check_error(case)
        return
    module, shape = case.module(), case.operation.output_shape
    result = without_nulls(case.said.get("result", {}))
    answer = serve(module, Recorder(None if shape is None else to_typed(shape, result, module)), request(case))
    assert answer.status == 200, answer.body
    parsed = parse(case, answer, shape)
    assert parsed.pop("ResponseMetadata")["RequestId"] == answer.headers["x-amzn-requestid"]
    assert comparable(parsed) == comparable(result)


def check_error(case: Case) -> None:
    module, said = case.module(), case.said
    (shape,) = (s for s in case.operation.error_shapes if s.name == said["given"]["errors"][0]["shape"])
    members = to_typed_members(shape, said.get("error", {}), module)
    error = getattr(module, shape.name)(said.get("errorMessage", ""), **members)
    assert isinstance(error, ServiceError)
    answer = serve(module, Recorder(error), request(case))
    assert answer.status == said["response"]["status_code"]
    found = parse(case, answer, case.operation.output_shape)["Error"]
    assert (found["Code"], found["Message"] or "") == (said["errorCode"], said.get("errorMessage", ""))
    parsed = parse(case, answer, shape)
    read = {name: parsed[name] for name in shape.members if name.lower() != "message" and name in parsed}
    assert comparable(read) == comparable({k: v for k, v in said.get("error", {}).items() if k.lower() != "message"})


def to_typed_members(shape: StructureShape, said: dict[str, Any], module: Any) -> dict[str, Any]:
    return {
        member.serialization.get("name", name): to_typed(member, said[name], module)
        for name, member in shape.members.items()
        if name in said and name.lower() != "message"
    }


def request(case: Case) -> dict[str, Any]:
    """A request without parameters for the case's operation."""
    metadata = case.model.metadata
    body = "" if metadata["protocol"] == "json" else f"Action={case.operation.name}&Version={metadata['apiVersion']}"
    return {"method": "POST", "uri": "/", "body": body}


def parse(case: Case, answer: Answer, shape: StructureShape | None) -> dict[str, Any]:
    parser = create_parser(case.model.metadata["protocol"])
    response = {"status_code": answer.status, "headers": answer.headers, "body": answer.body}
    parsed: dict[str, Any] = parser.parse(response, shape)
    return parsed


def comparable(value: Any) -> Any:
    """Text of bytes, seconds of times, names of NaN and the infinities."""
    if isinstance(value, dict):
        return {key: comparable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [comparable(item) for item in value]
    if isinstance(value, bytes):
        return value.decode()
    if hasattr(value, "timestamp"):
        return value.timestamp()
    if isinstance(value, float) and json.dumps(value) in ("NaN", "Infinity", "-Infinity"):
        return json.dumps(value)
    return value


def test_every_exception_is_a_case() -> None:
    """The allow-list names nothing that is not there."""
    assert set(OUTPUT) <= {case.id for case in cases("output")}
