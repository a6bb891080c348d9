"""Beside a firewall that drops what it doesn't know."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fixtures.networks import GROUPS, INTERNET, UPLINK, HostNetwork, ask_from, command, network_spec, tcp_server
from tidegate.node.network.bridge import BridgeNetwork
from tidegate.node.network.host_firewall import find_droppers, is_in_the_way, plan_accepts, plan_removals
from tidegate.node.network.names import Names

NAMES = Names("00c0ffee")
IN = "-i tg-00c0ffee -m comment --comment tidegate_00c0ffee -j ACCEPT"
OUT = "-o tg-00c0ffee -m comment --comment tidegate_00c0ffee -j ACCEPT"
SOON = 0.25
BRIDGED = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
"""Makes bridges ask iptables, as Docker does."""


@pytest.mark.parametrize(
    "listing, expected",
    [
        ("-P FORWARD ACCEPT\n", False),
        ("-P FORWARD ACCEPT\n-A FORWARD -i docker0 -j DROP\n", False),
        ("-P FORWARD DROP\n", True),
        ("-P FORWARD ACCEPT\n-A FORWARD -j REJECT --reject-with icmp-host-prohibited\n", True),
        ("-P FORWARD ACCEPT\n-A FORWARD -j DOCKER-USER\n", True),
    ],
)
def test_rules_are_added_only_where_forwarded_traffic_may_be_dropped(listing: str, expected: bool) -> None:
    """By the chain's policy, by a last rule for all, or by Docker."""
    assert is_in_the_way(listing) is expected


def test_accepts_go_to_the_end_of_a_chain_without_an_end() -> None:
    """After what the administrator refuses, before the policy."""
    planned = plan_accepts("-P FORWARD DROP\n-A FORWARD -s 10.0.0.9/32 -j DROP\n", "FORWARD", NAMES)
    assert planned == [["-A", "FORWARD", *IN.split()], ["-A", "FORWARD", *OUT.split()]]


def test_accepts_go_before_the_rule_that_ends_a_chain() -> None:
    """Docker's own chain ends with a return for everything."""
    listing = "-N DOCKER-USER\n-A DOCKER-USER -s 10.0.0.9/32 -j DROP\n-A DOCKER-USER -j RETURN\n"
    planned = plan_accepts(listing, "DOCKER-USER", NAMES)
    assert planned == [["-I", "DOCKER-USER", "2", *IN.split()], ["-I", "DOCKER-USER", "2", *OUT.split()]]


def test_what_is_there_is_not_added_again() -> None:
    """Reconciling is idempotent, with the comment quoted or not."""
    quoted = IN.replace("tidegate_00c0ffee -j", '"tidegate_00c0ffee" -j')
    listing = f"-P FORWARD DROP\n-A FORWARD {quoted}\n-A FORWARD {OUT}\n"
    assert plan_accepts(listing, "FORWARD", NAMES) == []


def test_only_our_own_rules_are_removed() -> None:
    """By comment and content, in any chain; another instance's stay."""
    other = IN.replace("00c0ffee", "00c0ffef")
    listing = f"-P FORWARD DROP\n-A FORWARD {other}\n-A DOCKER-USER {IN}\n-A FORWARD -s 1.2.3.4/32 -j DROP\n"
    assert plan_removals(listing, NAMES) == [["-D", "DOCKER-USER", *IN.split()]]


def test_chains_of_others_that_drop_are_named() -> None:
    """What can't be overruled from another table is reported; our own and iptables' are not."""
    base = "\tchain forward {{\n\t\ttype filter hook forward priority filter; policy {};\n\t}}\n}}\n"
    listing = "table inet mine {\n" + base.format("drop") + "table ip filter {\n" + base.format("drop")
    listing += "table inet tidegate_00c0ffee {\n" + base.format("drop") + "table inet calm {\n" + base.format("accept")
    (problem,) = find_droppers(listing, NAMES.table)
    assert "table inet mine drops forwarded traffic" in problem


@pytest.mark.host
@pytest.mark.anyio
@pytest.mark.parametrize("program", ["iptables", "iptables-legacy"])
@pytest.mark.parametrize("docker_is_there", [False, True])
async def test_tasks_talk_beside_a_firewall_that_drops(
    network: BridgeNetwork, host: HostNetwork, program: str, docker_is_there: bool
) -> None:
    """With FORWARD set to drop traffic stops, and flows again once reconciled; removal leaves the chains as before."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    if docker_is_there:
        if BRIDGED.exists():
            BRIDGED.write_text("1")
        command(program, "-N", "DOCKER-USER")
        command(program, "-A", "DOCKER-USER", "-j", "RETURN")
        command(program, "-A", "FORWARD", "-j", "DOCKER-USER")
    command(program, "-P", "FORWARD", "DROP")
    before = command(program, "-S")
    first, second = await network.attach("a", network_spec(10)), await network.attach("b", network_spec(11))
    with tcp_server(second, 80), tcp_server(host.internet, 80):
        assert ask_from(first, "10.90.0.11", 80, SOON) is None
        assert await network.reconcile_host_firewall() == ()
        assert await network.reconcile_host_firewall() == ()
        assert command(program, "-S").count("tidegate_00c0ffee") == 2
        assert ask_from(first, "10.90.0.11", 80) == "10.90.0.10"
        assert ask_from(first, INTERNET, 80) == UPLINK
        await network.apply_security_groups({**GROUPS, "sg-default": GROUPS["sg-other"]})
        assert ask_from(first, "10.90.0.11", 80, SOON) is None
    await network.detach("a")
    await network.detach("b")
    await network.close(remove=True)
    assert command(program, "-S") == before


@pytest.mark.host
@pytest.mark.anyio
async def test_a_table_that_drops_is_reported(network: BridgeNetwork) -> None:
    """The message names the table."""
    chain = "type filter hook forward priority 0; policy drop;"
    command("nft", f"add table inet strict; add chain inet strict forward {{ {chain} }}")
    (problem,) = await network.reconcile_host_firewall()
    assert "table inet strict drops forwarded traffic" in problem


@pytest.mark.host
@pytest.mark.anyio
async def test_a_default_route_that_moves_is_followed(network: BridgeNetwork, host: HostNetwork) -> None:
    """A bridge that becomes the way to the world is the world from then on."""
    command("ip", "route", "replace", "default", "via", "198.51.100.2", "dev", "other0")
    await network.reconcile_host_firewall()
    assert '"other0"' in command("nft", "list", "set", "inet", "tidegate_00c0ffee", "uplinks")


@pytest.mark.host
@pytest.mark.anyio
async def test_an_iptables_that_fails_is_reported(
    network: BridgeNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network goes on: its own rules hold, and the words say what failed."""
    command("nft", "add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; }")
    (tmp_path / "iptables").write_text("#!/bin/sh\necho broken >&2\nexit 4\n")
    (tmp_path / "iptables").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    (problem,) = await network.reconcile_host_firewall()
    assert "cannot let tg-00c0ffee pass the host's firewall" in problem
    assert problem.endswith("broken")
    (tmp_path / "iptables").unlink()
    assert await network.reconcile_host_firewall() == ()
