"""What a network leaves on the host, in life and after death."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.networks import (
    CIDR,
    GROUPS,
    HostNetwork,
    ask,
    ask_from,
    command,
    eventually,
    link_names,
    network_spec,
    run_inside,
    tcp_server,
)
from tidegate.model.spec import PublishedPort
from tidegate.node.network.bridge import BridgeNetwork
from tidegate.node.network.network import NetworkFailure

pytestmark = [pytest.mark.anyio, pytest.mark.host]

FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
CHILD = Path(__file__).parents[3] / "fixtures" / "network_child.py"


def make_network(directory: Path, instance: str = "00c0ffee", cidr: str = CIDR, pool_size: int = 1) -> BridgeNetwork:
    return BridgeNetwork(instance, directory, cidr, resolvers=(), pool_size=pool_size)


def mounts_below(directory: Path) -> list[str]:
    return [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(directory) in line]


def assert_nothing_left(directory: Path, links: set[str]) -> None:
    """The host is as it was before."""
    assert link_names() == links
    assert command("nft", "list", "tables") == ""
    assert mounts_below(directory) == []
    assert command("ip", "neighbour", "show", "nud", "permanent") == ""
    assert FORWARD.read_text().strip() == "0"


async def test_a_removed_network_leaves_nothing(host: HostNetwork, tmp_path: Path) -> None:
    """Bridge, interfaces, tables, mounts, forwarding: all as before."""
    FORWARD.write_text("0")
    before = link_names()
    network = make_network(tmp_path, pool_size=3)
    await network.open()
    await network.apply_security_groups(GROUPS)
    await network.attach("a", network_spec(10, published=(PublishedPort(host_port=8080, container_port=80),)))
    await network.detach("a")
    await network.close(remove=True)
    assert_nothing_left(tmp_path, before)


async def test_many_tasks_come_and_go_without_a_trace(host: HostNetwork, tmp_path: Path) -> None:
    """A thousand attachments: no interface, element, file or open file stays, and the last is as whole as the first."""
    FORWARD.write_text("0")
    before = link_names()
    network = make_network(tmp_path, pool_size=0)
    await network.open()
    await network.apply_security_groups(GROUPS)
    await network.attach("a", network_spec(10))
    await network.detach("a")
    rules, files = command("nft", "list", "ruleset"), len(os.listdir("/proc/self/fd"))
    for number in range(1000):
        await network.attach(f"task-{number}", network_spec(2 + number % 200))
        if number < 990:
            await network.detach(f"task-{number}")
    for number in range(990, 1000):
        await network.detach(f"task-{number}")
    assert command("nft", "list", "ruleset") == rules
    assert len(os.listdir("/proc/self/fd")) == files
    assert list((tmp_path / "netns").iterdir()) == list((tmp_path / "attachments").iterdir()) == []
    assert eventually(lambda: link_names() == {*before, "tg-00c0ffee", "e00c0ffee"})
    await network.close(remove=True)
    assert_nothing_left(tmp_path, before)


async def test_a_server_that_is_killed_anywhere_is_succeeded_by_one_that_finds_all(
    host: HostNetwork, tmp_path: Path
) -> None:
    """
    Killed before any step of attach or detach: the next server has whole tasks or none, and nothing half made.

    What was attached before goes on working, published port and rules included.
    """
    FORWARD.write_text("0")
    before = link_names()
    is_whole, step = False, 0
    while not is_whole:
        step += 1
        directory = tmp_path / str(step)
        is_whole = run_and_kill(directory, step)
        network = make_network(directory)
        await network.open()
        with tcp_server(directory / "netns" / "a", 80):
            assert network.attached() in ({"a"}, {"a", "b"}, {"a", "b", "c"}, {"a", "c"})
            assert network.attached() == {"a", "c"} or not is_whole
            assert ask("127.0.0.1", 8080) == "10.90.0.1"
            friend = await network.attach("d", network_spec(13))
            assert ask_from(friend, "10.90.0.10", 80) == "10.90.0.13"
        await network.attach("b", network_spec(11, "sg-other"))
        await network.attach("c", network_spec(12))
        assert sorted(path.name for path in (directory / "netns").iterdir()) == ["a", "b", "c", "d"]
        for task in ("a", "b", "c", "d"):
            await network.detach(task)
        await network.close(remove=True)
        assert_nothing_left(directory, before)
    assert step > 10


async def test_running_connections_outlive_the_server(host: HostNetwork, tmp_path: Path) -> None:
    """The tables are made anew in one transaction when the next server opens; the rules of before bind again."""
    first = make_network(tmp_path)
    await first.open()
    await first.apply_security_groups(GROUPS)
    paths = [await first.attach(task, network_spec(10 + at)) for at, task in enumerate("ab")]
    with run_inside(paths[0], lambda: socket.create_server(("", 80))) as listener:
        running = run_inside(paths[1], lambda: socket.create_connection(("10.90.0.10", 80)))
        accepted, _ = listener.accept()
        await first.close(remove=False)
        second = make_network(tmp_path)
        await second.open()
        with running, accepted:
            running.sendall(b"still here")
            assert accepted.recv(100) == b"still here"
    with tcp_server(paths[0], 80):
        assert ask_from(paths[1], "10.90.0.10", 80) == "10.90.0.11"
    await second.detach("a")
    await second.detach("b")
    await second.close(remove=True)


async def test_attachments_of_before_a_reboot_are_forgotten(host: HostNetwork, tmp_path: Path) -> None:
    """Files without a namespace behind them are no tasks, nor is half a file."""
    (tmp_path / "netns").mkdir()
    (tmp_path / "attachments").mkdir()
    (tmp_path / "netns" / "a").touch()
    (tmp_path / "attachments" / "a.json").write_text('{"task":"a","port":"t00c0ffee000001","spec":')
    (tmp_path / "groups.json").write_text("{")
    network = make_network(tmp_path)
    await network.open()
    assert network.attached() == set()
    assert list((tmp_path / "netns").iterdir()) == list((tmp_path / "attachments").iterdir()) == []
    await network.close(remove=True)


async def test_a_port_that_was_taken_meanwhile_stays_with_its_new_owner(host: HostNetwork, tmp_path: Path) -> None:
    """Published ports that somebody else listens on when the server comes back are not taken from them."""
    first = make_network(tmp_path)
    await first.open()
    await first.attach("a", network_spec(10, published=(PublishedPort(host_port=8080, container_port=80),)))
    await first.close(remove=False)
    with tcp_server(None, 8080):
        second = make_network(tmp_path)
        await second.open()
        with tcp_server(tmp_path / "netns" / "a", 80):
            assert ask("127.0.0.1", 8080) == "127.0.0.1"
            assert ask("10.90.0.10", 80) == "10.90.0.1"
        await second.detach("a")
        await second.close(remove=True)


async def test_forwarding_ends_with_the_last_server(host: HostNetwork, tmp_path: Path) -> None:
    """Whoever switched it on: it is switched off when the last bridge goes, and not before."""
    FORWARD.write_text("0")
    first, second = make_network(tmp_path / "1"), make_network(tmp_path / "2", "00c0ffef", "10.91.0.0/16")
    await first.open()
    await second.open()
    await first.close(remove=True)
    assert FORWARD.read_text().strip() == "1"
    await second.close(remove=True)
    assert FORWARD.read_text().strip() == "0"


async def test_forwarding_that_was_on_stays_on(host: HostNetwork, tmp_path: Path) -> None:
    """What the administrator set is not ours to undo."""
    FORWARD.write_text("1")
    network = make_network(tmp_path)
    await network.open()
    await network.close(remove=True)
    assert FORWARD.read_text().strip() == "1"


async def test_a_range_that_the_host_routes_elsewhere_is_refused(host: HostNetwork, tmp_path: Path) -> None:
    """Opening never takes a network away from the host."""
    command("ip", "route", "add", CIDR, "dev", "other0")
    with pytest.raises(NetworkFailure, match=r"cannot use 10\.90\.0\.0/16 for tasks: the host has a route to it"):
        await make_network(tmp_path).open()
    command("ip", "link", "del", "tg-00c0ffee")


async def test_a_task_in_a_foreign_range_is_refused(network: BridgeNetwork) -> None:
    """An address outside of the server's range, or the gateway's own, is nobody's."""
    spec = network_spec(10)
    values = {name: getattr(spec, name) for name in spec.__struct_fields__}
    for address in ("10.91.0.10", "10.90.0.1", "nonsense"):
        with pytest.raises(NetworkFailure, match="cannot attach task a"):
            await network.attach("a", type(spec)(**{**values, "address": address}))
    with pytest.raises(NetworkFailure, match="not letters, digits"):
        await network.attach("../a", spec)
    assert network.attached() == set()


def run_and_kill(directory: Path, step: int) -> bool:
    """Run the child until it dies at that step; if it comes to its end first, kill it then and say True."""
    source = str(Path(__file__).parents[3])
    arguments = [sys.executable, str(CHILD), str(directory), CIDR, str(step)]
    environment = {**os.environ, "PYTHONPATH": source}
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, env=environment) as child:
        assert child.stdout is not None
        line = child.stdout.readline()
        child.kill()
        assert child.wait() == -signal.SIGKILL
    return line == b"whole\n"
