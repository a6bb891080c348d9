"""The pool of warm namespaces."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator

import pytest

from fixtures.networks import HostNetwork, eventually, link_names
from tidegate.kernel import links
from tidegate.kernel.netlink import Netlink
from tidegate.node.network.names import Names
from tidegate.node.network.sandbox import Sandbox, SandboxMaker, SandboxPool

NAMES = Names("00c0ffee")


class CountingMaker(SandboxMaker):
    """Makes nothing; fails as often as told."""

    def __init__(self) -> None:
        self.made = 0
        self.failures = 0
        self.is_closed = False

    def make(self) -> Sandbox:
        if self.failures:
            self.failures -= 1
            raise OSError(errno.EMFILE, "cannot make it")
        self.made += 1
        return Sandbox(os.open("/dev/null", os.O_RDONLY), Netlink(), 2, NAMES.port(self.made), self.made)

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def maker() -> CountingMaker:
    return CountingMaker()


def open_pool(maker: SandboxMaker, size: int) -> SandboxPool:
    pool = SandboxPool(size, lambda: maker)
    pool.start()
    return pool


def test_a_pool_fills_up_and_refills(maker: CountingMaker) -> None:
    """As many as its size are ready, before and after one is taken; each is given once."""
    pool = open_pool(maker, 2)
    try:
        assert eventually(lambda: pool.ready() == 2)
        taken = [pool.take(), pool.take(), pool.take()]
        assert len({sandbox.port for sandbox in taken}) == 3
        assert eventually(lambda: pool.ready() == 2)
        assert maker.made == 5
        for sandbox in taken:
            sandbox.close()
    finally:
        pool.close()
    assert maker.is_closed
    assert pool.ready() == 0


def test_without_a_size_one_is_made_for_each_that_asks(maker: CountingMaker) -> None:
    """Nothing is made ahead."""
    pool = open_pool(maker, 0)
    try:
        pool.take().close()
        assert (maker.made, pool.ready()) == (1, 0)
    finally:
        pool.close()


def test_a_failure_is_told_to_who_waits_and_tried_again_for_the_next(maker: CountingMaker) -> None:
    """The pool doesn't spin on a failure, and doesn't stay broken."""
    maker.failures = 1
    pool = open_pool(maker, 0)
    try:
        with pytest.raises(OSError, match="cannot make it"):
            pool.take()
        pool.take().close()
    finally:
        pool.close()


def test_closing_wakes_who_waits(maker: CountingMaker) -> None:
    """Nobody waits for ever for a pool that is gone."""
    pool = open_pool(maker, 0)
    pool.close()
    with pytest.raises(OSError, match="the network is closed"):
        pool.take()
    pool.close()


@pytest.fixture
def bridge(host: HostNetwork) -> Iterator[int]:
    """The index of a bridge to put ports on."""
    netlink = Netlink()
    try:
        netlink.run([links.add_bridge(NAMES.bridge, NAMES.bridge_mac, 1500), links.set_up(NAMES.bridge)])
        yield next(link.index for link in netlink.links() if link.name == NAMES.bridge)
    finally:
        netlink.close()


@pytest.mark.host
def test_a_namespace_is_gone_when_nobody_holds_it(bridge: int) -> None:
    """The thread that made it keeps none, and the veth goes by itself."""
    before = link_names()
    pool = SandboxPool(0, lambda: SandboxMaker(NAMES, bridge, 1500))
    pool.start()
    try:
        sandbox = pool.take()
        assert link_names() == {*before, sandbox.port}
        sandbox.close()
        assert eventually(lambda: link_names() == before)
    finally:
        pool.close()


@pytest.mark.host
def test_the_callers_thread_stays_where_it_is(bridge: int) -> None:
    """Namespaces are made on the pool's own thread, and it goes home after each."""
    home = os.readlink("/proc/thread-self/ns/net")
    maker = SandboxMaker(NAMES, bridge, 1500)
    seen: list[str] = []

    def make() -> None:
        maker.make().close()
        seen.append(os.readlink("/proc/thread-self/ns/net"))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    maker.close()
    assert seen == [home] == [os.readlink("/proc/thread-self/ns/net")]
