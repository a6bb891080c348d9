"""
What to do next with the containers of a task: a pure function of its specification, their states and now.

The rules are ECS's (developer guide, "Container dependency" and the agent's dependency graph): a container starts
when each of its dependencies has reached the condition named; one whose dependency can never get there will not
start at all; an essential container that has stopped stops the task; and in a task that stops, a container is
stopped only when every container that depends on it has stopped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from tidegate.model.spec import ContainerSpec, Dependency, TaskSpec
from tidegate.model.status import Health
from tidegate.node.agent.restart import should_restart

DEPENDENCY_EXIT_CODE = 143
"""What ECS reports for a container that could not start because of another."""


class Stage(Enum):
    """How far a container has come."""

    WAITING = auto()
    """Not begun; its image may be on the way."""
    STARTING = auto()
    RUNNING = auto()
    STOPPING = auto()
    EXITED = auto()
    """It has ended; whether it is started again is to be decided."""
    STOPPED = auto()


@dataclass(frozen=True, slots=True)
class Known:
    """What the rules need to know of one container."""

    stage: Stage = Stage.WAITING
    image_ready: bool = False
    exit_code: int | None = None
    has_run: bool = False
    health: Health = "UNKNOWN"
    started_at: float | None = None
    """For the first time: what others wait for is counted from there."""
    ran_seconds: float = 0.0
    """Of one that has exited: since it was last started."""


@dataclass(frozen=True, slots=True)
class Start:
    """Create and start the container."""

    container: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Signal the container, and kill it when its stop timeout has passed."""

    container: str


@dataclass(frozen=True, slots=True)
class Restart:
    """Start the container, which has exited, again."""

    container: str


@dataclass(frozen=True, slots=True)
class Finish:
    """The container's exit is final."""

    container: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The container will never start."""

    container: str
    exit_code: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class EndTask:
    """The task has to stop, because of `container`."""

    container: str
    has_run: bool


Action = Start | Stop | Restart | Finish | GiveUp | EndTask


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now, and when to look again even if nothing happens."""

    actions: tuple[Action, ...]
    wake_at: float | None = None


def plan_containers(task: TaskSpec, known: Mapping[str, Known], *, is_stopping: bool, now: float) -> Plan:
    """The next actions for a task's containers; none of them is urgent enough to be repeated once begun."""
    exits = _plan_exits(task.containers, known, is_stopping=is_stopping)
    if exits:
        return Plan(exits)
    if is_stopping:
        return Plan(tuple(_plan_stop(task.containers, known)))
    for container in task.containers:
        state = known[container.name]
        if container.essential and state.stage is Stage.STOPPED:
            return Plan((EndTask(container.name, state.has_run),))
    return _plan_start(task.containers, known, now)


def has_started(task: TaskSpec, known: Mapping[str, Known]) -> bool:
    """Every container runs or did run, or is one that the task can do without: the task is RUNNING."""
    return all(
        known[c.name].has_run or (known[c.name].stage is Stage.STOPPED and not c.essential) for c in task.containers
    )


def has_stopped(task: TaskSpec, known: Mapping[str, Known]) -> bool:
    """No container runs, and none will."""
    return all(known[c.name].stage is Stage.STOPPED for c in task.containers)


def _plan_exits(
    containers: Sequence[ContainerSpec], known: Mapping[str, Known], *, is_stopping: bool
) -> tuple[Action, ...]:
    exited = [(c, known[c.name]) for c in containers if known[c.name].stage is Stage.EXITED]
    return tuple(
        Restart(c.name)
        if should_restart(
            c.restart_policy, exit_code=state.exit_code, ran_seconds=state.ran_seconds, is_stopping=is_stopping
        )
        else Finish(c.name)
        for c, state in exited
    )


def _plan_start(containers: Sequence[ContainerSpec], known: Mapping[str, Known], now: float) -> Plan:
    specs = {c.name: c for c in containers}
    actions: list[Action] = []
    wake_at: list[float] = []
    for container in containers:
        state = known[container.name]
        if state.stage is not Stage.WAITING:
            continue
        verdicts = [_judge(d, specs[d.container], known[d.container], now) for d in container.depends_on]
        impossible = next((v.why for v in verdicts if v.why), "")
        if impossible:
            actions.append(GiveUp(container.name, DEPENDENCY_EXIT_CODE, impossible))
        elif all(v.is_met for v in verdicts):
            if state.image_ready:
                actions.append(Start(container.name))
        else:
            wake_at += [v.deadline for v in verdicts if v.deadline is not None]
    return Plan(tuple(actions), min(wake_at, default=None))


def _plan_stop(containers: Sequence[ContainerSpec], known: Mapping[str, Known]) -> list[Action]:
    actions: list[Action] = []
    for container in containers:
        state = known[container.name]
        if state.stage is Stage.WAITING:
            actions.append(GiveUp(container.name, None, ""))
        elif state.stage is Stage.RUNNING:
            dependents = [c for c in containers if any(_orders_stop(d, container) for d in c.depends_on)]
            if all(known[d.name].stage in (Stage.STOPPED, Stage.WAITING) for d in dependents):
                actions.append(Stop(container.name))
    return actions


def _orders_stop(dependency: Dependency, container: ContainerSpec) -> bool:
    return dependency.container == container.name and dependency.condition != "CREATE"


@dataclass(frozen=True, slots=True)
class _Verdict:
    is_met: bool = False
    why: str = ""
    """Set when the condition can never be met."""
    deadline: float | None = None


def _judge(dependency: Dependency, spec: ContainerSpec, state: Known, now: float) -> _Verdict:
    if _is_met(dependency, state):
        return _Verdict(is_met=True)
    if state.stage is Stage.STOPPED:
        return _Verdict(why=_impossible(dependency, _why_never(dependency, state)))
    if spec.start_timeout_seconds is None or state.started_at is None or dependency.condition in ("CREATE", "START"):
        return _Verdict()
    deadline = state.started_at + spec.start_timeout_seconds
    if now >= deadline:
        return _Verdict(why=_impossible(dependency, f"it timed out after {spec.start_timeout_seconds:g} seconds"))
    return _Verdict(deadline=deadline)


def _is_met(dependency: Dependency, state: Known) -> bool:
    match dependency.condition:
        case "CREATE" | "START":
            return state.has_run
        case "COMPLETE":
            return state.stage is Stage.STOPPED and state.has_run
        case "SUCCESS":
            return state.stage is Stage.STOPPED and state.exit_code == 0
        case "HEALTHY":
            return state.stage is Stage.RUNNING and state.health == "HEALTHY"


def _why_never(dependency: Dependency, state: Known) -> str:
    if not state.has_run:
        return "it did not start"
    if dependency.condition == "SUCCESS":
        return f"it exited with code {state.exit_code}"
    return "it has stopped"


def _impossible(dependency: Dependency, why: str) -> str:
    return (
        f"CannotStartContainerError: dependency graph: container dependency {dependency.container} "
        f"cannot reach {dependency.condition}: {why}"
    )
