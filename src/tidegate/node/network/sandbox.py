"""
Warm network namespaces: made before a task needs one, each with its veth on the bridge, up, and without an address.

One thread of its own makes them, because a namespace is made by moving into it: nothing else ever runs on that
thread, and it comes home before it does anything else. A warm namespace is held by an open file alone, so those of
a server that is killed vanish by themselves.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tidegate.kernel import links, netlink, syscalls
from tidegate.node.network.names import Names

INTERFACE = "eth0"
_QUIET_SECONDS = 0.02
_NAMESPACE = "/proc/thread-self/ns/net"
_SETTINGS = (
    # Low ports and ping for every user of the task, as in Docker and on Fargate: the namespace is the task's own.
    ("net/ipv4/ip_unprivileged_port_start", "0"),
    ("net/ipv4/ping_group_range", "0 2147483647"),
    # Interfaces made from now on have no IPv6; loopback is there already and keeps ::1.
    ("net/ipv6/conf/default/disable_ipv6", "1"),
)


@dataclass(frozen=True, slots=True)
class Sandbox:
    """file: the namespace, open; link: index of its interface, seen from inside; port: the host's end of the veth."""

    file: int
    inside: netlink.Netlink
    link: int
    port: str
    port_index: int

    def close(self) -> None:
        """Let go of the namespace; it ends here unless it is bound somewhere or a process is in it."""
        self.inside.close()
        os.close(self.file)


class SandboxMaker:
    """Makes one namespace at a time. For one thread, which must be in the host's namespace when it calls this."""

    def __init__(self, names: Names, bridge: int, mtu: int) -> None:
        self._names, self._bridge, self._mtu = names, bridge, mtu
        self._home = os.open(_NAMESPACE, os.O_RDONLY | os.O_CLOEXEC)
        self._outside = netlink.Netlink()
        self._number = secrets.randbits(24)

    def make(self) -> Sandbox:
        """Raises OSError."""
        file, inside = self._enter_new_namespace()
        try:
            port = self._add_veth(file)
            self._outside.run([links.isolate_port(port), links.set_up(port)])
            inside.run([links.set_up("lo"), links.set_up(INTERFACE)])
            ends = self._outside.find_link(port), inside.find_link(INTERFACE)
            if ends[0] is None or ends[1] is None:
                raise OSError(errno.ENODEV, f"cannot find {port}: it went away")
        except BaseException:
            inside.close()
            os.close(file)
            raise
        return Sandbox(file, inside, ends[1].index, port, ends[0].index)

    def close(self) -> None:
        self._outside.close()
        os.close(self._home)

    def _enter_new_namespace(self) -> tuple[int, netlink.Netlink]:
        """An open file of a new namespace and a socket in it; the thread is back home after that."""
        syscalls.unshare(syscalls.CLONE_NEWNET)
        try:
            inside = netlink.Netlink()
            try:
                for name, value in _SETTINGS:
                    with contextlib.suppress(FileNotFoundError):  # a kernel without IPv6
                        Path("/proc/sys", name).write_text(value)
                return os.open(_NAMESPACE, os.O_RDONLY | os.O_CLOEXEC), inside
            except BaseException:
                inside.close()
                raise
        finally:
            syscalls.setns(self._home, syscalls.CLONE_NEWNET)

    def _add_veth(self, file: int) -> str:
        """The name of its end here: the next number that is free."""
        while True:
            self._number += 1
            port = self._names.port(self._number)
            try:
                self._outside.run([links.add_veth(port, INTERFACE, file, self._bridge, self._mtu)])
            except FileExistsError:
                continue
            except OSError as error:
                if error.errno == errno.EXFULL:
                    raise OSError(
                        errno.EXFULL, f"{self._names.bridge} has 1,023 ports, as many as it can have"
                    ) from error
                raise
            return port


class SandboxPool:
    """
    Keeps `size` namespaces ready, and makes one for each that waits beyond that.

    It refills when nobody has taken one for a moment: the kernel changes interfaces one at a time, so making one
    beside a launch would slow that launch by more than it saves the next.

    `take` is for any thread but the event loop's: it waits when none is ready.
    """

    def __init__(self, size: int, open_maker: Callable[[], SandboxMaker]) -> None:
        self._size = size
        self._open_maker = open_maker
        self._change = threading.Condition()
        self._ready: deque[Sandbox] = deque()
        self._waiting = 0
        self._taken_at = 0.0
        self._failure: OSError | None = None
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="tidegate-namespaces", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def take(self) -> Sandbox:
        """A namespace of one's own. Raises OSError if none could be made."""
        with self._change:
            self._failure = None
            self._waiting += 1
            self._change.notify_all()
            try:
                self._change.wait_for(lambda: self._ready or self._failure or self._is_closed)
                if self._ready:
                    self._taken_at = time.monotonic()
                    return self._ready.popleft()
            finally:
                self._waiting -= 1
                self._change.notify_all()
            raise self._failure or OSError(errno.ESHUTDOWN, "cannot make a namespace: the network is closed")

    def ready(self) -> int:
        """How many are warm now."""
        return len(self._ready)

    def close(self) -> None:
        """Let all go that were not taken, and end the thread. Idempotent."""
        with self._change:
            self._is_closed = True
            self._change.notify_all()
        if self._thread.is_alive():
            self._thread.join()
        while self._ready:
            self._ready.popleft().close()

    def _run(self) -> None:
        maker = self._open_maker()
        try:
            while self._wait_for_work():
                try:
                    sandbox = maker.make()
                except OSError as error:
                    self._fail(error)
                else:
                    with self._change:
                        self._ready.append(sandbox)
                        self._change.notify_all()
        finally:
            maker.close()

    def _wait_for_work(self) -> bool:
        """True when one is to be made, False when the pool is closed."""
        with self._change:
            while not self._is_closed:
                if self._failure is not None or len(self._ready) >= self._size + self._waiting:
                    # After a failure nothing is made until somebody asks again.
                    self._change.wait()
                elif self._waiting or (quiet := time.monotonic() - self._taken_at) >= _QUIET_SECONDS:
                    return True
                else:
                    self._change.wait(_QUIET_SECONDS - quiet)
            return False

    def _fail(self, error: OSError) -> None:
        with self._change:
            self._failure = error
            self._change.notify_all()
