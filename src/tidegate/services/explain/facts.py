"""What is known of a task, put together for the rules; and what a rule is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from tidegate.api import ecs
from tidegate.model.blackbox import BlackBox, ContainerBox, Memory
from tidegate.model.status import ContainerStatus, TaskStatus
from tidegate.model.task import Task

LAST_LINES = 8
"""Of a container's output, as evidence."""


@dataclass(frozen=True)
class Explanation:
    """
    headline: one line. cause: what happened, in plain words. evidence: what shows it. remedies: what to do about it.

    is_problem: something is wrong, or went wrong.
    """

    rule: str
    headline: str
    cause: str
    evidence: tuple[str, ...] = ()
    remedies: tuple[str, ...] = ()
    is_problem: bool = True


@dataclass(frozen=True)
class ContainerFacts:
    """One container: what was asked for, what is said of it, what is kept of it."""

    name: str
    definition: ecs.ContainerDefinition
    status: ContainerStatus
    box: ContainerBox

    @property
    def is_essential(self) -> bool:
        """Its end is the task's."""
        return self.definition.essential is not False

    @property
    def has_failed(self) -> bool:
        """It has ended, and not well."""
        return self.status.state == "STOPPED" and self.status.exit_code not in (None, 0)

    @property
    def has_ended(self) -> bool:
        """It ran, and runs no more."""
        return self.status.state == "STOPPED" and self.status.exit_code is not None

    @property
    def last_lines(self) -> tuple[str, ...]:
        """The end of what it wrote."""
        return tuple(line.text for line in self.box.log if line.text.strip())[-LAST_LINES:]

    def says(self, *words: str) -> str:
        """The last line with one of the words in it, whatever the case; empty if there is none."""
        for line in reversed(self.box.log):
            if any(word in line.text.lower() for word in words):
                return line.text.strip()
        return ""


@dataclass(frozen=True)
class Facts:
    """All that the rules go by. box: None where the engine knows nothing of the task."""

    task: Task
    definition: ecs.TaskDefinition
    box: BlackBox | None
    now: float

    @property
    def status(self) -> TaskStatus:
        """Of the task."""
        return self.task.status

    @property
    def id(self) -> str:
        """As commands take it."""
        return self.task.id[:12]

    @property
    def reason(self) -> str:
        """The task's stopped reason."""
        return self.status.stopped_reason

    @cached_property
    def containers(self) -> tuple[ContainerFacts, ...]:
        """In the order of the definition."""
        statuses: Mapping[str, ContainerStatus] = {c.name: c for c in self.status.containers}
        boxes = {c.name: c for c in self.box.containers} if self.box is not None else {}
        return tuple(
            ContainerFacts(
                name=name,
                definition=definition,
                status=statuses.get(name, ContainerStatus(name=name)),
                box=boxes.get(name, ContainerBox(name=name)),
            )
            for definition in self.definition.container_definitions or ()
            for name in [definition.name or ""]
        )

    @cached_property
    def culprit(self) -> ContainerFacts | None:
        """Whose end was the task's: of the essential containers that ended, the one that did so first."""
        ended = [c for c in self.containers if c.is_essential and c.has_ended]
        return min(ended, key=lambda c: c.status.finished_at or 0, default=None)

    @cached_property
    def all_reasons(self) -> str:
        """What is said of the task and of its containers, one a line."""
        return "\n".join(dict.fromkeys([self.reason, *(c.status.reason for c in self.containers)])).strip()

    @property
    def memory(self) -> Memory:
        """Of the task as a whole."""
        return self.box.memory if self.box is not None else Memory()


@dataclass(frozen=True)
class Rule:
    """A row of the tables. explain: None where it turns out that the rule does not apply."""

    name: str
    applies: Callable[[Facts], bool]
    explain: Callable[[Facts], Explanation | None] = field(repr=False)


def span(seconds: float) -> str:
    """For people: 0.4 s, 12 s, 3 min, 2 h."""
    if seconds < 10:
        return f"{max(seconds, 0):.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def output_evidence(container: ContainerFacts) -> tuple[str, ...]:
    """The end of what it wrote, marked as such."""
    lines = container.last_lines
    if not lines:
        return (f"{container.name} wrote nothing",)
    return (f"the last that {container.name} wrote:", *(f"  {line[:300]}" for line in lines))


def probe_evidence(container: ContainerFacts) -> tuple[str, ...]:
    """What the last health check came to."""
    if not container.box.probes:
        return ()
    last = container.box.probes[-1]
    how = "did not end in time" if last.code is None else f"exited with {last.code}"
    said = [f"  {line[:300]}" for line in last.output.strip().splitlines()[-LAST_LINES:]]
    return (f"its last health check {how}{', and said:' if said else ' and said nothing'}", *said)
