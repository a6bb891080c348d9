"""A task calls what it must not reach: services of the host, the control plane, its neighbours and their secrets."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pytest

from attacks.attempts import NO_ANSWER, Attempt, Ledger, try_all
from fixtures.server import until
from fixtures.workload import REST, Workload, shell

pytestmark = [pytest.mark.host, pytest.mark.fault]

GATEWAY = "$(ip route | grep default | cut -d' ' -f3)"
WEB = "mkdir /www; echo canary >/www/index.html; httpd -p 80 -h /www; " + REST
ROLE = {"taskRoleArn": "arn:aws:iam::000000000000:role/app"}


def get(path: str, host: str = "x", header: str = "") -> str:
    """A command that asks the endpoint by hand."""
    request = f"GET {path} HTTP/1.1\\r\\nHost: {host}\\r\\nConnection: close\\r\\n{header}\\r\\n".replace("%", "%%")
    return f'printf "{request}" | nc -w 3 169.254.170.2 80'


@dataclass(frozen=True, slots=True)
class Service:
    """Of the host, at all its addresses, by TCP and UDP. seen: who has reached it."""

    port: int
    seen: list[str]


@contextmanager
def host_service() -> Iterator[Service]:
    """It answers whoever reaches it."""
    with closing(socket.create_server(("0.0.0.0", 0))) as tcp, closing(_udp_socket(tcp.getsockname()[1])) as udp:
        seen: list[str] = []

        def answer_tcp() -> None:
            with suppress(OSError):
                while True:
                    connection, peer = tcp.accept()
                    with connection:
                        seen.append(f"tcp {peer[0]}")
                        connection.sendall(b"canary\n")

        def answer_udp() -> None:
            with suppress(OSError):
                while (peer := udp.recvfrom(100)[1]) is not None:
                    seen.append(f"udp {peer[0]}")
                    udp.sendto(b"canary\n", peer)

        for work in (answer_tcp, answer_udp):
            threading.Thread(target=work, daemon=True).start()
        yield Service(tcp.getsockname()[1], seen)
        tcp.shutdown(socket.SHUT_RDWR)
        with suppress(OSError):
            udp.shutdown(socket.SHUT_RDWR)


def _udp_socket(port: int) -> socket.socket:
    found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    found.bind(("0.0.0.0", port))
    return found


def host_addresses() -> list[str]:
    """Of this machine's interfaces, the loopback's included."""
    text = subprocess.run(["ip", "-4", "-o", "addr"], capture_output=True, text=True, check=True).stdout
    return [line.split()[3].partition("/")[0] for line in text.splitlines()]


def calls(name: str, address: str, port: int | str) -> list[Attempt]:
    """By TCP and by UDP: whatever comes back would have the word in it."""
    return [
        Attempt(f"{name} by TCP", f"nc -w 2 {address} {port} | grep canary", NO_ANSWER),
        Attempt(
            f"{name} by UDP", f"nslookup -port={port} -timeout=1 -retry=1 x {address}", "no servers|unreachable|denied"
        ),
    ]


def test_services_of_the_host(work: Workload, ledger: Ledger) -> None:
    """At its gateway, at every address that the host has, and at those that mean the host by themselves."""
    with host_service() as service:
        port = service.port
        with socket.create_connection(("127.0.0.1", port)) as connection:
            assert connection.recv(10) == b"canary\n"
        attempts = calls("the gateway", GATEWAY, port)
        for address in {*host_addresses(), "0.0.0.0", "127.0.0.1", "127.1.2.3", "255.255.255.255", "224.0.0.1"}:
            attempts += calls(address, address, port)
        try_all(work, ledger, "services of the host", attempts, at_once=True)
        assert service.seen == ["tcp 127.0.0.1"]


def test_the_control_plane(work: Workload, ledger: Ledger) -> None:
    """The API listens at every address of the host here; no task gets so much as an answer to /health."""
    port = int(work.server.state.read_identity().endpoint.rpartition(":")[2])
    ask = "printf 'GET /health HTTP/1.0\\r\\n\\r\\n' | nc -w 2 {} {} | grep HTTP"
    places = {GATEWAY, *host_addresses(), "127.0.0.1", "169.254.170.2"}
    attempts = [Attempt(f"the API at {place}", ask.format(place, port), NO_ANSWER) for place in sorted(places)]
    attempts += [Attempt("SSH of the host", f"nc -w 2 {GATEWAY} 22 | grep SSH", NO_ANSWER)]
    link_local = {"169.254.169.254": 80, "169.254.170.1": 80, "169.254.170.3": 80, "169.254.0.1": 80}
    attempts += [
        Attempt(f"{address}", f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 2 {address} {at} | grep HTTP", NO_ANSWER)
        for address, at in link_local.items()
    ]
    for at in (22, 81, 443, 4566, 8080, 51678):
        attempts.append(Attempt(f"port {at} of the endpoint", f"nc -w 1 169.254.170.2 {at} && echo open", NO_ANSWER))
    try_all(work, ledger, "the control plane", attempts, at_once=True)


@pytest.fixture
def closed_group(work: Workload) -> Iterator[str]:
    """A security group that lets nobody in."""
    ec2 = work.client("ec2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    group: str = ec2.create_security_group(GroupName="closed", Description="lets nobody in", VpcId=vpc)["GroupId"]
    yield group
    until(lambda: _deleted(ec2, group), "no task uses the group")


def _deleted(ec2: Any, group: str) -> bool:
    try:
        ec2.delete_security_group(GroupId=group)
    except ec2.exceptions.ClientError:
        return False
    return True


@contextmanager
def neighbour_of(work: Workload, group: str) -> Iterator[dict[str, Any]]:
    """A web server in a closed group, with a role; as it is described once it serves."""
    definition = work.register(shell(WEB), family="neighbour", **ROLE)
    network = {"awsvpcConfiguration": {"subnets": work.subnets(), "securityGroups": [group]}}
    answer = work.ecs.run_task(taskDefinition=definition, launchType="FARGATE", networkConfiguration=network)
    arn = answer["tasks"][0]["taskArn"]
    try:
        yield work.wait_one(arn, "RUNNING")
    finally:
        work.stop([arn])
        work.wait_one(arn, "STOPPED")


def test_a_neighbour_of_another_group(work: Workload, ledger: Ledger, closed_group: str) -> None:
    """Its open port by TCP, others by UDP, and whether it is there at all."""
    with neighbour_of(work, closed_group) as neighbour:
        address = neighbour["containers"][0]["networkInterfaces"][0]["privateIpv4Address"]
        attempts = calls("its web server", address, 80)
        attempts += [
            Attempt("a ping", f"ping -c 1 -W 1 {address}", "100% packet loss"),
            Attempt("its address by ARP", f"arping -c 1 -w 1 -I eth0 {address} | grep -i 'reply from'", "^$"),
            Attempt("a route past the gateway", f"ip route add {address}/32 dev eth0", "not permitted|denied"),
            Attempt("its address as its own", f"ip addr add {address}/32 dev eth0", "not permitted|denied"),
            Attempt(
                "its hardware address as its own", "ip link set eth0 address 02:74:0a:00:00:01", "not permitted|denied"
            ),
            Attempt("a bridge of its own", "ip link add br0 type bridge", "not permitted|denied"),
            Attempt("a firewall without rules", "iptables -F", "not found|not permitted|denied"),
        ]
        try_all(work, ledger, "a neighbour's address", attempts, at_once=True)


def test_a_neighbours_metadata_and_credentials(work: Workload, ledger: Ledger, closed_group: str) -> None:
    """By its ids, which are no secret to who may describe tasks; by tricks with paths, hosts and headers."""
    with neighbour_of(work, closed_group) as neighbour:
        runtime_id = neighbour["containers"][0]["runtimeId"]
        task_id = neighbour["taskArn"].rpartition("/")[2]
        address = neighbour["containers"][0]["networkInterfaces"][0]["privateIpv4Address"]
        own = "${ECS_CONTAINER_METADATA_URI_V4##*/}"
        canary = "TaskARN|AccessKeyId|DockerId|memory_stats|ProtectionEnabled"
        paths = [
            f"/v4/{runtime_id}",
            f"/v4/{runtime_id}/task",
            f"/v4/{runtime_id}/stats",
            f"/v4/{runtime_id}/task/stats",
            f"/v4/{runtime_id}/taskWithTags",
            f"/v3/{runtime_id}",
            f"/v3/{runtime_id}/task",
            f"/api/{runtime_id}/task-protection/v1/state",
            f"/v4/{task_id}/task",
            f"/v4/../v4/{runtime_id}/task",
            f"/v4/%2e%2e/v4/{runtime_id}/task",
            f"//v4/{runtime_id}/task",
            f"/v4/{runtime_id}%00/task",
            f"/v4/{runtime_id[:-1]}%{ord(runtime_id[-1]):x}/task",
            f"http://169.254.170.2/v4/{runtime_id}/task",
            f"/v2/credentials/{task_id}",
            f"/v2/credentials/{runtime_id}",
            "/v2/credentials/",
            "/v2/credentials/00000000-0000-0000-0000-000000000000",
            "/v2/credentials/../credentials",
            f"/v4/{own}/../{runtime_id}/task",
        ]
        attempts = [Attempt(f"GET {path}", f"{get(path)} | grep -E '{canary}'", "^$") for path in paths]
        for header in (
            f"X-Forwarded-For: {address}\\r\\n",
            f"X-Real-IP: {address}\\r\\n",
            f"Forwarded: for={address}\\r\\n",
        ):
            path = f"/v4/{runtime_id}/task"
            attempts.append(Attempt(f"with {header[:-4]}", f"{get(path, address, header)} | grep -E '{canary}'", "^$"))
        first = f"GET /v4/{own} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n"
        second = get(f"/v4/{runtime_id}/task").replace('printf "', f'printf "{first}')
        theirs = f"TaskARN.*{task_id}"
        attempts.append(Attempt("behind a request of its own", f"{second} | grep '{theirs}'", "^$"))
        control = f"{get(f'/v4/{own}/task')} | grep -E '{canary}'"
        try_all(work, ledger, "a neighbour's metadata", attempts, control, at_once=True)
