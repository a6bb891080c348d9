"""Event streams as botocore reads them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from tidegate.api import logs
from tidegate.wire.eventstream import JsonEvents, write_message
from tidegate.wire.validation import WireError

(OPERATION,) = (operation for operation in logs.OPERATIONS if operation.name == "StartLiveTail")


def read(data: bytes) -> list[tuple[dict[str, str], bytes]]:
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    return [(message.headers, message.payload) for message in buffer]


@given(
    messages=st.lists(
        st.tuples(st.dictionaries(st.text("abc:-é", min_size=1, max_size=20), st.text(max_size=300)), st.binary())
    )
)
def test_messages_are_read_back(messages: list[tuple[dict[str, str], bytes]]):
    """Headers and payload, whatever they hold; checksums and lengths are right."""
    assert read(b"".join(write_message(headers, payload) for headers, payload in messages)) == messages


def test_events_and_errors():
    """The first message is the answer's rest; events are named by the member that is set; errors end the stream."""
    writer = JsonEvents()
    event = logs.StartLiveTailResponseStream(
        session_update=logs.LiveTailSessionUpdate(
            session_metadata=logs.LiveTailSessionMetadata(sampled=False), session_results=()
        )
    )
    found: list[Any] = read(
        writer.opening(OPERATION, "id")
        + writer.event(OPERATION, event)
        + writer.error(logs.SessionTimeoutException("over"))
        + writer.error(WireError("InternalFailure", "é" * 5000, 500))
    )
    kinds = [headers.get(":event-type") or headers.get(":exception-type") for headers, _ in found]
    assert kinds == ["initial-response", "sessionUpdate", "SessionTimeoutException", None]
    assert json.loads(found[1][1]) == {"sessionMetadata": {"sampled": False}, "sessionResults": []}
    assert json.loads(found[2][1]) == {"message": "over"}
    assert found[3][0][":error-code"] == "InternalFailure"
    assert [headers[":message-type"] for headers, _ in found] == ["event", "event", "exception", "error"]


def test_an_event_needs_a_member():
    """An empty union is a mistake of ours."""
    with pytest.raises(ValueError, match="no member"):
        JsonEvents().event(OPERATION, logs.StartLiveTailResponseStream())
