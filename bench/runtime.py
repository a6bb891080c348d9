"""
What our runtime adds to conmon and the OCI runtime alone, for the same bundle, turn by turn in one run.

    python bench/runtime.py [--kind crun|runc] [--count 50] [--profile]

by hand   posix_spawn of conmon, its report read, `crun start`, the supervisor's end awaited: blocking, nothing else
by pipe   the same, but the exec fifo is opened directly, as ours does: equal work, so the difference is all overhead
ours      ConmonRuntime: create, start, wait

All start a container that ends at once; `started` is until it was let run, `ended` until its exit was on disk. Who goes
first changes with each round: the one that follows a removal pays for what the kernel still tears down (up to 5 ms).
Needs root, conmon, the OCI runtime, busybox, and an installed Tidegate with its tests.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import select
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import anyio

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from fakes.specs import task_spec
from fixtures.containers import RealHost, network_namespace, real_host
from tidegate.kernel.spawn import CLEAN_ENVIRONMENT
from tidegate.model.image import ImageConfig
from tidegate.model.spec import ContainerSpec
from tidegate.node.runtime.bundle import BundleFiles
from tidegate.node.runtime.cgroup.probe import read_mounts
from tidegate.node.runtime.oci.config import Site, plan_config
from tidegate.node.runtime.oci.host import HostFacts, read_host_facts
from tidegate.node.runtime.probe import find_toolchain
from tidegate.node.runtime.runtime import Bundle
from tidegate.node.runtime.supervise import plan_conmon
from tidegate.node.runtime.toolchain import Kind, Toolchain

WAYS = ("by hand", "by pipe", "ours")
WARM_UP = 3
IMAGE = ImageConfig(environment=("PATH=/bin",), command=("true",))


def planned_config(host: RealHost, bundle: Bundle, namespace: Path, facts: HostFacts) -> dict[str, Any]:
    """What a task's container gets, with seccomp and all."""
    container = ContainerSpec(name="app", image="busybox", memory_mib=64)
    site = Site(host.directory / "rootfs", bundle.cgroup, namespace)
    return plan_config(task_spec(container), container, IMAGE, site, facts).config


def open_pipe(fifo: Path, kind: str) -> None:
    """Let the container run without `start`."""
    if kind == "crun":
        fd = os.open(fifo, os.O_WRONLY)
        os.write(fd, b"0")
    else:
        fd = os.open(fifo, os.O_RDONLY)
        os.read(fd, 1)
    os.close(fd)


def by_hand(
    host: RealHost, bundle: Bundle, config: dict[str, Any], tools: Toolchain, *, by_pipe: bool
) -> tuple[float, float]:
    """The least that works."""
    root = host.directory / "oci"
    arguments = plan_conmon(tools, root, bundle)
    files = BundleFiles.of(bundle, root)
    files.ends.mkdir(parents=True, exist_ok=True)
    begun = time.perf_counter()
    (bundle.directory / "config.json").write_text(json.dumps(config))
    reading, writing = os.pipe()
    child = host.spawner.spawn(
        arguments, environment={**CLEAN_ENVIRONMENT, "_OCI_SYNCPIPE": str(writing)}, keep=[writing]
    )
    os.close(writing)
    assert json.loads(os.read(reading, 4096))["data"] > 0
    os.close(reading)
    child.reap()
    supervisor = os.pidfd_open(int((bundle.directory / "conmon.pid").read_text()))
    if by_pipe:
        open_pipe(root / bundle.id / "exec.fifo", host.kind)
    else:
        assert host.spawner.spawn([str(tools.runtime), f"--root={root}", "start", bundle.id]).reap() == 0
    started = time.perf_counter()
    select.select([supervisor], [], [])
    ended = time.perf_counter()
    os.close(supervisor)
    assert (files.read_exit() or (-1, 0))[0] == 0
    assert host.spawner.spawn([str(tools.runtime), f"--root={root}", "delete", "--force", bundle.id]).reap() == 0
    return started - begun, ended - begun


async def ours(host: RealHost, bundle: Bundle, config: dict[str, Any]) -> tuple[float, float]:
    """The same by ConmonRuntime."""
    begun = time.perf_counter()
    container = await host.runtime.create(bundle, config)
    await container.start()
    started = time.perf_counter()
    assert (await container.wait()).code == 0
    ended = time.perf_counter()
    await container.remove()
    return started - begun, ended - begun


def percentiles(seconds: list[float]) -> tuple[float, float]:
    """p50 and p95 in milliseconds."""
    return statistics.median(seconds) * 1000, statistics.quantiles(seconds, n=20)[18] * 1000


async def one(way: str, host: RealHost, namespace: Path, tools: Toolchain, facts: HostFacts) -> tuple[float, float]:
    """One container, one way."""
    bundle = host.bundle()
    config = planned_config(host, bundle, namespace, facts)
    if way == "ours":
        return await ours(host, bundle, config)
    return by_hand(host, bundle, config, tools, by_pipe=way == "by pipe")


async def measure(kind: Kind, count: int, profile: bool) -> None:
    """Print a table."""
    tools = find_toolchain(kind)
    facts = read_host_facts(tools, read_mounts())
    times: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    profiler = cProfile.Profile()
    with tempfile.TemporaryDirectory(prefix="tg") as directory:
        async with real_host(Path(directory), kind) as host:
            with network_namespace(host.directory) as namespace:
                for number in range(count + WARM_UP):
                    turn = number % len(WAYS)
                    for way in (*WAYS[turn:], *WAYS[:turn]):
                        if profile and way == "ours" and number >= WARM_UP:
                            profiler.enable()
                        times[way].append(await one(way, host, namespace, tools, facts))
                        profiler.disable()
    for index, name in enumerate(("started", "ended")):
        rows = {way: percentiles([row[index] for row in times[way][WARM_UP:]]) for way in WAYS}
        for way, (p50, p95) in rows.items():
            ratio = rows["ours"][0] / p50
            print(f"{kind} {name:8} {way:8} n={count} p50 {p50:6.1f} p95 {p95:6.1f} ms   ours/this p50 {ratio:.2f}")
    if profile:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=("crun", "runc"), default="crun")
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    anyio.run(measure, given.kind, given.count, given.profile)
