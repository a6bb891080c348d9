"""The rules by which a task's containers start and stop."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tidegate.model.spec import ContainerSpec, Dependency, NetworkSpec, TaskSpec
from tidegate.node.agent.plan import (
    EndTask,
    GiveUp,
    Known,
    Plan,
    Stage,
    Start,
    Stop,
    has_stopped,
    plan_containers,
)

NETWORK = NetworkSpec(
    interface="eni-1", address="10.0.0.4", prefix_length=20, gateway="10.0.0.1", mac="02:00:00:00:00:01"
)


def task(*containers: ContainerSpec) -> TaskSpec:
    return TaskSpec(
        id="0" * 32,
        cluster="default",
        family="f",
        family_revision=1,
        cpu_units=256,
        memory_mib=512,
        containers=containers,
        network=NETWORK,
    )


def container(name: str, *depends_on: tuple[str, str], essential: bool = True, start_timeout: float | None = None):
    return ContainerSpec(
        name=name,
        image="app",
        essential=essential,
        depends_on=tuple(Dependency(container=c, condition=k) for c, k in depends_on),
        start_timeout_seconds=start_timeout,
    )


READY = Known(image_ready=True)
RUNNING = Known(Stage.RUNNING, image_ready=True, has_run=True, started_at=100.0)


def stopped(code: int | None) -> Known:
    return Known(Stage.STOPPED, image_ready=True, exit_code=code, has_run=code is not None, started_at=100.0)


def plan(spec: TaskSpec, known: dict[str, Known], *, is_stopping: bool = False, now: float = 100.0) -> Plan:
    return plan_containers(spec, known, is_stopping=is_stopping, now=now)


def test_waits_for_its_image():
    """A container whose image is not here is not started, and the others are."""
    spec = task(container("a"), container("b"))

    assert plan(spec, {"a": Known(), "b": READY}).actions == (Start("b"),)


def test_start_dependency():
    """START is met by a container that runs, and by one that ran and has stopped."""
    spec = task(container("a", ("b", "START")), container("b", essential=False))

    assert plan(spec, {"a": READY, "b": READY}).actions == (Start("b"),)
    assert plan(spec, {"a": READY, "b": RUNNING}).actions == (Start("a"),)
    assert plan(spec, {"a": READY, "b": stopped(3)}).actions == (Start("a"),)


def test_create_dependency():
    """Taking volumes over waits for the other container to be there, and is nothing that orders a stop."""
    spec = task(container("a", ("b", "CREATE")), container("b", essential=False))

    assert plan(spec, {"a": READY, "b": READY}).actions == (Start("b"),)
    assert plan(spec, {"a": READY, "b": RUNNING}).actions == (Start("a"),)
    assert plan(spec, {"a": READY, "b": stopped(0)}).actions == (Start("a"),)
    (given_up,) = plan(spec, {"a": READY, "b": stopped(None)}).actions
    assert isinstance(given_up, GiveUp)
    assert "cannot reach CREATE" in given_up.reason
    assert plan(spec, {"a": RUNNING, "b": RUNNING}, is_stopping=True).actions == (Stop("a"), Stop("b"))


def test_complete_and_success():
    """COMPLETE takes any exit code; SUCCESS takes 0 and gives up at any other."""
    complete = task(container("a", ("b", "COMPLETE")), container("b", essential=False))
    success = task(container("a", ("b", "SUCCESS")), container("b", essential=False))

    assert plan(complete, {"a": READY, "b": RUNNING}).actions == ()
    assert plan(complete, {"a": READY, "b": stopped(3)}).actions == (Start("a"),)
    assert plan(success, {"a": READY, "b": stopped(0)}).actions == (Start("a"),)
    (action,) = plan(success, {"a": READY, "b": stopped(3)}).actions
    assert isinstance(action, GiveUp)
    assert action.exit_code == 143
    assert action.reason.startswith("CannotStartContainerError: dependency graph: ")
    assert "exited with code 3" in action.reason


def test_healthy():
    """HEALTHY waits until the health check says so, and gives up when the container stops before."""
    spec = task(container("a", ("b", "HEALTHY")), container("b", essential=False))
    healthy = Known(Stage.RUNNING, image_ready=True, has_run=True, health="HEALTHY", started_at=100.0)

    assert plan(spec, {"a": READY, "b": RUNNING}).actions == ()
    assert plan(spec, {"a": READY, "b": healthy}).actions == (Start("a"),)
    assert isinstance(plan(spec, {"a": READY, "b": stopped(0)}).actions[0], GiveUp)


def test_start_timeout():
    """startTimeout runs from the dependency's start; until then the plan says when to look again."""
    spec = task(container("a", ("b", "HEALTHY")), container("b", essential=False, start_timeout=20))

    assert plan(spec, {"a": READY, "b": RUNNING}, now=119.0) == Plan((), 120.0)
    (action,) = plan(spec, {"a": READY, "b": RUNNING}, now=120.0).actions
    assert isinstance(action, GiveUp)
    assert "timed out after 20 seconds" in action.reason


def test_essential_container():
    """An essential container that has stopped ends the task; another one does not."""
    spec = task(container("a"), container("b", essential=False))

    assert plan(spec, {"a": RUNNING, "b": stopped(1)}).actions == ()
    assert plan(spec, {"a": stopped(1), "b": RUNNING}).actions == (EndTask("a", has_run=True),)
    assert plan(spec, {"a": stopped(None), "b": RUNNING}).actions == (EndTask("a", has_run=False),)


def test_stops_dependents_first():
    """In a task that stops, a container goes after all that depend on it."""
    spec = task(container("web", ("db", "HEALTHY")), container("db"), container("log"))
    known = {"web": RUNNING, "db": RUNNING, "log": RUNNING}

    assert plan(spec, known, is_stopping=True).actions == (Stop("web"), Stop("log"))
    assert plan(spec, known | {"web": stopped(0), "log": stopped(0)}, is_stopping=True).actions == (Stop("db"),)


NAMES = ("a", "b", "c", "d")
CONDITIONS = ("START", "COMPLETE", "SUCCESS", "HEALTHY")


@st.composite
def tasks(draw: st.DrawFn) -> TaskSpec:
    """Tasks without cycles: a container depends on earlier ones only."""
    containers = []
    for index, name in enumerate(NAMES[: draw(st.integers(1, 4))]):
        edges = draw(st.dictionaries(st.sampled_from(NAMES[:index]), st.sampled_from(CONDITIONS))) if index else {}
        containers.append(container(name, *edges.items(), essential=not index or draw(st.booleans())))
    return task(*containers)


class Play:
    """A task's containers, acted by chance: the plan's actions are carried out, exits and health are drawn."""

    def __init__(self, spec: TaskSpec, data: st.DataObject) -> None:
        self.spec, self.data = spec, data
        self.known = {c.name: READY for c in spec.containers}
        self.is_stopping = False

    def act(self) -> bool:
        actions = plan(self.spec, self.known, is_stopping=self.is_stopping).actions
        for action in actions:
            match action:
                case Start(name):
                    assert self.known[name].stage is Stage.WAITING
                    healthy = self.data.draw(st.booleans(), label=f"{name} is healthy")
                    self.known[name] = Known(
                        Stage.RUNNING, True, has_run=True, health="HEALTHY" if healthy else "UNKNOWN", started_at=100.0
                    )
                case Stop(name):
                    for other in self.spec.containers:
                        if any(d.container == name for d in other.depends_on):
                            assert self.known[other.name].stage is not Stage.RUNNING, "a dependent still runs"
                    self.known[name] = stopped(143)
                case GiveUp(name):
                    self.known[name] = stopped(None)
                case EndTask():
                    self.is_stopping = True
        return bool(actions)

    def exit_one(self) -> None:
        running = [n for n, k in self.known.items() if k.stage is Stage.RUNNING]
        if running:
            self.known[self.data.draw(st.sampled_from(running))] = stopped(self.data.draw(st.integers(0, 1)))


@given(tasks(), st.data())
def test_every_task_ends(spec: TaskSpec, data: st.DataObject):
    """Whatever exits and whatever gets healthy: once it is told to stop, a task comes to its end and rests."""
    play = Play(spec, data)
    for _ in range(data.draw(st.integers(0, 6), label="events before the stop")):
        while play.act():
            pass
        play.exit_one()
    play.is_stopping = True
    for _ in range(len(spec.containers) + 1):
        play.act()

    assert has_stopped(spec, play.known)
    assert not play.act()
