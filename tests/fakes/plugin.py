"""
A double of AWS's session-manager-plugin, written from the description of its protocol: it shares no code with ours.

Run as a program it takes the arguments that the aws CLI gives the plugin:

    plugin.py SESSION_JSON REGION StartSession PROFILE PARAMETERS_JSON ENDPOINT

Standard input is sent as it comes, output is shown, and its exit code is 0 when the channel is closed. Without
arguments it says that it is there, which is what the CLI asks first.
"""

from __future__ import annotations

import hashlib
import json
import struct
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

OUTPUT, SIZE, HANDSHAKE_REQUEST, HANDSHAKE_RESPONSE, HANDSHAKE_COMPLETE, FLAG = 1, 3, 5, 6, 7, 10


@dataclass
class Frame:
    """A message as the plugin sees it."""

    type: str
    sequence: int
    payload_type: int
    payload: bytes
    id: str


def write_frame(kind: str, sequence: int, payload_type: int, payload: bytes, flags: int = 0) -> bytes:
    identity = uuid.uuid4().bytes
    return b"".join(
        [
            struct.pack(">I", 116),
            kind.encode().ljust(32, b" "),
            struct.pack(">IQ", 1, int(time.time() * 1000)),
            struct.pack(">qQ", sequence, flags),
            identity[8:] + identity[:8],
            hashlib.sha256(payload).digest(),
            struct.pack(">II", payload_type, len(payload)),
            payload,
        ]
    )


def read_frame(data: bytes) -> Frame:
    (header,) = struct.unpack(">I", data[:4])
    assert header == 116
    payload = data[header + 4 :]
    assert struct.unpack(">I", data[header : header + 4]) == (len(payload),)
    assert data[80:112] == hashlib.sha256(payload).digest()
    identity = data[72:80] + data[64:72]
    return Frame(
        type=data[4:36].rstrip(b" \0").decode(),
        sequence=struct.unpack(">q", data[48:56])[0],
        payload_type=struct.unpack(">I", data[112:116])[0],
        payload=payload,
        id=str(uuid.UUID(bytes=identity)),
    )


class Plugin:
    """One session. The server's messages are checked for what AWS's agent promises."""

    def __init__(self, session: dict[str, str]) -> None:
        found = {key.lower(): value for key, value in session.items()}
        self.session_id = found["sessionid"]
        self._token = found["tokenvalue"]
        self._stack = ExitStack()
        self._socket: ClientConnection = self._stack.enter_context(
            connect(found["streamurl"], max_size=None, proxy=None)
        )
        self._sent = self._expected = 0
        self._lock = threading.Lock()
        self.acknowledged: list[int] = []
        self.session_type = ""
        self.closed_with: str | None = None
        self.largest_payload = 0

    def open(self) -> None:
        """Show the token, and shake hands."""
        self._socket.send(
            json.dumps(
                {
                    "MessageSchemaVersion": "1.0",
                    "RequestId": str(uuid.uuid4()),
                    "TokenValue": self._token,
                    "ClientId": str(uuid.uuid4()),
                    "ClientVersion": "1.2.707.0",
                }
            )
        )
        frame = self._next()
        assert (frame.payload_type, frame.sequence) == (HANDSHAKE_REQUEST, 0)
        request = json.loads(frame.payload)
        assert request["AgentVersion"]
        (action,) = request["RequestedClientActions"]
        assert action["ActionType"] == "SessionType"
        self.session_type = action["ActionParameters"]["SessionType"]
        done = {"ActionType": "SessionType", "ActionStatus": 1, "ActionResult": None, "Error": ""}
        answer = {"ClientVersion": "1.2.707.0", "ProcessedClientActions": [done], "Errors": []}
        self.send(HANDSHAKE_RESPONSE, json.dumps(answer).encode())
        frame = self._next()
        assert frame.payload_type == HANDSHAKE_COMPLETE
        assert json.loads(frame.payload)["HandshakeTimeToComplete"] >= 0

    def send(self, payload_type: int, payload: bytes) -> None:
        with self._lock:
            sequence, self._sent = self._sent, self._sent + 1
            self._socket.send(write_frame("input_stream_data", sequence, payload_type, payload))

    def type(self, text: str) -> None:
        """As the keyboard gives it: a lone line feed is a carriage return."""
        data = text.encode()
        self.send(OUTPUT, b"\r" if data == b"\n" else data)

    def resize(self, columns: int, rows: int) -> None:
        self.send(SIZE, json.dumps({"cols": columns, "rows": rows}).encode())

    def terminate(self) -> None:
        self.send(FLAG, struct.pack(">I", 2))

    def output(self) -> Iterator[bytes]:
        """What is shown, until the channel is closed."""
        while (frame := self._next()).type != "channel_closed":
            assert frame.payload_type == OUTPUT, f"a terminal shows payload {frame.payload_type} as it is"
            yield frame.payload
        closed: dict[str, Any] = json.loads(frame.payload)
        assert closed["SessionId"] == self.session_id
        self.closed_with = closed["Output"]

    def see(self, wanted: bytes) -> bytes:
        """Everything up to and with `wanted`."""
        seen = b""
        for data in self.output():
            seen += data
            if wanted in seen:
                return seen
        raise AssertionError(f"closed with {self.closed_with!r} before {wanted!r}: {seen!r}")

    def send_raw(self, frame: bytes) -> None:
        """What no plugin sends."""
        self._socket.send(frame)

    def wait_closed(self) -> None:
        """Until the server has closed the connection."""
        with suppress(ConnectionClosed):
            while True:
                self._socket.recv(timeout=30)

    def close(self) -> None:
        self._stack.close()

    def _next(self) -> Frame:
        """The next message of the stream, or the end; acknowledged, in order, each once."""
        while True:
            data = self._socket.recv(timeout=30)
            assert isinstance(data, bytes)
            frame = read_frame(data)
            if frame.type == "acknowledge":
                content = json.loads(frame.payload)
                assert content["AcknowledgedMessageType"] == "input_stream_data"
                self.acknowledged.append(content["AcknowledgedMessageSequenceNumber"])
                continue
            if frame.type == "channel_closed":
                return frame
            assert frame.type == "output_stream_data"
            content = {
                "AcknowledgedMessageType": frame.type,
                "AcknowledgedMessageId": frame.id,
                "AcknowledgedMessageSequenceNumber": frame.sequence,
                "IsSequentialMessage": True,
            }
            self._socket.send(write_frame("acknowledge", 0, 0, json.dumps(content).encode(), flags=3))
            if frame.sequence == self._expected:
                self._expected += 1
                self.largest_payload = max(self.largest_payload, len(frame.payload))
                return frame


def main(arguments: list[str]) -> int:
    if not arguments:
        print("The double of the Session Manager plugin is here.")
        return 0
    session, _, operation, _, parameters, _ = arguments
    assert operation == "StartSession"
    assert json.loads(parameters)["Target"].startswith("ecs:")
    plugin = Plugin(json.loads(session))
    plugin.open()
    plugin.resize(100, 40)

    def type_all() -> None:
        for line in sys.stdin:
            plugin.type(line.replace("\n", "\r"))

    threading.Thread(target=type_all, daemon=True).start()
    for data in plugin.output():
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    print(plugin.closed_with or f"\n\nExiting session with sessionId: {plugin.session_id}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
