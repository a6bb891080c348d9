"""Servers to be killed, each on a state directory of its own that is taken away whatever happens to the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from fixtures.rootfs import busybox_tar
from fixtures.server import ServerProcess, leftovers
from fixtures.workload import Workload

NewServer = Callable[..., Workload]


@pytest.fixture(scope="session")
def busybox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tar of a root file system that has nothing but busybox."""
    return busybox_tar(tmp_path_factory.mktemp("busybox") / "busybox.tar")


@pytest.fixture
def new_server(tmp_path: Path, busybox: Path) -> Iterator[NewServer]:
    """Start a server with the image busybox: new_server("--option", directory=...)."""
    with ExitStack() as stack:
        numbers = iter(range(100))

        def start(*options: str, directory: Path | None = None) -> Workload:
            number = next(numbers)
            server = ServerProcess(directory or tmp_path / f"state-{number}", *options)
            server.log = tmp_path / f"server-{number}.log"
            stack.callback(take_away, server)
            server.start()
            server.cli("image", "import", str(busybox), "--tag", "busybox")
            return Workload(server)

        yield start


@pytest.fixture
def work(new_server: NewServer) -> Workload:
    """One server."""
    return new_server()


def take_away(server: ServerProcess) -> None:
    """Nothing may be left after a teardown, and nothing may have come as a surprise to the server."""
    server.teardown()
    assert leftovers(server) == []
    log = server.log.read_text()
    assert "Traceback" not in log, log[log.index("Traceback") - 1000 :][:4000]
