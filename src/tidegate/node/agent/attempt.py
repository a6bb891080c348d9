"""
One life of a container: from its first instruction to its end.

A container that is started again by its restart policy lives several times; what lasts longer than one life is in
`container`.
"""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import chain, repeat

import anyio

from tidegate.kernel.background import running
from tidegate.model.blackbox import PROBE_BYTES, PROBES, Probe
from tidegate.model.spec import ForwardTarget, HealthCheck, LogTarget
from tidegate.model.status import Health
from tidegate.node.agent.health import HealthState, watch_health
from tidegate.node.agent.parts import OutputReader
from tidegate.node.agent.reasons import stop_reason
from tidegate.node.output.forward import Origin
from tidegate.node.output.pace import Tally
from tidegate.node.output.sink import LogTargetMissing
from tidegate.node.runtime.bundle import BundleFiles
from tidegate.node.runtime.runtime import Container, ExecResult, Exit, RuntimeFailure

SIGNAL_PAUSE_SECONDS = 1.0
"""Before a signal that could not be sent is sent again."""
KILL_PAUSES_SECONDS = (5.0, 1.0, 2.0, 3.0, 5.0)
"""Between attempts; ECS's agent has pauses of one to five seconds, too."""


class Attempt:
    """Watches over a container that runs, and stops it when told to."""

    def __init__(
        self, live: Container, target: LogTarget | ForwardTarget | None, origin: Origin, output: OutputReader
    ) -> None:
        self._live = live
        self._target, self._origin = target, origin
        self._output = output
        self.tally = Tally()
        self._exited = anyio.Event()
        self._probing = anyio.CancelScope()

    async def run(self, watch: HealthWatch | None) -> Exit:
        """How it ended; by then all that it wrote has reached the sink, and nobody probes it any more."""
        try:
            return await self._follow(watch, self._target)
        except LogTargetMissing:  # deleted just now: AWS drops what comes then, and the container goes on
            return await self._follow(watch, None)

    async def _follow(self, watch: HealthWatch | None, target: LogTarget | ForwardTarget | None) -> Exit:
        async def probe() -> None:
            if watch is not None:
                with self._probing:
                    await watch.run(self._live)

        file, source = BundleFiles.of(self._live.bundle).log, self._live.bundle.id
        output = self._output.follow(file, source, target, self._live, self._origin)
        async with output as self.tally, running(probe):
            ended = await self._live.wait()
            self._exited.set()
        return ended

    async def stop(self, signal_number: int, timeout_seconds: float, complain: Callable[[str], None]) -> None:
        """
        Signal it, and kill it when its time is up; returns when it has ended.

        One that can't be killed is killed again and again; `complain` hears the reason in ECS's words.
        """
        self._probing.cancel()
        with anyio.move_on_after(timeout_seconds):
            while why := self._signal(signal_number):
                complain(stop_reason(signal_number, why))
                with anyio.move_on_after(SIGNAL_PAUSE_SECONDS):
                    await self._exited.wait()
                    return
            await self._exited.wait()
            return
        for pause in chain(KILL_PAUSES_SECONDS, repeat(KILL_PAUSES_SECONDS[-1])):
            why = self._signal(signal.SIGKILL) or f"it does not end within {pause:g} seconds"
            with anyio.move_on_after(pause):
                await self._exited.wait()
                return
            complain(stop_reason(signal.SIGKILL, why))

    def _signal(self, number: int) -> str:
        """Why it could not be sent; empty if it was."""
        try:
            self._live.kill(number)
        except OSError as error:
            return str(error)
        return ""


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
        self.probes: deque[Probe] = deque(maxlen=PROBES)
        """What the last ones came to, oldest first."""

    async def run(self, live: Container) -> None:
        """Until cancelled."""
        check = self._check

        async def probe() -> bool:
            self.last_probe = None
            with suppress(RuntimeFailure, OSError):  # as docker has it: a check that can't be run has failed
                self.last_probe = await live.exec(check.command, environment={}, timeout_seconds=check.timeout_seconds)
            self.probes.append(_to_probe(self._now(), self.last_probe))
            return self.last_probe is not None and self.last_probe.code == 0

        def report(state: HealthState) -> None:
            self._report(state.health)

        await watch_health(check, self._state, probe, report, self._started_at, self._now)


def _to_probe(at: float, result: ExecResult | None) -> Probe:
    if result is None:
        return Probe(at=at, output="the check could not be run")
    return Probe(at=at, code=result.code, output=result.output[-PROBE_BYTES:])
