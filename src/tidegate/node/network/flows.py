"""
Connections of addresses that nobody has any more are forgotten, so that the next one to get an address inherits none.

The firewall lets running connections go on, and knows them by their addresses and ports. A task that ends leaves
its connections in the kernel's table, some for days: whoever got its address would be let into them, past all rules.
Walking the table takes milliseconds, so it is done on a thread, for all addresses of some seconds at once. Addresses
rest long before they are given out again; where one does not, `ensure_forgotten` has it done at once, and waits.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from ipaddress import IPv4Address, IPv4Network

import structlog

from tidegate.kernel.conntrack import Conntrack, Flow, count_flows

BATCH_SECONDS = 5.0
WALK_COST = 4000
"""Walking the table for one address takes as long as reading so many connections."""
_log = structlog.get_logger(__name__)


class FlowSweeper:
    """
    Forgets connections of addresses in the background.

    cidr: all tasks' range. Without the kernel's interface nothing can be forgotten: that is told once, at `open`.
    """

    def __init__(self, cidr: str) -> None:
        self._range = IPv4Network(cidr)
        self._table: Conntrack | None = None
        self._change = threading.Condition()
        self._pending: set[str] = set()
        self._current: set[str] = set()
        """Those of the walk that is under way."""
        self._is_urgent = False
        self._is_closed = False
        self._thread: threading.Thread | None = None

    def open(self, held: Collection[str]) -> None:
        """Forget what an earlier process did not come to: all of our range but of the addresses that are held."""
        try:
            self._table = Conntrack()
            self._table.remove(flow for flow in self._table.flows() if self._is_stale(flow, held))
        except OSError as error:
            _log.warning("connections of ended tasks can't be forgotten", why=str(error))
            self.close()
            return
        self._thread = threading.Thread(target=self._sweep_on, name="flow-sweeper", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """What is pending is forgotten first. Idempotent."""
        with self._change:
            self._is_closed = True
            self._change.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._table is not None:
            self._table.close()
            self._table = None

    def forget(self, address: str) -> None:
        """Soon: nobody has the address any more."""
        if self._thread is None:
            return
        with self._change:
            self._pending.add(address)
            self._change.notify_all()

    def ensure_forgotten(self, address: str) -> None:
        """Wait until no connection of an earlier holder is left."""
        with self._change:
            while self._thread is not None and address in self._pending | self._current:
                self._is_urgent = True
                self._change.notify_all()
                self._change.wait()

    def _is_stale(self, flow: Flow, held: Collection[str]) -> bool:
        ours = {source for source in flow.sources if IPv4Address(source) in self._range}
        return bool(ours) and not ours <= set(held)

    def _sweep_on(self) -> None:
        while True:
            with self._change:
                while not self._pending and not self._is_closed:
                    self._change.wait()
                self._change.wait_for(lambda: self._is_urgent or self._is_closed, BATCH_SECONDS)
                self._is_urgent = False
                self._current, self._pending = self._pending, set()
            try:
                self._sweep(self._current)
            except OSError as error:  # it is tried again with the next address, and its own flows time out
                _log.warning("cannot forget connections of ended tasks", why=str(error))
            with self._change:
                self._current = set()
                self._change.notify_all()
                if self._is_closed and not self._pending:
                    return

    def _sweep(self, addresses: Collection[str]) -> None:
        table = self._table
        if table is None or not addresses:
            return
        if len(addresses) * 2 * WALK_COST < count_flows():
            for address in addresses:
                table.remove(list(table.flows_of(address)))
        else:
            table.remove(list(table.flows_of_many(addresses)))
