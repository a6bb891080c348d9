"""A server that listens everywhere: nothing but isolation keeps tasks out; and a count of what was tried."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from attacks.attempts import Ledger
from attacks.calls import PROGRAMS
from fixtures.programs import add_programs
from fixtures.rootfs import busybox_tar
from fixtures.server import ServerProcess, leftovers
from fixtures.workload import Workload

LEDGER = pytest.StashKey[Ledger]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LEDGER] = Ledger()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    ledger = config.stash[LEDGER]
    if ledger.tried:
        terminalreporter.write_line(ledger.report)


@pytest.fixture(scope="session")
def ledger(request: pytest.FixtureRequest) -> Ledger:
    return request.config.stash[LEDGER]


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workload]:
    """With the image `busybox`, in which the programs of `attacks.calls` are."""
    directory: Path = tmp_path_factory.mktemp("attacks")
    image = busybox_tar(directory / "busybox.tar")
    add_programs(image, PROGRAMS)
    server = ServerProcess(directory / "state", "--listen", "0.0.0.0:0").start()
    try:
        server.cli("image", "import", str(image), "--tag", "busybox")
        yield Workload(server)
    finally:
        server.teardown()
    assert leftovers(server) == []
