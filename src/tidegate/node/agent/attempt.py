"""
One life of a container: from its first instruction to its end.

A container that is started again by its restart policy lives several times; what lasts longer than one life is in
`container`.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress

import anyio

from tidegate.kernel.background import running
from tidegate.model.spec import HealthCheck, LogTarget
from tidegate.model.status import Health
from tidegate.node.agent.health import HealthState, watch_health
from tidegate.node.agent.parts import OutputReader
from tidegate.node.runtime.bundle import BundleFiles
from tidegate.node.runtime.runtime import Container, ExecResult, Exit, RuntimeFailure


class Attempt:
    """Watches over a container that runs, and stops it when told to."""

    def __init__(self, live: Container, log: LogTarget | None, output: OutputReader) -> None:
        self._live = live
        self._log = log
        self._output = output
        self._exited = anyio.Event()
        self._probing = anyio.CancelScope()

    async def run(self, watch: HealthWatch | None) -> Exit:
        """How it ended; by then all that it wrote has reached the sink, and nobody probes it any more."""

        async def probe() -> None:
            if watch is not None:
                with self._probing:
                    await watch.run(self._live)

        source = self._live.bundle.id
        async with self._output.follow(BundleFiles.of(self._live.bundle).log, source, self._log), running(probe):
            ended = await self._live.wait()
            self._exited.set()
        return ended

    async def stop(self, signal_number: int, timeout_seconds: float) -> None:
        """Signal it, and kill it when its time is up; returns when it has ended."""
        self._probing.cancel()
        self._live.kill(signal_number)
        with anyio.move_on_after(timeout_seconds):
            await self._exited.wait()
            return
        self._live.kill(signal.SIGKILL)
        await self._exited.wait()


class HealthWatch:
    """The health checks of one life. health: what is known already. `report` is called when it changes."""

    def __init__(
        self,
        check: HealthCheck,
        health: Health,
        started_at: float,
        report: Callable[[Health], None],
        now: Callable[[], float],
    ) -> None:
        self._check, self._started_at, self._now = check, started_at, now
        self._state = HealthState(health, has_succeeded=health == "HEALTHY")
        self._report = report
        self.last_probe: ExecResult | None = None
        """What the check came to last; None before the first one, and after one that could not be run."""

    async def run(self, live: Container) -> None:
        """Until cancelled."""
        check = self._check

        async def probe() -> bool:
            self.last_probe = None
            with suppress(RuntimeFailure, OSError):  # as docker has it: a check that can't be run has failed
                self.last_probe = await live.exec(check.command, environment={}, timeout_seconds=check.timeout_seconds)
            return self.last_probe is not None and self.last_probe.code == 0

        def report(state: HealthState) -> None:
            self._report(state.health)

        await watch_health(check, self._state, probe, report, self._started_at, self._now)
