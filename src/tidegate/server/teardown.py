"""Takes away what a server made on this host, whether it runs, has ended, or was killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import anyio
import msgspec

from tidegate.kernel.pidfd import has_exited, open_pidfd, send_signal
from tidegate.kernel.process import read_cmdline
from tidegate.model.status import LastStatus
from tidegate.model.task import Task
from tidegate.server.config import Config
from tidegate.server.failures import in_words
from tidegate.server.house import House, open_house, release_state_mount, remove_from_host
from tidegate.server.statedir import StateDirectory
from tidegate.store.store import Conflict, Put

REASON = "The server was torn down"
SERVER_SECONDS = 30.0
TASK_SECONDS = 180.0
"""Longer than the longest stopTimeout."""


def teardown(directory: Path) -> Iterator[str]:
    """Do it; yields a line before each step. Raises ConfigError, TimeoutError."""
    state = StateDirectory(directory)
    if not state.store_file.exists():
        return
    yield "ending the server"
    end_server(state)
    yield "stopping tasks"
    with in_words("tear the server down"):
        anyio.run(_stop_and_remove, Config(directory), backend="asyncio")
    release_state_mount(state)


def end_server(state: StateDirectory) -> None:
    """SIGTERM to the server that server.json names, if it is still that one; returns when it is gone."""
    listening = state.read_listening()
    if listening is None or listening.pid == os.getpid():
        return
    pidfd = open_pidfd(listening.pid)
    if pidfd is None:
        return
    try:
        if "server" not in read_cmdline(listening.pid):
            return
        send_signal(pidfd, signal.SIGTERM)
        deadline = time.monotonic() + SERVER_SECONDS
        while not has_exited(pidfd):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the server (pid {listening.pid}) does not end")
            time.sleep(0.02)
    finally:
        os.close(pidfd)


async def _stop_and_remove(config: Config) -> None:
    async with open_house(config, lambda instance: "10.64.0.0/16") as house:
        with anyio.fail_after(TASK_SECONDS):
            await _stop_tasks(house)
        await remove_from_host(house)


async def _stop_tasks(house: House) -> None:
    store = house.control.store
    async with store.watch(Task) as changes:
        for task in store.select(Task, "active", "yes"):
            await _want_stopped(house, task)
        if not list(store.select(Task, "active", "yes")):
            return
        async for _ in changes:
            if not list(store.select(Task, "active", "yes")):
                return


async def _want_stopped(house: House, task: Task | None) -> None:
    while task is not None and task.status.last_status is not LastStatus.STOPPED:
        status = msgspec.structs.replace(
            task.status,
            desired_status="STOPPED",
            version=task.status.version + 1,
            stop_code=task.status.stop_code or "UserInitiated",
            stopped_reason=task.status.stopped_reason or REASON,
        )
        try:
            await house.control.store.commit(Put(msgspec.structs.replace(task, status=status)))
        except Conflict:
            task = house.control.store.get(Task, task.id)
        else:
            return
