"""
What a task's network costs: attach and detach, cold and warm, on the event loop and beside it, in one run.

    python bench/network.py [--count 200] [--present 0] [--json FILE]

inline    the kernel's work called directly, as a program without an event loop would
async     through BridgeNetwork: on a worker thread, the loop free meanwhile
cold      no namespace is ready: one is made while the task waits
warm      from the pool, which is full again before the next (an idle server)
burst     --count attachments at once, pool of 8: a busy server; per task
ip        the same steps by ip(8), a process each, without a firewall

--present: tasks that are attached all the while. On a host of its own (a namespace); needs root.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import anyio

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from fixtures.networks import CIDR, GROUPS, eventually, host_network, link_names
from tidegate.model.spec import NetworkSpec
from tidegate.node.network.bridge import BridgeNetwork
from tidegate.node.network.names import Names
from tidegate.node.network.wiring import Wiring

Samples = dict[str, list[float]]
_POOL = 8
_PAUSE_SECONDS = 0.05  # in which the pool fills up, and the kernel is done with the interface before


def spec(number: int) -> NetworkSpec:
    """Task `number` of up to 60,000."""
    high, low = divmod(number + 10, 250)
    mac = f"0a:00:00:00:{high:02x}:{low:02x}"
    return NetworkSpec(
        interface=f"eni-{number:017x}",
        address=f"10.90.{high}.{low + 2}",
        prefix_length=16,
        gateway="10.90.0.1",
        mac=mac,
        security_groups=("sg-default",),
    )


def timed(step: Callable[[], object]) -> float:
    started = time.perf_counter()
    step()
    return (time.perf_counter() - started) * 1000


def run_inline(wiring: Wiring, count: int, pool: int) -> Samples:
    found: Samples = {"attach": [], "detach": []}
    for number in range(count):
        time.sleep(_PAUSE_SECONDS)
        assert eventually(lambda: wiring.ready() >= pool)
        found["attach"].append(timed(lambda number=number: wiring.attach("x", spec(30000 + number))))
        found["detach"].append(timed(lambda: wiring.detach("x")))
    return found


def measure_inline(directory: Path, count: int, present: int, pool: int) -> Samples:
    wiring = Wiring(Names("00c0ffee"), directory, CIDR, tuple, pool)
    wiring.open()
    try:
        wiring.apply_security_groups(GROUPS)
        for number in range(present):
            wiring.attach(f"present-{number}", spec(number))
        return run_inline(wiring, count, pool)
    finally:
        for task in wiring.attached:
            wiring.detach(task)
        wiring.close(remove=True)


async def measure_async(directory: Path, count: int, present: int, pool: int, burst: bool) -> Samples:
    network = BridgeNetwork("00c0ffee", directory, CIDR, resolvers=(), pool_size=pool)
    await network.open()
    try:
        await network.apply_security_groups(GROUPS)
        for number in range(present):
            await network.attach(f"present-{number}", spec(number))
        return await (run_burst if burst else run_async)(network, count)
    finally:
        for task in network.attached():
            await network.detach(task)
        await network.close(remove=True)


async def run_async(network: BridgeNetwork, count: int) -> Samples:
    found: Samples = {"attach": [], "detach": []}
    for number in range(count):
        await anyio.sleep(_PAUSE_SECONDS)
        started = time.perf_counter()
        await network.attach("x", spec(30000 + number))
        attached = time.perf_counter()
        await network.detach("x")
        found["attach"].append((attached - started) * 1000)
        found["detach"].append((time.perf_counter() - attached) * 1000)
    return found


async def run_burst(network: BridgeNetwork, count: int) -> Samples:
    found: Samples = {}
    for name in ("attach", "detach"):
        started = time.perf_counter()
        async with anyio.create_task_group() as group:
            for number in range(count):
                arguments = (spec(30000 + number),) if name == "attach" else ()
                group.start_soon(getattr(network, name), f"burst-{number}", *arguments)
        found[name] = [(time.perf_counter() - started) * 1000 / count]
    return found


def measure_ip(count: int) -> Samples:
    """The steps of an attachment as commands."""
    subprocess.run(["ip", "link", "add", "br9", "type", "bridge"], check=True)
    subprocess.run(["ip", "link", "set", "br9", "up"], check=True)
    found: Samples = {"attach": [], "detach": []}
    for number in range(count):
        name, port = f"tidegate-bench-{number}", f"vb{number}"
        inside = ["ip", "-n", name]
        steps = [
            ["ip", "netns", "add", name],
            ["ip", "link", "add", port, "master", "br9", "type", "veth", "peer", "name", "eth0", "netns", name],
            ["ip", "link", "set", port, "up"],
            [*inside, "link", "set", "lo", "up"],
            [*inside, "link", "set", "eth0", "up"],
            [*inside, "address", "add", "10.91.0.2/16", "dev", "eth0"],
            [*inside, "route", "add", "default", "via", "10.91.0.1"],
        ]
        found["attach"].append(timed(lambda steps=steps: run_all(steps)))
        found["detach"].append(timed(lambda name=name: run_all([["ip", "netns", "delete", name]])))
    return found


def run_all(commands: Sequence[Sequence[str]]) -> None:
    for command in commands:
        subprocess.run(command, check=True)


def summarize(samples: Samples) -> dict[str, dict[str, float]]:
    def one(values: list[float]) -> dict[str, float]:
        if len(values) == 1:
            return {"mean": round(values[0], 3)}
        p95 = statistics.quantiles(values, n=20)[-1]
        return {"p50": round(statistics.median(values), 3), "p95": round(p95, 3), "min": round(min(values), 3)}

    return {name: one(values) for name, values in samples.items()}


def measure(directory: Path, count: int, present: int) -> dict[str, dict[str, dict[str, float]]]:
    rows: dict[str, Samples] = {}
    loop = {"use_uvloop": True}
    for heat, pool in (("cold", 0), ("warm", _POOL)):
        rows[f"inline {heat}"] = measure_inline(directory / f"inline-{heat}", count, present, pool)
        arguments = (directory / f"async-{heat}", count, present, pool, False)
        rows[f"async {heat}"] = anyio.run(measure_async, *arguments, backend_options=loop)
    arguments = (directory / "burst", count, present, _POOL, True)
    rows["burst"] = anyio.run(measure_async, *arguments, backend_options=loop)
    rows["ip"] = measure_ip(min(count, 30))
    return {name: summarize(samples) for name, samples in rows.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--present", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, host_network():
        before = link_names()
        found = measure(Path(directory), options.count, options.present)
        assert eventually(lambda: link_names() - {"br9"} == before)
    print(f"{'milliseconds':14} {'attach p50':>10} {'p95':>8} {'detach p50':>11} {'p95':>8}")
    for name, row in found.items():
        attach, detach = row["attach"], row["detach"]
        cells = [attach.get("p50", attach.get("mean")), attach.get("p95", ""), detach.get("p50", detach.get("mean"))]
        print(f"{name:14} {cells[0]:>10} {cells[1]:>8} {cells[2]:>11} {detach.get('p95', ''):>8}")
    if options.json:
        options.json.write_text(json.dumps({"count": options.count, "present": options.present, "ms": found}, indent=2))


if __name__ == "__main__":
    main()
