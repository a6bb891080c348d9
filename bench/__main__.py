"""
`python -m bench [NAME...] [--json FILE]`: measures, prints a table, and keeps the figures as JSON.

Needs root, and a machine that has little else to do. What is compared is measured in turns within one run, so that a
busy moment hits both; ratios count, not milliseconds.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from bench.burst import measure_burst
from bench.density import measure_density
from bench.describe import measure_describe
from bench.endpoint import measure_endpoint
from bench.figures import Figure
from bench.launch import measure_launch
from bench.logs import measure_logs
from bench.pulling import measure_pulling
from bench.startup import measure_startup

RESULTS = Path(__file__).resolve().parent / "results" / "latest.json"
BENCHMARKS: dict[str, Callable[[], list[Figure]]] = {
    "launch": measure_launch,
    "burst": measure_burst,
    "describe": measure_describe,
    "density": measure_density,
    "endpoint": measure_endpoint,
    "startup": measure_startup,
    "images": measure_pulling,
    "logs": measure_logs,
}


def describe_machine() -> dict[str, str]:
    """What the figures depend on."""
    release = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "system": f"{release}, Linux {platform.release()}, {platform.machine()}",
        "cores": str(os.cpu_count()),
        "memory": f"{memory:.0f} GiB",
        "load": " ".join(f"{value:.2f}" for value in os.getloadavg()),
        "python": platform.python_version(),
    }


def show(console: Console, figures: list[Figure]) -> None:
    """The table."""
    table = Table("what", "measured", "goal", "", title="Tidegate, measured", title_justify="left")
    for figure in figures:
        color = {True: "green", False: "red", None: ""}[figure.holds]
        table.add_row(figure.what, figure.measured, figure.goal, figure.verdict, style=color)
    console.print(table)


def main() -> int:
    """Returns 1 when a goal is missed."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(BENCHMARKS)}; all by default")
    parser.add_argument("--json", type=Path, default=RESULTS, help="where the figures go (default: bench/results)")
    options = parser.parse_args()
    if unknown := set(options.names) - set(BENCHMARKS):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    if os.geteuid() != 0:
        print("cannot measure: real containers need root", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is cleaned up
    console = Console()
    machine, figures = describe_machine(), {}
    for name in options.names or BENCHMARKS:
        began = time.monotonic()
        with console.status(f"measuring: {name}"):
            figures[name] = BENCHMARKS[name]()
        console.print(f"{name}: {time.monotonic() - began:.0f} s")
    options.json.parent.mkdir(parents=True, exist_ok=True)
    written = msgspec.json.encode({"machine": machine, "figures": figures})
    options.json.write_bytes(msgspec.json.format(written, indent=2) + b"\n")
    flat = [figure for some in figures.values() for figure in some]
    show(console, flat)
    return 1 if any(figure.holds is False for figure in flat) else 0


if __name__ == "__main__":
    sys.exit(main())
