"""kill -9 of the server in the middle of launching: what it acknowledged comes to an end that the API tells."""

from __future__ import annotations

import os
import random
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from fixtures.workload import REST, Workload, shell

pytestmark = [pytest.mark.fault, pytest.mark.host]

TASKS = 50
KILLS = 3
FIRST_SEED = int(os.environ.get("TIDEGATE_FAULT_SEED", "1"))
"""Another one kills at other moments."""


class Clients:
    """Five clients that ask for ten tasks each, again and again until they are told that they have them."""

    def __init__(self, work: Workload, definition: str) -> None:
        self._work, self._definition, self._subnets = work, definition, work.subnets()
        self._may_ask = threading.Event()
        self._may_ask.set()
        self._pool = ThreadPoolExecutor(5)
        self.asked: list[Future[list[str]]] = []

    def ask(self) -> None:
        self.asked = [self._pool.submit(self._have, TASKS // 5) for _ in range(5)]

    def hold(self) -> None:
        """While the server is down."""
        self._may_ask.clear()

    def go_on(self) -> None:
        self._may_ask.set()

    def acknowledged(self) -> list[str]:
        """All of them, once every client has been told."""
        self.go_on()
        return [task for future in self.asked for task in future.result(60)]

    def _have(self, count: int) -> list[str]:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            self._may_ask.wait(60)
            try:
                return self._work.run(self._definition, count, self._subnets)
            except (BotoCoreError, ClientError, OSError):
                continue  # not acknowledged
        raise AssertionError("the server never answered")


@pytest.mark.parametrize("seed", [FIRST_SEED, FIRST_SEED + 1000])
def test_kills_while_launching(work: Workload, seed: int):
    """
    Each acknowledged task reaches RUNNING or STOPPED with a reason, wherever in its launch the server was killed;
    when all have stopped no namespace, mount, cgroup, veth, process or address is left.
    """
    moments = random.Random(seed)
    free = work.free_addresses()
    clients = Clients(work, work.register(shell(REST), shell(REST, essential=False) if seed % 2 else shell(REST)))
    clients.ask()
    for _ in range(KILLS):
        time.sleep(moments.uniform(0.02, 0.6))  # the moment of the fault, not a wait
        work.server.kill()
        clients.hold()
        work.server.start()
        clients.go_on()
    tasks = clients.acknowledged()
    assert len(tasks) == TASKS

    ended = work.wait([*tasks, *work.all()], "RUNNING", "STOPPED")
    assert all(t["stoppedReason"] and t["stopCode"] for t in ended.values() if t["lastStatus"] == "STOPPED")
    assert any(t["lastStatus"] == "RUNNING" for t in ended.values())
    work.stop_all()
    assert work.free_addresses() == free


@pytest.mark.parametrize("seed", [FIRST_SEED])
def test_kills_while_stopping(work: Workload, seed: int):
    """A stop that was acknowledged is carried out, wherever in it the server was killed; nothing is left."""
    moments = random.Random(seed)
    free = work.free_addresses()
    tasks = work.run(work.register(shell(REST)), 10) + work.run(work.register(shell(REST)), 10)
    work.wait(tasks, "RUNNING")
    work.stop(tasks, "no more")
    for _ in range(KILLS):
        time.sleep(moments.uniform(0.0, 0.2))  # the moment of the fault, not a wait
        work.server.kill()
        work.server.start()

    ended = work.wait(tasks, "STOPPED")
    assert {t["stoppedReason"] for t in ended.values()} == {"no more"}
    assert {t["containers"][0].get("exitCode") for t in ended.values()} == {0}
    work.stop_all()
    assert work.free_addresses() == free
