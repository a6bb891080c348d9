"""RunTask to RUNNING and StopTask to STOPPED, in turns with conmon and the OCI runtime alone, and with `docker run`."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from bench.byhand import Hands, await_catching
from bench.figures import Figure, compare, milliseconds
from bench.served import OBEYS, Served, served
from fixtures.rootfs import busybox_tar
from tidegate.api import tidegate
from tidegate.node.runtime.toolchain import Kind

ROUNDS = 50
WARM_UP = 3
DOCKER_ROUNDS = 10
DOCKER_IMAGE = "tidegate-bench"
FIRST_LOOK = 0.9
"""Asking has its cost on two cores, for those who answer too: the first time after so much of the shortest so far."""


def measure_launch(rounds: int = ROUNDS) -> list[Figure]:
    """The figures of starting, and of stopping."""
    started: tuple[list[float], list[float]] = ([], [])
    stopped: tuple[list[float], list[float], list[float]] = ([], [], [])
    with served() as server:
        server.register("launch", OBEYS)
        ours = Turns(server)
        with _hands(server) as hands:
            for turn in range(rounds + WARM_UP):
                start, stop = ours.start(), ours.stop()
                made, hand = hands.start()
                ended, removed = made.stop()
                if turn >= WARM_UP:
                    started[0].append(start)
                    started[1].append(hand)
                    for sample, value in zip(stopped, (stop, removed, ended), strict=True):
                        sample.append(value)
        docker = _measure_docker(ours)
    what = "RunTask to RUNNING, image in the store, against conmon + the OCI runtime alone"
    launch = compare(what, *started, "alone", 1.5, "at most 1.5x")
    what = "StopTask to STOPPED against the end of the process and its removal by hand"
    stopping = compare(what, stopped[0], stopped[1], "by hand", 2.0, "under 2x")
    stopping.values.update(milliseconds(stopped[2], "exit_on_disk"))
    return [launch, docker, stopping]


class Turns:
    """Starts and stops a task again and again, as a client of the API."""

    def __init__(self, server: Served) -> None:
        self._server = server
        self._task = ""
        self._shortest: dict[str, float] = {}

    def start(self) -> float:
        """Seconds from RunTask to RUNNING."""
        began = time.perf_counter()
        (self._task,) = self._server.run("launch")
        return self._await("RUNNING", began)

    def stop(self) -> float:
        """Seconds from StopTask to STOPPED."""
        await_catching(self._server.bundle(self._task))
        began = time.perf_counter()
        self._server.stop(self._task)
        return self._await("STOPPED", began)

    def _await(self, status: str, began: float) -> float:
        look_at = began + self._shortest.get(status, 0) * FIRST_LOOK
        time.sleep(max(0, look_at - time.perf_counter()))
        self._server.await_status([self._task], status)
        took = time.perf_counter() - began
        self._shortest[status] = min(took, self._shortest.get(status, took))
        return took


@contextmanager
def _hands(server: Served) -> Iterator[Hands]:
    """Hands over the bundle of a task that runs meanwhile: it keeps the root file system and the network."""
    (task,) = server.run("launch")
    server.await_status([task], "RUNNING")
    with tempfile.TemporaryDirectory(prefix="tidegate-hand-") as directory:
        hands = Hands(find_kind(server), server.bundle(task), Path(directory))
        try:
            yield hands
        finally:
            hands.close()
    server.stop_all([task])


def find_kind(server: Served) -> Kind:
    """The OCI runtime that the server uses."""
    answer = server.client.tidegate("DescribeNodes", tidegate.DescribeNodesRequest(), tidegate.DescribeNodesResponse)
    assert answer.nodes
    return cast(Kind, (answer.nodes[0].runtime or "").rpartition("+")[2])


def _measure_docker(turns: Turns) -> Figure:
    what, goal = "RunTask to RUNNING against `docker run -d`", "at most 1/5"
    if not shutil.which("docker") or subprocess.run(["docker", "info"], capture_output=True).returncode:
        return Figure(what=what, measured="not measured: no Docker daemon here", goal=goal)
    with tempfile.TemporaryDirectory() as directory:
        tar = busybox_tar(Path(directory) / "busybox.tar")
        subprocess.run(["docker", "import", str(tar), DOCKER_IMAGE], check=True, capture_output=True)
    ours, theirs = [], []
    try:
        for _ in range(DOCKER_ROUNDS):
            ours.append(turns.start())
            turns.stop()
            theirs.append(_docker_run())
    finally:
        subprocess.run(["docker", "rmi", "-f", DOCKER_IMAGE], check=True, capture_output=True)
    return compare(what, ours, theirs, "docker", 0.2, goal)


def _docker_run() -> float:
    began = time.perf_counter()
    command = ["docker", "run", "-d", DOCKER_IMAGE, *OBEYS]
    container = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    took = time.perf_counter() - began
    subprocess.run(["docker", "rm", "-f", container], check=True, capture_output=True)
    return took
