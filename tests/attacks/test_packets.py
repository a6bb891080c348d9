"""A task that is root of its network namespace, and then some, sends what no honest one would: frames by hand."""

from __future__ import annotations

import socket
import struct
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from attacks.attempts import Ledger
from fixtures import frames as f
from fixtures.networks import (
    CIDR,
    GATEWAY,
    GROUPS,
    INTERNET,
    UPLINK,
    HostNetwork,
    ask_from,
    command,
    host_network,
    network_spec,
    run_inside,
    tcp_server,
    unmount_below,
)
from tidegate.kernel.conntrack import count_flows
from tidegate.model.spec import Rule, SecurityGroupSpec
from tidegate.node.network.bridge import BridgeNetwork
from tidegate.node.network.names import ENDPOINT_ADDRESS

pytestmark = [pytest.mark.anyio, pytest.mark.host, pytest.mark.fault]

INSTANCE = "00c0ffee"
EVIL, VICTIM, FRIEND = network_spec(10), network_spec(11, "sg-other"), network_spec(12)
"""FRIEND is in the attacker's own group: what is allowed gets there."""
BRIDGE_MAC = "02:00:00:c0:ff:ee"
ANYWHERE_V6 = "ff02::1"
LINK_LOCAL = "fe80::1"
FLOWS = 4096
OPEN = SecurityGroupSpec(id="sg-default", ingress=(Rule(protocol="-1", cidr=CIDR),), egress=GROUPS["sg-other"].egress)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[HostNetwork]:
    with host_network() as found:
        yield found
    assert unmount_below(tmp_path) == []


@dataclass(frozen=True, slots=True)
class Scene:
    """Three tasks' namespaces on one host."""

    network: BridgeNetwork
    host: HostNetwork
    evil: Path
    victim: Path
    friend: Path


@pytest.fixture
async def scene(host: HostNetwork, tmp_path: Path) -> AsyncIterator[Scene]:
    network = BridgeNetwork(INSTANCE, tmp_path, CIDR, resolvers=(), pool_size=1)
    await network.open()
    try:
        await network.apply_security_groups(GROUPS)
        evil, victim, friend = [
            await network.attach(name, spec) for name, spec in (("evil", EVIL), ("victim", VICTIM), ("friend", FRIEND))
        ]
        yield Scene(network, host, evil, victim, friend)
    finally:
        for task in network.attached():
            await network.detach(task)
        await network.close(remove=True)


def udp(canary: bytes, source: str, target: str, **more: object) -> bytes:
    return f.ip_packet(source, target, f.UDP, f.udp_packet(canary), **more)  # type: ignore[arg-type]


def frame(packet: bytes, *, to: str = BRIDGE_MAC, of: str = EVIL.mac, kind: int = f.IP) -> bytes:
    return f.ethernet(to, of, kind, packet)


def false_addresses() -> dict[str, bytes]:
    """Frames under addresses that are another's."""
    me, them, friend = EVIL.address, VICTIM.address, FRIEND.address
    c = b"canary "
    return {
        "another's IP address": frame(udp(c + b"a1", friend, them)),
        "another's IP and hardware address": frame(udp(c + b"a2", friend, them), of=FRIEND.mac),
        "another's hardware address": frame(udp(c + b"a3", me, friend), of=FRIEND.mac),
        "the gateway's address": frame(udp(c + b"a4", GATEWAY, friend)),
        "the gateway's hardware address": frame(udp(c + b"a5", me, friend), of=BRIDGE_MAC),
        "the endpoint's address": frame(udp(c + b"a6", ENDPOINT_ADDRESS, friend)),
        "an address of the world": frame(udp(c + b"a7", INTERNET, friend)),
        "an address of the host": frame(udp(c + b"a8", UPLINK, friend)),
        "the loopback's address": frame(udp(c + b"a9", "127.0.0.1", friend)),
        "no address": frame(udp(c + b"a10", "0.0.0.0", friend)),
        "a multicast hardware address": frame(udp(c + b"a11", me, friend), of="01:00:5e:00:00:01"),
        "another's address to the world": frame(udp(c + b"a12", friend, INTERNET)),
    }


def ways_past_the_gateway() -> dict[str, bytes]:
    """Frames that are for another port of the bridge itself, or that a filter of IP packets might not look into."""
    me, them = EVIL.address, VICTIM.address
    plain = udp(b"canary b0", me, them)
    tagged = struct.pack("!HH", 0, f.IP)
    return {
        "to the victim's hardware address": frame(udp(b"canary b1", me, them), to=VICTIM.mac),
        "to everybody": frame(udp(b"canary b2", me, them), to=f.BROADCAST),
        "to a multicast group": frame(udp(b"canary b3", me, "224.0.0.1"), to="01:00:5e:00:00:01"),
        "to the broadcast address": frame(udp(b"canary b4", me, "255.255.255.255"), to=f.BROADCAST),
        "in a VLAN": frame(tagged + udp(b"canary b5", me, them), to=VICTIM.mac, kind=f.VLAN),
        "in VLAN 0 to the gateway": frame(tagged + udp(b"canary b6", me, them), kind=f.VLAN),
        "in two VLANs": frame(struct.pack("!HH", 1, f.VLAN) + tagged + plain, to=VICTIM.mac, kind=f.QINQ),
        "as MPLS": frame(struct.pack("!I", 0x00001140) + plain, to=VICTIM.mac, kind=0x8847),
        "as PPPoE": frame(b"\x11\0\0\1\0\x10\0\x21" + plain, to=VICTIM.mac, kind=0x8864),
        "as an unknown type": frame(plain, to=VICTIM.mac, kind=0x9999),
        "as LLC": f.ethernet(VICTIM.mac, EVIL.mac, len(plain) + 3, b"\x42\x42\x03" + plain),
        "to the bridge's own group": f.ethernet(
            "01:80:c2:00:00:00", EVIL.mac, 40, b"\x42\x42\x03canary b7" + b"\0" * 40
        ),
        "as EAPOL": frame(b"\2\0\0\0canary b8", to="01:80:c2:00:00:03", kind=0x888E),
        "as LLDP": frame(b"canary b9" + b"\0" * 40, to="01:80:c2:00:00:0e", kind=0x88CC),
        "to itself": frame(udp(b"canary b10", me, me), to=EVIL.mac),
    }


def neighbour_discovery() -> dict[str, bytes]:
    """Claims to be the gateway, a router or a server of addresses."""
    claim = (EVIL.mac, GATEWAY)
    anybody = (f.BROADCAST, GATEWAY)
    advertisement = f.icmp_packet(134, 0, b"\x40\xc0\x07\x08", b"\0" * 8 + b"canary c")
    offer = f.udp_packet(b"\2\1\6\0canary dhcp" + b"\0" * 230 + b"\x63\x82\x53\x63\x35\1\5\xff", source=67, target=68)
    return {
        "a gratuitous answer for the gateway": frame(f.arp_packet(2, claim, anybody), to=f.BROADCAST, kind=f.ARP),
        "a gratuitous question for the gateway": frame(f.arp_packet(1, claim, anybody), to=f.BROADCAST, kind=f.ARP),
        "an answer for a neighbour, to the victim": frame(
            f.arp_packet(2, (EVIL.mac, FRIEND.address), (VICTIM.mac, VICTIM.address)), to=VICTIM.mac, kind=f.ARP
        ),
        "an answer for the victim, to the gateway": frame(
            f.arp_packet(2, (EVIL.mac, VICTIM.address), (BRIDGE_MAC, GATEWAY)), kind=f.ARP
        ),
        "its own address with the victim's hardware": frame(
            f.arp_packet(2, (VICTIM.mac, EVIL.address), (BRIDGE_MAC, GATEWAY)), kind=f.ARP
        ),
        "its own address, to everybody": frame(
            f.arp_packet(1, (EVIL.mac, EVIL.address), (f.BROADCAST, VICTIM.address)), to=f.BROADCAST, kind=f.ARP
        ),
        "a reverse answer": frame(f.arp_packet(4, claim, anybody), to=f.BROADCAST, kind=f.RARP),
        "an IPv6 router": frame(
            f.ipv6_packet(LINK_LOCAL, ANYWHERE_V6, 58, advertisement), to="33:33:00:00:00:01", kind=f.IPV6
        ),
        "an IPv6 neighbour": frame(
            f.ipv6_packet(LINK_LOCAL, ANYWHERE_V6, 58, f.icmp_packet(136, 0, b"\x20\0\0\0", b"canary c2")),
            to="33:33:00:00:00:01",
            kind=f.IPV6,
        ),
        "an IPv6 datagram": frame(
            f.ipv6_packet(LINK_LOCAL, "fe80::2", f.UDP, f.udp_packet(b"canary c3")), to=VICTIM.mac, kind=f.IPV6
        ),
        "a DHCP server": frame(f.ip_packet(EVIL.address, "255.255.255.255", f.UDP, offer), to=f.BROADCAST),
    }


def ways_past_the_rules() -> dict[str, bytes]:
    """Packets by the gateway that a rule might not recognise for what they are."""
    me, them = EVIL.address, VICTIM.address
    pair = (me, them)
    route = b"\x83\x07\x04" + socket.inet_aton(them)
    strict = b"\x89\x07\x04" + socket.inet_aton(them)
    record = b"\x07\x07\x04" + b"\0" * 4
    long = f.udp_packet(b"canary d-long" + b"x" * 100)
    redirect = socket.inet_aton(me) + udp(b"canary d1", them, INTERNET)[:28]
    return {
        "a loose source route": frame(
            f.ip_packet(me, FRIEND.address, f.UDP, f.udp_packet(b"canary d2"), options=route)
        ),
        "a loose source route by the gateway": frame(
            f.ip_packet(me, GATEWAY, f.UDP, f.udp_packet(b"canary d3"), options=route)
        ),
        "a strict source route": frame(f.ip_packet(me, GATEWAY, f.UDP, f.udp_packet(b"canary d4"), options=strict)),
        "recorded": frame(f.ip_packet(me, them, f.UDP, f.udp_packet(b"canary d5"), options=record)),
        "the first fragment": frame(f.ip_packet(me, them, f.UDP, long[:64], fragment=0x2000, number=7)),
        "the rest of it": frame(f.ip_packet(me, them, f.UDP, long[64:], fragment=0x0008, number=7)),
        "a fragment without its beginning": frame(
            f.ip_packet(me, them, f.UDP, b"canary d6", fragment=0x0010, number=8)
        ),
        "a fragment that is too small for ports": frame(
            f.ip_packet(me, them, f.TCP, b"canary d", fragment=0x2000, number=9)
        ),
        "TCP without SYN": frame(f.ip_packet(me, them, f.TCP, f.tcp_packet(pair, b"canary d7", 0x18))),
        "TCP with SYN and ACK": frame(f.ip_packet(me, them, f.TCP, f.tcp_packet(pair, b"canary d8", 0x12))),
        "TCP with no flag": frame(f.ip_packet(me, them, f.TCP, f.tcp_packet(pair, b"canary d9", 0))),
        "TCP with every flag": frame(f.ip_packet(me, them, f.TCP, f.tcp_packet(pair, b"canary d10", 0xFF))),
        "TCP reset": frame(f.ip_packet(me, them, f.TCP, f.tcp_packet(pair, b"canary d11", 0x04))),
        "GRE": frame(f.ip_packet(me, them, 47, b"\0\0\x08\0canary d12")),
        "IP in IP": frame(f.ip_packet(me, GATEWAY, 4, udp(b"canary d13", FRIEND.address, them))),
        "IPv6 in IP": frame(f.ip_packet(me, GATEWAY, 41, b"canary d14" + b"\0" * 40)),
        "SCTP": frame(f.ip_packet(me, them, 132, b"canary d15" + b"\0" * 20)),
        "IGMP": frame(f.ip_packet(me, "224.0.0.22", 2, b"\x22\0\0\0canary d16")),
        "an echo request": frame(f.ip_packet(me, them, f.ICMP, f.icmp_packet(8, 0, b"\0\1\0\1", b"canary d17"))),
        "an echo reply": frame(f.ip_packet(me, them, f.ICMP, f.icmp_packet(0, 0, b"\0\1\0\1", b"canary d18"))),
        "a redirect": frame(f.ip_packet(me, them, f.ICMP, f.icmp_packet(5, 1, redirect[:4], redirect[4:]))),
        "a wrong length": frame(udp(b"canary d19", me, them)[:-3] + b""),
        "a wrong version": frame(b"\x65" + udp(b"canary d20", me, them)[1:]),
    }


FAMILIES = {
    "false addresses": false_addresses,
    "past the gateway": ways_past_the_gateway,
    "neighbour discovery": neighbour_discovery,
    "past the rules": ways_past_the_rules,
}


@pytest.mark.parametrize("family", FAMILIES)
async def test_frames(scene: Scene, ledger: Ledger, family: str) -> None:
    """
    Each is lost: no task, not even one of its own group, and nobody outside hears any of them.

    An honest datagram to its own group arrives, so it is not that nothing could.
    """
    made = FAMILIES[family]()
    honest = frame(udp(b"honest", EVIL.address, FRIEND.address))
    neighbours = command("ip", "neigh")
    with (
        f.sniffing(scene.victim) as victim,
        f.sniffing(scene.friend) as friend,
        f.sniffing(scene.host.internet, "wan1") as world,
    ):
        run_inside(scene.evil, lambda: f.send_frames(*made.values(), honest))
        seen = {"victim": victim.frames(), "friend": friend.frames(), "world": world.frames()}
    heard = [
        f"{name} was heard by {who}"
        for name, sent in made.items()
        for who, got in seen.items()
        if any(is_of(frame, sent) for frame in got)
    ]
    for name in made:
        ledger.enter(family, name, is_success=any(text.startswith(name) for text in heard))
    assert not heard, "\n".join(heard)
    assert any(b"honest" in frame for frame in seen["friend"])
    assert command("ip", "neigh") == neighbours


def is_of(frame: bytes, sent: bytes) -> bool:
    """Whether a frame carries what was sent, whatever happened to its headers on the way."""
    at = sent.find(b"canary")
    if at >= 0:
        return sent[at : at + 10] in frame
    return frame[12:] == sent[12:]


async def test_nobodys_tables_have_changed(scene: Scene, ledger: Ledger) -> None:
    """After ten thousand frames under false addresses the bridge knows no port more, and everybody is still found."""
    flood = [
        frame(udp(b"flood", EVIL.address, FRIEND.address), of=f"0a:11:22:33:{n >> 8:02x}:{n & 255:02x}")
        for n in range(10_000)
    ]
    run_inside(scene.evil, lambda: f.send_frames(*flood))
    known = command("bridge", "fdb", "show", "br", f"tg-{INSTANCE}")
    assert EVIL.mac in known
    ledger.enter("tables", "the bridge's ports", is_success="0a:11:22:33" in known)
    assert "0a:11:22:33" not in known
    with tcp_server(scene.friend, 80):
        assert ask_from(scene.evil, FRIEND.address, 80) == EVIL.address


ERRORS = ((3, 3, b"\0" * 4), (3, 1, b"\0" * 4), (3, 4, b"\0\0\2\0"), (11, 0, b"\0" * 4), (5, 1, b"\0" * 4))
"""Port and host unreachable, fragmentation needed, time exceeded, a redirect."""


@pytest.mark.parametrize("peer", [FRIEND.address, INTERNET])
async def test_errors_of_connections_that_are_anothers(scene: Scene, ledger: Ledger, peer: str) -> None:
    """
    ICMP errors about a victim's running connection, from a task that has no part in it, do not reach the victim.

    Not about one to another task, nor about one to the world, whose packets are under the host's address there.
    """
    await scene.network.apply_security_groups({**GROUPS, "sg-default": OPEN})
    place = scene.host.internet if peer == INTERNET else scene.friend
    with (
        f.sniffing(place, "wan1" if peer == INTERNET else "eth0") as there,
        run_inside(scene.victim, lambda: connected(peer)),
    ):
        (arrived,) = [got for got in there.frames() if b"hello" in got]
        outside = socket.inet_ntoa(arrived[26:30])
        port = int.from_bytes(arrived[34:36], "big")
        inner = f.ip_packet(outside, peer, f.UDP, f.udp_packet(b"hello", source=port, target=5353))
        forged = [
            frame(f.ip_packet(EVIL.address, outside, f.ICMP, f.icmp_packet(kind, code, rest, inner)))
            for kind, code, rest in ERRORS
        ]
        with f.sniffing(scene.victim) as victim:
            run_inside(scene.evil, lambda: f.send_frames(*forged))
            heard = [got[34:36] for got in victim.frames() if got[12:14] == b"\x08\0" and got[23] == f.ICMP]
    for _ in forged:
        ledger.enter("errors of connections", f"about one to {peer}", is_success=bool(heard))
    assert heard == []


def connected(peer: str) -> socket.socket:
    """A connection by UDP in which something has been sent."""
    found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    found.connect((peer, 5353))
    found.send(b"hello")
    return found


async def test_a_peers_own_error_arrives(scene: Scene) -> None:
    """That is how a client learns that nobody listens."""
    with run_inside(scene.evil, lambda: connected(FRIEND.address)) as asker:
        asker.settimeout(2)
        with pytest.raises(ConnectionRefusedError):
            asker.recv(10)


async def test_the_table_of_connections_can_not_be_filled(scene: Scene, ledger: Ledger) -> None:
    """A flood of connections that are begun and never used: the rest of the host's table is everybody else's."""

    def flood() -> None:
        sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        pair = (EVIL.address, INTERNET)
        with sender:
            for port in range(1024, 1024 + 3 * FLOWS):
                syn = f.tcp_packet(pair, b"", 0x02, source=port, target=80)
                sender.sendto(f.ip_packet(*pair, f.TCP, syn), (INTERNET, 0))
                sender.sendto(f.ip_packet(*pair, f.UDP, f.udp_packet(b"x", source=port)), (INTERNET, 0))

    run_inside(scene.evil, flood)
    ledger.enter("floods", "the table of connections", is_success=count_flows() > FLOWS + 200)
    assert count_flows() <= FLOWS + 200
    with tcp_server(scene.friend, 81), tcp_server(scene.host.internet, 81):
        assert ask_from(scene.victim, INTERNET, 81) == UPLINK
        assert ask_from(scene.friend, INTERNET, 81) == UPLINK


async def test_a_flood_of_calls_to_the_endpoint_stops_at_the_bridge(scene: Scene, ledger: Ledger) -> None:
    """Of ten thousand connections that one task begins, some hundreds arrive; another task's come through at once."""
    listener = scene.network.listen_to_tasks()

    def flood() -> None:
        sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        mac = f"02:01:{INSTANCE[:2]}:{INSTANCE[2:4]}:{INSTANCE[4:6]}:{INSTANCE[6:]}"
        pair = (EVIL.address, ENDPOINT_ADDRESS)
        with sender:
            sender.bind(("eth0", 0))
            for port in range(1024, 11_024):
                syn = f.tcp_packet(pair, b"", 0x02, source=port, target=80)
                sender.send(frame(f.ip_packet(*pair, f.TCP, syn), to=mac))

    with listener, f.sniffing(None, f"e{INSTANCE}") as seen:
        run_inside(scene.evil, flood)
        arrived = sum(1 for got in seen.frames() if got[12:14] == b"\x08\0")
        ledger.enter("floods", "the endpoint", is_success=arrived > 3000)
        assert run_inside(scene.friend, connects_to_endpoint)
    assert arrived <= 3000


def connects_to_endpoint() -> bool:
    with socket.create_connection((ENDPOINT_ADDRESS, 80), timeout=3):
        return True
