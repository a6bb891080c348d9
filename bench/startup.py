"""From the command `tidegate server` on an empty state directory to its first answers."""

from __future__ import annotations

import statistics
import tempfile
import time
import urllib.request
from pathlib import Path

from bench.figures import Figure
from fixtures.server import ServerProcess
from tidegate.api import ecs
from tidegate.cli.client import Client
from tidegate.cli.target import read_target

ROUNDS = 5
GOAL_SECONDS = 1.0


def measure_startup() -> list[Figure]:
    """The median of some starts."""
    rounds = [_start() for _ in range(ROUNDS)]
    health, signed = (statistics.median(values) for values in zip(*rounds, strict=True))
    return [
        Figure(
            what="server start on an empty state, to the first answer",
            measured=f"{health:.2f} s to /health, {signed:.2f} s to a signed call's answer",
            goal="under 1 s",
            holds=signed < GOAL_SECONDS,
            values={"health_seconds": round(health, 3), "signed_seconds": round(signed, 3)},
        )
    ]


def _start() -> tuple[float, float]:
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as directory:
        server = ServerProcess(Path(directory) / "state")
        try:
            began = time.perf_counter()
            server.start()
            target = read_target(server.state.path)
            with urllib.request.urlopen(f"{target.endpoint}/health", timeout=5) as answer:
                assert answer.status == 200
            health = time.perf_counter() - began
            Client(target).ecs("ListClusters", ecs.ListClustersRequest(), ecs.ListClustersResponse)
            return health, time.perf_counter() - began
        finally:
            server.teardown()
