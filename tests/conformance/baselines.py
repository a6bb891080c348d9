"""
What conformance has come to, written down: a test fails if a figure falls.

    PYTHONPATH=src:tests:tools python -m conformance.baselines       write them anew, after they have risen
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.bad_calls.collection import SEEDS, BadCall, bad_calls
from conformance.bad_calls.world import World, make_world
from fakes.served import APIS, Reply, Served

DIRECTORY = Path(__file__).parent / "baselines"
OF_THE_WIRE = {"SerializationException", "InvalidParameterException", "ValidationException", "AccessDeniedException"}
"""Errors that AWS's JSON services answer with whatever the operation."""
UNMODELLED = {
    "ec2": None,
    "iam": {"ValidationError"},
    "ssm": {"TooManyTagsError"},
    "sts": {"ValidationError", "AccessDenied"},
}
"""Errors that a service has and its model does not name for the operation; None: its model names none."""


@dataclass(slots=True)
class Figures:
    """Of one service."""

    made: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    texts: set[str] = field(default_factory=set)
    """AWS's, as they are known, that were told."""
    complaints: list[str] = field(default_factory=list)
    """What must not be: faults of the server's, writes of a refused call, errors that are not the operation's."""

    @property
    def operations(self) -> dict[str, dict[str, int]]:
        return {name: {"bad": count, "rejected": self.rejected[name]} for name, count in sorted(self.made.items())}


async def measure(service: str, directory: Path) -> Figures:
    """All bad calls of a service against a world that is put right again after each that is taken."""
    world = await make_world(Served(directory))
    restore = world.served.keep()
    modelled = {o.name: {error.code for error in o.errors} for o in APIS[service].OPERATIONS}
    figures = Figures()
    for call in bad_calls(world, service):
        before = world.served.revision
        reply = await world.served.send(service, call.operation, call.body)
        figures.made[call.operation] += 1
        if 400 <= reply.status < 500:
            figures.rejected[call.operation] += 1
        figures.complaints += _complaints(world, call, reply, modelled[call.operation], before)
        if call.fault is not None and call.fault.text is not None and call.fault.is_told(reply.message):
            figures.texts.add(call.fault.text)
        if world.served.revision != before:
            restore()
    return figures


def _complaints(world: World, call: BadCall, reply: Reply, modelled: set[str], before: int) -> list[str]:
    found: list[str] = []
    if reply.status >= 500:
        found.append(f"{call.name}: a fault of the server's: {reply.message}")
    if reply.status == 200:
        return found
    if world.served.revision != before:
        found.append(f"{call.name}: refused, and something was written")
    if call.code not in ("*", reply.code):
        found.append(f"{call.name}: {reply.code} ({reply.message[:200]}) in place of {call.code}")
    elif call.fault is not None and not call.fault.is_told(reply.message):
        found.append(f"{call.name}: `{reply.message[:200]}` in place of `{call.fault.text}`")
    unmodelled = UNMODELLED.get(call.service, set())
    if unmodelled is not None and reply.code not in modelled | OF_THE_WIRE | unmodelled:
        found.append(f"{call.name}: {reply.code} is no error of {call.operation}")
    return found


def read(name: str) -> Any:
    """A baseline."""
    return json.loads((DIRECTORY / f"{name}.json").read_text())


def main(services: Sequence[str] = tuple(SEEDS)) -> None:
    """Write every baseline."""
    calls, texts = {}, set()
    for service in services:
        with tempfile.TemporaryDirectory() as directory:
            figures = asyncio.run(measure(service, Path(directory)))
        calls[service] = figures.operations
        texts |= figures.texts
        made, rejected = figures.made.total(), figures.rejected.total()
        print(f"{service}: {rejected} of {made} bad calls rejected; {len(figures.complaints)} complaints")
        print("\n".join(figures.complaints[:20]))
    DIRECTORY.mkdir(exist_ok=True)
    for name, value in (("bad_calls", calls), ("texts", sorted(texts))):
        (DIRECTORY / f"{name}.json").write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
