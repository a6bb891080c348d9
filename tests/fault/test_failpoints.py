"""
Every external step of the node x (it fails, this process dies in front of it, it takes its time).

Whatever happens: a task ends STOPPED with a reason that names the step, or runs where the step can be done again;
nothing of it is left on the host; a task beside it runs on; and the server answers. The steps are the failpoints in the
source, so a new one has to have its row here.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from fault.conftest import take_away
from fixtures.images import make_image
from fixtures.registry import Registry, missing_for_registry, running_registry
from fixtures.rootfs import busybox_tar
from fixtures.server import ServerProcess, until
from fixtures.traces import traces_of
from fixtures.workload import Workload, shell
from tidegate.kernel import failpoint

pytestmark = [pytest.mark.fault, pytest.mark.host]

SOURCE = Path(__file__).parents[2] / "src"
Kind = Literal["error", "delay", "crash"]
ACTIONS: dict[Kind, str] = {"error": "1*error(boom)", "delay": "1*delay(150)", "crash": "1*crash"}
COUNT = "i=0; trap 'exit 7' TERM; while true; do i=$((i+1)); echo $i; sleep 0.1; done"
WORKS = "trap 'exit 0' TERM; echo it works; sleep 600 & wait"
RUNS = ""
"""Instead of a reason: the step is done again, or what it was for is borne."""


@dataclass(frozen=True)
class Row:
    """
    When the step is done, and the reason of a task for which it fails.

    launch: before the task runs; pull: the same with an image that isn't here; run: while it runs; exec: for somebody
    who runs a command in it, or copies files; stop: when it is stopped; recover: when a new server finds it.
    """

    when: Literal["launch", "pull", "run", "exec", "stop", "recover"]
    reason: str = RUNS
    container: dict[str, Any] = field(default_factory=dict)
    task: dict[str, Any] = field(default_factory=dict)


PULL = r"CannotPullContainerError: .*boom"
CREATE = "CannotCreateContainerError: .*boom"
RESOURCE = "ResourceInitializationError: .*boom"
HEALTH = {"healthCheck": {"command": ["CMD", "true"], "interval": 5}}
EFS: dict[str, Any] = {
    "task": {"volumes": [{"name": "e", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}]},
    "container": {"mountPoints": [{"sourceVolume": "e", "containerPath": "/e"}]},
}
ROWS = {
    "journal.create": Row("launch"),
    "journal.write": Row("launch"),
    "network.attach": Row("launch", RESOURCE),
    "network.firewall": Row("launch", RESOURCE),
    "network.bind": Row("launch", RESOURCE),
    "cgroup.create": Row("launch", RESOURCE),
    "processes.hold": Row("launch", RESOURCE, task={"pidMode": "task"}),
    "volume.disk": Row("launch", RESOURCE),
    "log.open": Row("launch", RESOURCE),
    "environment.resolve": Row("launch", "boom"),
    "image.resolve": Row("pull", PULL),
    "image.download": Row("pull", PULL),
    "image.unpack": Row("pull", PULL),
    "image.enter": Row("pull", PULL),
    "image.mount": Row("launch", CREATE),
    "volume.mount": Row("launch", RESOURCE, **EFS),
    "volume.bind": Row("launch", CREATE),
    "runtime.create": Row("launch", CREATE),
    "runtime.created": Row("launch", CREATE),
    "runtime.start": Row("launch", "CannotStartContainerError: .*boom"),
    "log.follow": Row("run"),
    "log.append": Row("run"),
    "runtime.exec": Row("run", container=HEALTH),
    "runtime.attach": Row("exec"),
    "session.copy": Row("exec"),
    "runtime.recover": Row("recover"),
    "journal.stop": Row("stop"),
    "runtime.kill": Row("stop"),
    "blackbox.write": Row("stop"),
    "runtime.remove": Row("stop"),
    "image.unmount": Row("stop"),
    "network.detach": Row("stop"),
    "network.release": Row("stop"),
    "volume.unmount": Row("stop", **EFS),
    "volume.release": Row("stop"),
    "cgroup.remove": Row("stop"),
    "journal.retire": Row("stop"),
}


def failpoints_in_source() -> set[str]:
    pattern = re.compile(r'failpoint\.(?:hit|reach)\(\s*"([a-z.]+)"')
    sources = (path.read_text() for path in SOURCE.rglob("*.py") if path.name != "failpoint.py")
    return {name for source in sources for name in pattern.findall(source)}


def test_every_failpoint_has_its_row() -> None:
    """A step that is not in the table would be one that nobody has seen fail."""
    assert failpoints_in_source() == set(ROWS)


class Stage:
    """One server, with a neighbour that must not be harmed, and the failpoints' file."""

    def __init__(self, directory: Path, busybox: Path, registry: Registry | None) -> None:
        self.file = directory / "failpoints"
        self.file.touch()
        os.environ[failpoint.VARIABLE] = str(self.file)
        (directory / "efs").mkdir()
        self.server = ServerProcess(directory / "state", "--efs-root", str(directory / "efs"))
        self.server.log = directory / "server.log"
        self.server.start()
        self.server.cli("image", "import", str(busybox), "--tag", "busybox")
        self.work = Workload(self.server)
        self.crashes = 0
        self._busybox, self._registry = busybox, registry
        self.neighbour = self.work.run_shell(COUNT)
        self._known = self.work.wait_one(self.neighbour, "RUNNING")
        self._subnets = self.work.subnets()

    def arm(self, text: str) -> None:
        aside = self.file.with_suffix(".new")
        aside.write_text(text)
        aside.rename(self.file)

    def was_hit(self, name: str) -> bool:
        """Since the file was written last."""
        found = self.file.stat()
        hits = Path(f"{self.file}.hits")
        wanted = f"{found.st_ino}-{found.st_mtime_ns} {name}\n"
        return hits.exists() and wanted in hits.read_text()

    def revive(self) -> None:
        """After a crash: see that it was one, and start the server again."""
        until(self.is_dead, "the server has crashed", 10)
        self.crashes += 1
        self.server.process = None
        self.server.start()

    def is_dead(self) -> bool:
        return self.server.process is not None and self.server.process.poll() is not None

    def define(self, row: Row) -> str:
        image = self._new_image() if row.when == "pull" else "busybox"
        return self.work.register(shell(WORKS, **{"image": image, **row.container}), family="victim", **row.task)

    def _new_image(self) -> str:
        """One that the server has not got: each has a layer that no other has."""
        assert self._registry is not None
        name = uuid.uuid4().hex
        layer = self._busybox.read_bytes()[:-1024] + _empty_file_block(name) + bytes(1024)
        return self._registry.push(f"victims/{name}", "1", make_image([layer], config={"Cmd": ["sh"]}))

    def run(self, definition: str) -> str:
        """A task, asked for again and again if the server dies over it, as clients do: it is one all the same."""
        token = uuid.uuid4().hex
        while True:
            try:
                (task,) = self.work.run(definition, subnets=self._subnets, clientToken=token)
            except (BotoCoreError, ClientError, OSError):
                self.revive()
            else:
                return task

    def unharmed(self) -> None:
        """The neighbour runs on as it did, and the server answers."""
        now = self.work.describe([self.neighbour])[self.neighbour]
        assert (now["lastStatus"], now["startedAt"]) == ("RUNNING", self._known["startedAt"])
        assert now["containers"][0]["runtimeId"] == self._known["containers"][0]["runtimeId"]


def _empty_file_block(name: str) -> bytes:
    import tarfile

    return tarfile.TarInfo(name).tobuf(tarfile.USTAR_FORMAT)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("points")
    before = os.environ.get(failpoint.VARIABLE)
    with ExitStack() as stack:
        registry = None
        if not missing_for_registry:
            registry = stack.enter_context(running_registry(directory / "registry"))
        found = Stage(directory, busybox_tar(directory / "busybox.tar"), registry)
        stack.callback(take_away, found.server)
        try:
            yield found
            found.arm("")
            found.work.stop([found.neighbour])
            assert found.work.wait_one(found.neighbour, "STOPPED")["containers"][0]["exitCode"] == 7
            lines = found.work.output(found.neighbour)
            assert lines == [str(number) for number in range(1, len(lines) + 1)], "each line of the neighbour, once"
        finally:
            os.environ.pop(failpoint.VARIABLE)
            if before is not None:
                os.environ[failpoint.VARIABLE] = before


@pytest.mark.parametrize("kind", ACTIONS)
@pytest.mark.parametrize("name", ROWS)
def test_cell(stage: Stage, name: str, kind: Kind):
    """The step was come to; the task's end or its going on is as the row says; nothing is left, nobody is harmed."""
    row = ROWS[name]
    if row.when == "pull" and missing_for_registry:
        pytest.skip(f"needs {missing_for_registry}")
    stage.arm("")
    definition = stage.define(row)
    ended = PLAYS[row.when](stage, f"{name} = {ACTIONS[kind]}", definition, kind)

    assert stage.was_hit(name)
    said = f"{ended['stoppedReason']} {ended['containers'][0].get('reason', '')}"
    if kind == "error" and row.reason:
        assert ended["stopCode"] == "TaskFailedToStart"
        assert re.match(row.reason, said), said
    elif kind != "crash" or ended["stopCode"] == "UserInitiated":
        assert (ended["stopCode"], ended["stoppedReason"]) == ("UserInitiated", "enough"), said
        assert stage.work.output(ended["taskArn"]) == ["it works"]
    assert said.strip()
    stage.arm("")
    until(lambda: traces_of(stage.server, ended["taskArn"]) == [], f"nothing is left: {_left(stage, ended)}", 10)
    stage.unharmed()


def _left(stage: Stage, task: dict[str, Any]) -> list[str]:
    return traces_of(stage.server, task["taskArn"])


def _to_its_end(stage: Stage, task: str) -> dict[str, Any]:
    """Stop it as soon as it runs, unless it has ended before."""
    now = stage.work.wait_one(task, "RUNNING", "STOPPED")
    if now["lastStatus"] == "RUNNING":
        until(lambda: stage.work.output(task), "it has said what it says", 10)
        stage.work.stop([task])
    return stage.work.wait_one(task, "STOPPED")


def play_launch(stage: Stage, points: str, definition: str, kind: Kind) -> dict[str, Any]:
    """The step is one of the launch."""
    crashes = stage.crashes
    stage.arm(points)
    task = stage.run(definition)
    if kind == "crash":
        until(lambda: stage.crashes > crashes or stage.is_dead(), "the crash", 10)
        if stage.crashes == crashes:
            stage.revive()
    return _to_its_end(stage, task)


def play_run(stage: Stage, points: str, definition: str, kind: Kind) -> dict[str, Any]:
    """The step is done while the task runs: it is waited for."""
    stage.arm(points)
    name = points.partition(" ")[0]
    task = stage.run(definition)
    until(lambda: stage.was_hit(name), "the step is come to", 15)
    if kind == "crash":
        stage.revive()
    return _to_its_end(stage, task)


def play_exec(stage: Stage, points: str, definition: str, kind: Kind) -> dict[str, Any]:
    """The step is one for somebody who comes into the task: that fails with the reason, and the task goes on."""
    task = stage.run(definition)
    stage.work.wait_one(task, "RUNNING")
    stage.arm(points)
    name = task.rpartition("/")[2]
    command = (
        ["cp", f"{name}:/etc/passwd", "-"] if "session.copy" in points else ["exec", name, "--", "cat", "/etc/passwd"]
    )
    done = stage.server.cli(*command, check=False)
    if kind == "crash":
        stage.revive()
    assert (done.returncode == 0 and "root:" in done.stdout) == (kind == "delay")
    assert ("boom" in done.stderr) == (kind == "error")
    return _to_its_end(stage, task)


def play_stop(stage: Stage, points: str, definition: str, kind: Kind) -> dict[str, Any]:
    """The step is one of the task's end, or comes behind it."""
    task = stage.run(definition)
    stage.work.wait_one(task, "RUNNING")
    until(lambda: stage.work.output(task), "it has said what it says", 10)
    stage.arm(points)
    stage.work.stop([task])
    if kind == "crash":
        stage.revive()
    ended = stage.work.wait_one(task, "STOPPED")
    until(lambda: stage.was_hit(points.partition(" ")[0]), "the step is come to", 10)
    return ended


def play_recover(stage: Stage, points: str, definition: str, kind: Kind) -> dict[str, Any]:
    """The step is done by a server that finds the task."""
    task = stage.run(definition)
    stage.work.wait_one(task, "RUNNING")
    stage.arm(points)
    stage.server.kill()
    if kind == "crash":
        with suppress(AssertionError):  # it may die before it is ready, or right after
            stage.server.start()
        stage.revive()
    else:
        stage.server.start()
    return _to_its_end(stage, task)


PLAYS: dict[str, Callable[[Stage, str, str, Kind], dict[str, Any]]] = {
    "launch": play_launch,
    "pull": play_launch,
    "run": play_run,
    "exec": play_exec,
    "stop": play_stop,
    "recover": play_recover,
}
