"""
The paths of metadata and statistics: versions 4 and 3 by a container's id, version 2 by where the call comes from.

An id that is not one of the calling task's containers is unknown, whether another task has it or nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import structlog

from tidegate.kernel.clock import ClockState, read_clock
from tidegate.model.spec import ContainerSpec
from tidegate.node.endpoint.answers import NOT_FOUND, Answer
from tidegate.node.endpoint.facts import Storage, Tags, TaskFacts
from tidegate.node.endpoint.metadata import Surroundings, as_v3, render_container, render_task
from tidegate.node.endpoint.sampling import Sampler
from tidegate.node.endpoint.statistics import render_statistics

log = structlog.get_logger()

_KINDS = {
    (): "container metadata",
    ("stats",): "container stats",
    ("task",): "task metadata",
    ("taskWithTags",): "task metadata",
    ("task", "stats"): "task stats",
}


class MetadataPaths:
    """Answers by what is below `/v4/<id>`, `/v3/<id>` and `/v2`. now: seconds since the epoch."""

    def __init__(
        self,
        sampler: Sampler,
        tags: Tags,
        surroundings: Surroundings,
        now: Callable[[], float],
        storage: Storage | None = None,
    ) -> None:
        self._sampler = sampler
        self._tags = tags
        self._surroundings = surroundings
        self._now = now
        self._storage = storage

    async def by_id(self, version: str, facts: TaskFacts | None, runtime_id: str, rest: tuple[str, ...]) -> Answer:
        """`/v4/<id>/...` and `/v3/<id>/...`."""
        kind = _KINDS.get(rest)
        if kind is None:
            return NOT_FOUND
        container = facts.find(runtime_id) if facts is not None else None
        if facts is None or container is None:
            return Answer(_unknown(version, kind, runtime_id), 404)
        if kind == "container stats":
            return Answer(await self._statistics_of(facts, container))
        if kind == "task stats":
            return Answer(await self._all_statistics(facts))
        if kind == "container metadata":
            answer = render_container(facts, container, self._surroundings)
        else:
            answer = self._task(facts, with_tags=rest == ("taskWithTags",))
        return Answer(answer if version == "v4" else as_v3(answer))

    async def by_address(self, facts: TaskFacts | None, address: str, kind: str, runtime_id: str | None) -> Answer:
        """`/v2/metadata` and `/v2/stats`, of the task or of one of its containers."""
        if facts is None:
            why = f"unable to associate '{address}' with task"
            return Answer(f"V2 task {kind} handler: unable to get task arn from request: {why}", 404)
        if runtime_id is not None:
            rest = () if kind == "metadata" else ("stats",)
            return await self.by_id("v2", facts, runtime_id, rest)
        return Answer(as_v3(self._task(facts)) if kind == "metadata" else await self._all_statistics(facts))

    def _task(self, facts: TaskFacts, *, with_tags: bool = False) -> dict[str, Any]:
        storage = self._storage.use_of(facts.spec.id) if self._storage is not None else None
        answer = render_task(facts, self._surroundings, _clock(), self._now(), storage)
        tags = self._tags.of_task(facts.spec.id) if with_tags else {}
        return answer | ({"TaskTags": dict(tags)} if tags else {})

    async def _statistics_of(self, facts: TaskFacts, container: ContainerSpec) -> Any:
        return (await self._all_statistics(facts))[facts.spec.runtime_id(container.name)]

    async def _all_statistics(self, facts: TaskFacts) -> Mapping[str, Any]:
        """By id; None for a container without two readings: it does not run, or has not for a second."""
        names = tuple(container.name for container in facts.spec.containers)
        pairs = await self._sampler.pairs(facts.spec.id, names)
        ids = {name: facts.spec.runtime_id(name) for name in names}
        return {
            ids[name]: render_statistics(name, ids[name], *pair) if pair is not None else None
            for name, pair in pairs.items()
        }


def _unknown(version: str, kind: str, runtime_id: str) -> str:
    what = "task arn" if kind.startswith("task") else "container ID"
    found = "task Arn" if kind.startswith("task") else "docker ID"
    return (
        f"{version.upper()} {kind} handler: unable to get {what} from request: "
        f"unable to get {found} from v3 endpoint ID: {runtime_id}"
    )


def _clock() -> ClockState | None:
    try:
        return read_clock()
    except OSError as error:
        log.warning("metadata is told without the clock's drift", why=str(error))
        return None
