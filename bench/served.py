"""A server of its own to measure, with a small image, and a client that costs little."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fixtures.rootfs import busybox_tar
from fixtures.server import ServerProcess, leftovers
from tidegate.api import ecs
from tidegate.cli.client import Client
from tidegate.cli.subnets import default_subnets
from tidegate.cli.target import Target, read_target

OBEYS = ("sh", "-c", "trap 'exit 0' TERM; sleep 3600 & wait")
"""Obeys SIGTERM, which process 1 has to ask for."""
IDLES = ("sleep", "86400")
POLL_SECONDS = 0.001
DEADLINE_SECONDS = 180


class Served:
    """A running server, and calls to it."""

    def __init__(self, server: ServerProcess, target: Target) -> None:
        self.server = server
        self.target = target
        self.client = Client(target)
        self._subnets = default_subnets(target)

    @property
    def pid(self) -> int:
        """Of the server."""
        assert self.server.process is not None
        return self.server.process.pid

    def register(self, family: str, command: Sequence[str]) -> None:
        """A task of one container, the smallest that Fargate has."""
        request = ecs.RegisterTaskDefinitionRequest(
            family=family,
            network_mode="awsvpc",
            requires_compatibilities=("FARGATE",),
            cpu="256",
            memory="512",
            container_definitions=(
                ecs.ContainerDefinition(name="app", image="busybox", command=tuple(command), stop_timeout=2),
            ),
        )
        self.client.ecs("RegisterTaskDefinition", request, ecs.RegisterTaskDefinitionResponse)

    def run(self, family: str, count: int = 1, client: Client | None = None) -> list[str]:
        """RunTask; the tasks' ARNs."""
        vpc = ecs.AwsVpcConfiguration(subnets=self._subnets)
        request = ecs.RunTaskRequest(
            task_definition=family,
            count=count,
            launch_type="FARGATE",
            network_configuration=ecs.NetworkConfiguration(awsvpc_configuration=vpc),
        )
        answer = (client or self.client).ecs("RunTask", request, ecs.RunTaskResponse)
        assert not answer.failures, answer.failures
        return [task.task_arn or "" for task in answer.tasks or ()]

    def stop(self, task: str) -> None:
        """StopTask."""
        self.client.ecs("StopTask", ecs.StopTaskRequest(task=task), ecs.StopTaskResponse)

    def describe(self, tasks: Sequence[str]) -> tuple[ecs.Task, ...]:
        """DescribeTasks; at most 100."""
        request = ecs.DescribeTasksRequest(tasks=tuple(tasks))
        return self.client.ecs("DescribeTasks", request, ecs.DescribeTasksResponse).tasks or ()

    def await_status(self, tasks: Sequence[str], status: str, poll_seconds: float = POLL_SECONDS) -> None:
        """Return when DescribeTasks says so of all."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        waiting = list(tasks)
        while waiting:
            for task in self.describe(waiting[:100]):
                if task.last_status == status:
                    waiting.remove(task.task_arn or "")
                elif task.last_status == "STOPPED":
                    raise RuntimeError(f"cannot measure: a task ended: {task.stopped_reason}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"cannot measure: {len(waiting)} tasks are not {status}")
            if waiting:
                time.sleep(poll_seconds)

    def stop_all(self, tasks: Sequence[str]) -> None:
        """Stop them, and return when nothing of them runs."""
        for task in tasks:
            self.stop(task)
        self.await_status(tasks, "STOPPED", 0.1)

    def bundle(self, task: str) -> Path:
        """The OCI bundle of the task's container."""
        return self.server.state.node / "tasks" / task.rpartition("/")[2] / "c-app"


@contextmanager
def served(*options: str) -> Iterator[Served]:
    """A server on an empty state directory, with the image `busybox`; nothing of it is left afterwards."""
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as directory:
        server = ServerProcess(Path(directory) / "state", *options)
        try:
            server.start()
            server.cli("image", "import", str(busybox_tar(Path(directory) / "busybox.tar")), "--tag", "busybox")
            yield Served(server, read_target(server.state.path))
        finally:
            server.teardown()
        assert leftovers(server) == [], leftovers(server)
