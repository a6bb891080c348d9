"""How a session begins: the agent says what kind it is, the client that it knows such, the agent that it begins."""

from __future__ import annotations

from typing import Any, Literal

from tidegate.channel.payloads import Payload

AGENT_VERSION = "3.2.0.0"
"""Of the agent whose protocol this is: clients choose by it what they do."""
SessionType = Literal["InteractiveCommands", "NonInteractiveCommands"]


class RequestedAction(Payload, frozen=True, kw_only=True):
    """What the agent wants of the client before it begins."""

    action_type: str
    action_parameters: dict[str, Any]


class HandshakeRequest(Payload, frozen=True, kw_only=True):
    """The agent's first message."""

    agent_version: str
    requested_client_actions: tuple[RequestedAction, ...]


class ProcessedAction(Payload, frozen=True, kw_only=True):
    """What became of an action. action_status: 1 done, 2 failed, 3 not supported."""

    action_type: str = ""
    action_status: int = 0
    action_result: Any = None
    error: str = ""


class HandshakeResponse(Payload, frozen=True, kw_only=True):
    """The client's answer."""

    client_version: str = ""
    processed_client_actions: tuple[ProcessedAction, ...] | None = ()
    errors: tuple[str, ...] | None = ()


class HandshakeComplete(Payload, frozen=True, kw_only=True):
    """The agent begins. handshake_time_to_complete: nanoseconds. customer_message: shown to the user."""

    handshake_time_to_complete: int = 0
    customer_message: str = ""


def plan_handshake(kind: SessionType) -> HandshakeRequest:
    """Tells the client which kind of session it is in; properties as the agent sends them for a command."""
    parameters: dict[str, Any] = {"SessionType": kind, "Properties": {}}
    action = RequestedAction(action_type="SessionType", action_parameters=parameters)
    return HandshakeRequest(agent_version=AGENT_VERSION, requested_client_actions=(action,))
