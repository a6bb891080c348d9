"""What the allow-list says of the models that we serve."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.model import ListShape, OperationModel, ServiceModel, Shape, StructureShape

from apigen.render import QUERY_PROTOCOLS
from apigen.shapes import reachable
from generate_api import describe, served

MODELS = {name: ServiceModel(describe(name)[0], name) for name in served()}


def operations(service: str) -> Iterator[OperationModel]:
    model = MODELS[service]
    for name in served()[service] or model.operation_names:
        yield model.operation_model(name)


def references(service: str) -> Iterator[Shape]:
    """Members and items; a reference may say more than the shape that it refers to."""
    for operation in operations(service):
        for shape in reachable(iter([operation.input_shape, operation.output_shape])):
            if isinstance(shape, StructureShape):
                yield from shape.members.values()
            elif isinstance(shape, ListShape):
                yield shape.member


def is_xml(service: str) -> bool:
    return MODELS[service].metadata["protocol"] in QUERY_PROTOCOLS


@pytest.mark.parametrize("service", [name for name in MODELS if not is_xml(name)])
def test_times_in_json_are_seconds_since_the_epoch(service: str) -> None:
    """No member has another format; nor does the service answer with codes of an older protocol."""
    formats = {shape.serialization.get("timestampFormat", "unixTimestamp") for shape in references(service)}
    assert formats <= {"unixTimestamp"}
    assert "awsQueryCompatible" not in MODELS[service].metadata


@pytest.mark.parametrize("service", [name for name in MODELS if not is_xml(name)])
def test_no_request_in_json_has_a_number_that_may_be_infinite(service: str) -> None:
    """No member of a request is a float or double."""
    for operation in operations(service):
        assert {s.type_name for s in reachable(iter([operation.input_shape]))}.isdisjoint({"float", "double"})


@pytest.mark.parametrize("service", [name for name in MODELS if is_xml(name)])
def test_lists_and_errors_in_xml_are_plain(service: str) -> None:
    """No list is flattened; no error has members beside its message; no operation asks for compression."""
    assert not any(shape.serialization.get("flattened") for shape in references(service))
    for operation in operations(service):
        for error in operation.error_shapes:
            assert {name.lower() for name in error.members} <= {"message"}


@pytest.mark.parametrize("service", MODELS)
def test_no_operation_asks_for_a_compressed_body(service: str) -> None:
    """requestcompression is on none of them."""
    described = describe(service)[0]["operations"]
    assert not any("requestcompression" in described[operation.name] for operation in operations(service))


def test_members_of_ec2_requests_begin_with_a_capital() -> None:
    """So the capital that the protocol asks for changes no name that botocore sends."""
    for operation in operations("ec2"):
        for shape in reachable(iter([operation.input_shape])):
            if isinstance(shape, StructureShape):
                plain = [n for n, m in shape.members.items() if not {"name", "queryName"} & set(m.serialization)]
                assert [name for name in plain if not name[0].isupper()] == []
