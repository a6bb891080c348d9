"""
What is being said of one task: the observation in the making, journalled before it is published.

Everything that a run of a task finds out goes through here, so that the last observation on disk is never older
than the last one that anybody saw.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import msgspec
import structlog

from tidegate.model.spec import TaskSpec
from tidegate.model.status import ContainerStatus, LastStatus, Observation, Phase, StopCode
from tidegate.node.agent.journal import Journal

log = structlog.get_logger()

RETRY_SECONDS = 1.0
"""How soon a journal that could not be written is tried again."""
REASON_LIMIT = 1024
"""ECS cuts a container's reason after so many characters."""


class TaskRecord:
    """The observation of one task, and the journal behind it."""

    def __init__(
        self,
        spec: TaskSpec,
        journal: Journal,
        publish: Callable[[Observation], None],
        now: Callable[[], float],
        boot: str,
    ) -> None:
        self.journal = journal
        self._boot = boot
        self._publish = publish
        self._now = now
        self.observation = journal.read_observation() or Observation(
            task=spec.id,
            revision=0,
            last_status=LastStatus.PENDING,
            containers=tuple(
                ContainerStatus(name=c.name, has_health_check=c.health_check is not None) for c in spec.containers
            ),
        )
        self.is_of_an_earlier_boot = self.observation.boot not in ("", boot)
        """The host was restarted since this was said; nothing of the task runs any more."""
        self.phases: list[Phase] = list(self.observation.timeline)
        self.is_behind = False
        """The journal could not be written; nobody has been told what was said since."""
        self.has_news = False
        """Something was noted that is to be said before the run waits, if nothing else is said by then."""

    def container(self, name: str) -> ContainerStatus:
        """What is known of a container."""
        return next(c for c in self.observation.containers if c.name == name)

    def say(self, **changes: Any) -> None:
        """
        Change members of the observation, and publish it.

        If the disk is full the task goes on, and the publishing is left to `flush`.
        """
        status = changes.get("last_status")
        if status is not None and status.rank < self.observation.last_status.rank:
            del changes["last_status"]
        self.observation = msgspec.structs.replace(
            self.observation,
            revision=self.observation.revision + 1,
            boot=self._boot,
            timeline=tuple(self.phases),
            **changes,
        )
        self.has_news = False
        self._tell()

    def flush(self) -> None:
        """Try again to say what could not be said."""
        if self.is_behind:
            self._tell()

    async def settle(self) -> None:
        """Wait until all has been said."""
        while self.is_behind:
            await anyio.sleep(RETRY_SECONDS)
            self.flush()

    def _tell(self) -> None:
        try:
            self.journal.write_observation(self.observation)
        except OSError as error:
            if not self.is_behind:
                log.error("cannot write a task's journal; trying again", task=self.observation.task, why=str(error))
            self.is_behind = True
            return
        self.is_behind = False
        self._publish(self.observation)

    def note(self, **changes: Any) -> None:
        """Change members of the observation, and leave the publishing to what is said next."""
        self.observation = msgspec.structs.replace(self.observation, **changes)

    def say_container(self, name: str, *, quietly: bool = False, **changes: Any) -> None:
        """Change members of a container's status; `quietly` leaves the publishing to what is said next."""
        if "reason" in changes:
            changes["reason"] = changes["reason"][:REASON_LIMIT]
        containers = tuple(
            msgspec.structs.replace(c, **changes) if c.name == name else c for c in self.observation.containers
        )
        if quietly:
            self.note(containers=containers)
        else:
            self.say(containers=containers)

    def blame(self, code: StopCode, reason: str) -> None:
        """Note why the task stops; the first to say so is right."""
        if self.observation.stop_code is None:
            self.note(stop_code=code, stopped_reason=reason[:REASON_LIMIT])

    @asynccontextmanager
    async def phase(self, name: str) -> AsyncIterator[None]:
        """Time a piece of the launch."""
        began = self._now()
        try:
            yield
        finally:
            self.phases.append(Phase(name=name, started_at=began, milliseconds=round((self._now() - began) * 1000, 3)))
