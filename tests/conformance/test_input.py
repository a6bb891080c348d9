"""What a client sends is what the operation gets: botocore's input cases."""

from __future__ import annotations

import pytest

from conformance.allowed import INPUT
from conformance.cases import Case, Recorder, cases, serve
from conformance.values import to_plain, without_nulls

FILLED_IN = "00000000-0000-4000-8000-000000000000"
"""The idempotency token that a client makes up in these cases."""


@pytest.mark.parametrize("case", list(cases("input")), ids=lambda case: case.id)
def test_input(case: Case) -> None:
    """The bytes of the case arrive as its parameters; a case that is let off must not pass."""
    if case.id in INPUT:
        with pytest.raises((AssertionError, NotImplementedError)):
            check(case)
    else:
        check(case)


def check(case: Case) -> None:
    recorder = Recorder()
    answer = serve(case.module(), recorder, case.said["serialized"])
    assert answer.status == 200, answer.body
    shape = case.operation.input_shape
    wanted = without_nulls(case.said.get("params", {}))
    if shape is None:
        assert recorder.request is None
        assert wanted == {}
        return
    for name, member in shape.members.items():
        if member.metadata.get("idempotencyToken"):
            wanted.setdefault(name, FILLED_IN)
    assert to_plain(shape, recorder.request) == wanted


def test_every_exception_is_a_case() -> None:
    """The allow-list names nothing that is not there."""
    assert set(INPUT) <= {case.id for case in cases("input")}
