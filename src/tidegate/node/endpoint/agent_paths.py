"""
`/api/<id>/...`: what the agent does for a task: its protection, and the faults that it may inject into itself.

Faults need `enableFaultInjection`, which registration refuses; so every request for one is told that it is off.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tidegate.node.endpoint.answers import NOT_ALLOWED, NOT_FOUND, Answer
from tidegate.node.endpoint.facts import TaskFacts
from tidegate.node.endpoint.protection import ProtectionApi

_FAULTS = frozenset({"network-blackhole-port", "network-latency", "network-packet-loss"})
_VERBS = frozenset({"start", "stop", "status"})


class AgentPaths:
    """Answers by what is below `/api/<id>`."""

    def __init__(self, protection: ProtectionApi) -> None:
        self._protection = protection

    async def answer(
        self,
        method: str,
        facts: TaskFacts | None,
        runtime_id: str,
        rest: tuple[str, ...],
        read_body: Callable[[], Awaitable[bytes]],
    ) -> Answer:
        """A call about the calling task; an id that is not one of its containers' is unknown."""
        own = facts if facts is not None and facts.find(runtime_id) is not None else None
        match rest:
            case ("task-protection", "v1", "state"):
                return await self._protect(method, own, read_body)
            case ("fault", "v1", fault, verb) if fault in _FAULTS and verb in _VERBS:
                return _refuse_fault(method, own, runtime_id)
        return NOT_FOUND

    async def _protect(self, method: str, own: TaskFacts | None, read_body: Callable[[], Awaitable[bytes]]) -> Answer:
        if method not in ("GET", "PUT"):
            return NOT_ALLOWED
        if own is None:
            message = "Failed to find a task for the request"
            error = {"Arn": "", "Code": "ResourceNotFoundException", "Message": message}
            return Answer({"error": error}, 404)
        if method == "PUT":
            status, body = await self._protection.put(own.spec, await read_body())
        else:
            status, body = await self._protection.get(own.spec)
        return Answer(body, status)


def _refuse_fault(method: str, own: TaskFacts | None, runtime_id: str) -> Answer:
    if method != "POST":
        return NOT_ALLOWED
    if own is None:
        return Answer({"Error": f"unable to lookup container: {runtime_id}"}, 404)
    return Answer({"Error": f"enableFaultInjection is not enabled for task: {own.spec.arn}"}, 400)
