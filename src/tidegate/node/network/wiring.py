"""
The hands of the bridge network: every step on the kernel, in order, blocking. One thread at a time.

    attach:  reserve ports -> write the record -> take a warm namespace, give it address and routes -> rules -> bind
    detach:  rules -> unbind -> record -> ports

Binding the namespace to its file is the last step of attach, so a namespace that is bound is whole. Taking it away
drops the namespace and never the veth: the kernel removes that by itself, in batches and off our way.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import structlog

from tidegate.kernel import failpoint, links, netlink, syscalls
from tidegate.kernel.netlink import Link, Netlink
from tidegate.kernel.nftables import Nftables, NftablesError
from tidegate.model.spec import NetworkSpec, SecurityGroupSpec
from tidegate.node.network import firewall, forwarding, host_firewall
from tidegate.node.network.attachment import Attachment, Records
from tidegate.node.network.endpoint import EndpointSite, open_endpoint
from tidegate.node.network.flows import FlowSweeper
from tidegate.node.network.names import ENDPOINT_ADDRESS, Names, check_task
from tidegate.node.network.network import NetworkFailure
from tidegate.node.network.ports import ReservedPorts
from tidegate.node.network.sandbox import INTERFACE, Sandbox, SandboxMaker, SandboxPool
from tidegate.node.network.tables import Surroundings

_LEAVE_SECONDS = 5.0
_log = structlog.get_logger(__name__)


class Wiring:
    """What exists on the host for one server's tasks."""

    def __init__(
        self,
        names: Names,
        directory: Path,
        cidr: str,
        resolvers: Callable[[], tuple[str, ...]],
        pool_size: int,
        endpoint_ports: tuple[int, ...],
    ) -> None:
        """resolvers: the name servers that tasks may ask, read anew each time the host is looked at."""
        self._names, self._cidr, self._resolvers, self._pool_size = names, cidr, resolvers, pool_size
        self._endpoint_ports = endpoint_ports
        self._records = Records(directory)
        self._state = firewall.State()
        self._leaving: dict[str, Attachment] = {}
        """Out of the firewall, and not given back whole."""
        self._ports: dict[str, ReservedPorts] = {}
        self._gateways: set[str] = set()
        self._problems: tuple[str, ...] = ()
        self._endpoint: EndpointSite | None = None
        self._flows = FlowSweeper(cidr)
        self._is_open = False

    @property
    def attached(self) -> set[str]:
        return set(self._state.attachments)

    @property
    def endpoint(self) -> EndpointSite:
        """Where tasks find the endpoint; while the network is open."""
        assert self._endpoint is not None, "the network is open"
        return self._endpoint

    def ready(self) -> int:
        """How many namespaces are warm."""
        return self._pool.ready()

    def open(self) -> None:
        """Make or find everything, and give back what a crash left. Raises NetworkFailure."""
        with _failing("open the network of tasks"):
            self._records.open()
            self._netlink, self._nftables = Netlink(), Nftables()
            try:
                self._bridge = self._ensure_bridge()
                self._endpoint = open_endpoint(
                    self._names, self._bridge.index, self._bridge.mtu, self._cidr, self._endpoint_ports
                )
                self._adopt()
                self._flows.open({each.spec.address for each in self._state.attachments.values()})
                self.reconcile_host_firewall()
            except BaseException:
                self._let_go()
                raise
            self._pool = SandboxPool(self._pool_size, self._open_maker)
            self._pool.start()
            self._is_open = True

    def attach(self, task: str, spec: NetworkSpec) -> Path:
        """See the contract."""
        check_task(task)
        known = self._state.attachments.get(task)
        if known is not None and known.spec == spec:
            return self._records.namespace(task)
        self._check(task, spec, known)
        with _failing(f"attach task {task}"):
            ports = ReservedPorts(spec.published)
            try:
                self._attach(task, spec)
            except BaseException:
                ports.close()
                raise
            self._ports[task] = ports
        return self._records.namespace(task)

    def detach(self, task: str) -> None:
        """See the contract."""
        with _failing(f"detach task {task}"):
            if (attachment := self._state.attachments.get(task)) is not None:
                failpoint.hit("network.detach")
                self._nftables.run(firewall.plan_detach(self._names, self._state, task))
                self._state = self._state.without_task(task)
                self._leaving[task] = attachment
            if (leaving := self._leaving.get(task)) is None:
                return
            failpoint.hit("network.release")
            self._release(leaving)
            del self._leaving[task]
            self._flows.forget(leaving.spec.address)
            if (ports := self._ports.pop(task, None)) is not None:
                ports.close()

    def apply_security_groups(self, groups: Mapping[str, SecurityGroupSpec]) -> None:
        """See the contract."""
        with _failing("apply security groups"):
            if commands := firewall.plan_groups(self._names, self._state, groups):
                self._nftables.run(commands)
            self._state = self._state.with_groups(groups)
            self._records.save_groups(groups)

    def reconcile_host_firewall(self) -> tuple[str, ...]:
        """Let the host's firewall pass the bridge's traffic on to ours; returns what stays in the way, for people."""
        with _failing("reconcile the host's firewall"):
            self._nftables.run(firewall.plan_surroundings(self._names, self._surroundings()))
            problems = host_firewall.reconcile(self._names, self._nftables)
        if problems != self._problems:
            _log.warning("host_firewall_in_the_way", problems=problems)
        self._problems = problems
        return problems

    def close(self, *, remove: bool) -> None:
        """See the contract."""
        if remove and self._state.attachments:
            raise NetworkFailure(f"cannot remove the network: {len(self._state.attachments)} tasks are attached")
        if not self._is_open:
            return
        with _failing("close the network of tasks"):
            self._pool.close()
            if remove:
                self._remove()
            self._let_go()
            self._is_open = False

    def _let_go(self) -> None:
        for ports in self._ports.values():
            ports.close()
        self._ports.clear()
        self._flows.close()
        if self._endpoint is not None:
            self._endpoint.close()
        self._nftables.close()
        self._netlink.close()

    def _open_maker(self) -> SandboxMaker:
        return SandboxMaker(self._names, self._bridge.index, self._bridge.mtu)

    def _ensure_bridge(self) -> Link:
        name = self._names.bridge
        if self._netlink.find_link(name) is None:
            self._netlink.run([links.add_bridge(name, self._names.bridge_mac, self._find_mtu())])
        forwarding.configure_bridge(name)
        self._netlink.run([links.set_up(name)])
        forwarding.enable_forwarding(self._netlink, name)
        link = self._netlink.find_link(name)
        if link is None:
            raise NetworkFailure(f"cannot make the bridge {name}: it went away")
        self._ensure_route(link)
        self._gateways = {a.partition("/")[0] for index, a in self._netlink.addresses() if index == link.index}
        return link

    def _ensure_route(self, link: Link) -> None:
        others = {route.link for route in self._netlink.routes() if route.network == self._cidr}
        if others - {link.index}:
            raise NetworkFailure(f"cannot use {self._cidr} for tasks: the host has a route to it; name another range")
        if not others:
            self._netlink.run([links.add_route(self._cidr, link.index)])

    def _find_mtu(self) -> int:
        sizes = {link.index: link.mtu for link in self._netlink.links()}
        return min((sizes.get(route.link, 1500) for route in self._default_routes()), default=1500)

    def _default_routes(self) -> list[netlink.Route]:
        return [route for route in self._netlink.routes() if route.network.endswith("/0")]

    def _surroundings(self) -> Surroundings:
        names = {link.index: link.name for link in self._netlink.links()}
        uplinks = sorted({names[route.link] for route in self._default_routes() if route.link in names})
        return Surroundings(self._cidr, tuple(uplinks), self._resolvers(), self._endpoint_ports)

    def _adopt(self) -> None:
        """Keep the attachments that are whole, take the others' remains away, and make the tables anew from that."""
        ports = {link.name for link in self._netlink.links() if link.master == self._bridge.index}
        state = firewall.State().with_groups(self._records.load_groups())
        for attachment in self._records.load().values():
            if attachment.port in ports and self._records.is_bound(attachment.task):
                state = state.with_task(self._reserve_again(attachment))
            else:
                self._release(attachment)
        for path in self._records.namespaces.iterdir():
            if path.name not in state.attachments:
                self._unbind(path.name)
        addresses = {attachment.spec.address for attachment in state.attachments.values()}
        stale = [at for at in self._netlink.neighbours(self._bridge.index) if at not in addresses]
        self._netlink.run([links.remove_neighbour(self._bridge.index, address) for address in stale])
        self._nftables.run(firewall.plan_tables(self._names, self._surroundings(), state))
        self.endpoint.add_tasks((each.spec.address, each.spec.mac) for each in state.attachments.values())
        self._state = state

    def _reserve_again(self, attachment: Attachment) -> Attachment:
        """A port that somebody else took while we were down stays theirs, and the task runs on without any."""
        try:
            self._ports[attachment.task] = ReservedPorts(attachment.spec.published)
        except NetworkFailure as error:
            _log.warning("published_ports_lost", task=attachment.task, reason=str(error))
            return Attachment(task=attachment.task, port=attachment.port, spec=_unpublished(attachment.spec))
        return attachment

    def _check(self, task: str, spec: NetworkSpec, known: Attachment | None) -> None:
        if known is not None:
            raise NetworkFailure(f"cannot attach task {task}: it is attached with another specification")
        try:
            is_ours = ipaddress.IPv4Address(spec.address) in ipaddress.IPv4Network(self._cidr)
        except ValueError as error:
            raise NetworkFailure(f"cannot attach task {task}: {error}") from error
        if not is_ours or spec.address == spec.gateway:
            raise NetworkFailure(f"cannot attach task {task}: {spec.address} is not a task's address in {self._cidr}")
        if any(other.spec.address == spec.address for other in self._state.attachments.values()):
            raise NetworkFailure(f"cannot attach task {task}: the address {spec.address} is in use")

    def _attach(self, task: str, spec: NetworkSpec) -> None:
        self._flows.ensure_forgotten(spec.address)
        sandbox = self._pool.take()
        attachment = Attachment(task=task, port=sandbox.port, spec=spec)
        try:
            self._records.save(attachment)
            failpoint.hit("network.attach")
            sandbox.inside.run(plan_inside(spec, sandbox.link, self._names))
            self.endpoint.add_tasks([(spec.address, spec.mac)])
            self._netlink.run(plan_outside(spec, sandbox, self._bridge.index, self._gateways))
            self._gateways.add(spec.gateway)
            failpoint.hit("network.firewall")
            self._nftables.run(firewall.plan_attach(self._names, self._state, attachment))
            self._state = self._state.with_task(attachment)
            failpoint.hit("network.bind")
            self._bind(task, sandbox)
        except BaseException:
            self._undo(attachment)
            raise
        finally:
            sandbox.close()

    def _undo(self, attachment: Attachment) -> None:
        if attachment.task in self._state.attachments:
            self._nftables.run(firewall.plan_detach(self._names, self._state, attachment.task))
            self._state = self._state.without_task(attachment.task)
        self._release(attachment)

    def _bind(self, task: str, sandbox: Sandbox) -> None:
        path = self._records.namespace(task)
        path.touch(mode=0o400)
        syscalls.mount(f"/proc/thread-self/fd/{sandbox.file}", str(path), None, syscalls.MS_BIND)

    def _unbind(self, task: str) -> None:
        path = self._records.namespace(task)
        while self._records.is_bound(task):
            syscalls.umount(str(path))
        path.unlink(missing_ok=True)

    def _release(self, attachment: Attachment) -> None:
        self._netlink.run([links.remove_neighbour(self._bridge.index, attachment.spec.address)])
        self.endpoint.remove_task(attachment.spec.address)
        self._unbind(attachment.task)
        self._records.delete(attachment.task)

    def _remove(self) -> None:
        """Take all away; veths go by themselves with their namespaces, and are waited for."""
        self.endpoint.close()
        self._netlink.run([links.remove_link(self._names.endpoint)])  # whoever serves there may go on holding it
        deadline = time.monotonic() + _LEAVE_SECONDS
        while (ports := self._ports_left()) and time.monotonic() < deadline:
            time.sleep(0.005)
        self._netlink.run([links.remove_link(port) for port in ports])
        must_restore = forwarding.must_restore_forwarding(self._netlink.links(), self._names.bridge)
        self._netlink.run([links.remove_link(self._names.bridge)])
        if must_restore:
            forwarding.disable_forwarding()
        self._nftables.run(firewall.plan_removal(self._names))
        host_firewall.remove(self._names)

    def _ports_left(self) -> list[str]:
        return [link.name for link in self._netlink.links() if link.master == self._bridge.index]


def plan_inside(spec: NetworkSpec, link: int, names: Names) -> list[netlink.Message]:
    """
    What a task's namespace gets: its hardware address, its address, and the gateway as the way to everything.

    The address stands alone (/32), whatever the subnet: neighbours are reached by way of the gateway, where the
    firewall is. The gateway's hardware address is known from the start, and so is the endpoint's, which alone is
    reached past the gateway.
    """
    return [
        links.set_up(INTERFACE, spec.mac),
        links.add_address(link, spec.address, 32),
        links.add_route(f"{spec.gateway}/32", link),
        links.add_route("0.0.0.0/0", link, spec.gateway),
        links.add_neighbour(link, spec.gateway, names.bridge_mac),
        links.add_route(f"{ENDPOINT_ADDRESS}/32", link),
        links.add_neighbour(link, ENDPOINT_ADDRESS, names.endpoint_mac),
    ]


def plan_outside(spec: NetworkSpec, sandbox: Sandbox, bridge: int, gateways: set[str]) -> list[netlink.Message]:
    """What the bridge gets: the subnet's gateway if it is new, and where the task's addresses are."""
    new = [] if spec.gateway in gateways else [links.add_address(bridge, spec.gateway, 32)]
    return [
        *new,
        links.add_forwarding(sandbox.port_index, spec.mac),
        links.add_neighbour(bridge, spec.address, spec.mac),
    ]


def _unpublished(spec: NetworkSpec) -> NetworkSpec:
    values = {name: getattr(spec, name) for name in spec.__struct_fields__}
    return NetworkSpec(**{**values, "published": ()})


@contextmanager
def _failing(what: str) -> Iterator[None]:
    """Turn what the kernel says into what the contract says."""
    try:
        yield
    except (OSError, NftablesError) as error:
        has_words = isinstance(error, OSError) and error.filename is None and error.strerror is not None
        why = getattr(error, "strerror", "") if has_words else error
        raise NetworkFailure(f"cannot {what}: {why}") from error
