"""The store's memory against a plain model: whatever is accepted, settled or undone, in whatever order."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from typing import Any, ClassVar

import anyio
import hypothesis.strategies as st
from anyio.streams.memory import MemoryObjectReceiveStream
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tidegate.model.record import Record
from tidegate.store.ledger import Ledger
from tidegate.store.store import Change, Conflict, Delete, Put


class Thing(Record, frozen=True, kw_only=True):
    KIND = "thing"
    INDEXES: ClassVar = {"colour": lambda thing: thing.colour or None}

    name: str
    colour: str = ""

    @property
    def key(self) -> str:
        return self.name


names = st.sampled_from("abcd")
colours = st.sampled_from(["", "red", "blue"])
State = dict[str, tuple[int, str]]
"""Name to revision and colour, oldest first."""


class LedgerMachine(RuleBasedStateMachine):
    """A ledger, what it must hold, what it must hold once all that waits is undone, and what a watcher has seen."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger([Thing])
        self.state: State = {}
        self.durable: State = {}
        self.waiting: list[State] = []
        self.seen: State = {}
        self.expected_seen: list[int] = []
        self.revisions: set[int] = set()

    @initialize()
    def start_watch(self) -> None:
        self.watch = self.ledger.watch(Thing)
        self.changes: MemoryObjectReceiveStream[tuple[Change, ...]] = finished(self.watch.__aenter__())

    @rule(edits=st.lists(st.tuples(names, st.one_of(st.none(), colours), st.booleans()), min_size=1, max_size=4))
    def commit(self, edits: list[tuple[str, str | None, bool]]) -> None:
        """Each edit: a name, its new colour or None to remove it, and whether it names a stale revision."""
        state, stale = dict(self.state), False
        changes: list[Put | Delete] = []
        revision = self.ledger.revision + 1
        for name, colour, is_stale in edits:
            known = state.get(name, (0, ""))[0]
            record = Thing(name=name, colour=colour or "", revision=known + is_stale)
            changes.append(Delete(record) if colour is None else Put(record))
            stale = stale or is_stale or (colour is None and name not in state)
            if colour is None:
                state.pop(name, None)
            else:
                state[name] = (revision, colour)
        try:
            commit = self.ledger.accept(changes)
        except Conflict:
            assert stale
            return
        assert not stale
        assert commit.revision not in self.revisions
        self.revisions.add(commit.revision)
        self.state = state
        self.waiting.append(state)

    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        count = data.draw(st.integers(0, len(self.waiting)))
        self.ledger.settle(count)
        if count:
            self.durable = self.waiting[count - 1]
            del self.waiting[:count]

    @rule()
    def fail(self) -> None:
        self.ledger.fail("broken")
        self.state = dict(self.durable)
        self.waiting.clear()

    @invariant()
    def reads_are_true(self) -> None:
        assert [(t.name, t.revision, t.colour) for t in self.ledger.select(Thing)] == [
            (name, *rest) for name, rest in self.state.items()
        ]
        for name in "abcd":
            found = self.ledger.get(Thing, name)
            assert (None if found is None else (found.revision, found.colour)) == self.state.get(name)

    @invariant()
    def indexes_equal_a_full_scan(self) -> None:
        for colour in ("red", "blue", ""):
            scan = [thing for thing in self.ledger.select(Thing) if thing.colour == colour and colour]
            assert self.ledger.select(Thing, "colour", colour) == scan

    @invariant()
    def the_watch_has_told_all_that_is_durable(self) -> None:
        if not hasattr(self, "changes"):
            return
        last = 0
        for batch in self._batches():
            for change in batch:
                key = change.record.key
                before = None if change.before is None else (change.before.revision, colour_of(change.before))
                assert self.seen.pop(key, None) == before
                if change.after is not None:
                    assert change.after.revision >= last
                    last = change.after.revision
                    self.seen[key] = (change.after.revision, colour_of(change.after))
        assert self.seen == self.durable

    def _batches(self) -> Iterator[tuple[Change, ...]]:
        while True:
            try:
                yield self.changes.receive_nowait()
            except anyio.WouldBlock:
                return

    def teardown(self) -> None:
        finished(self.watch.__aexit__(None, None, None))


def finished(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that has nothing to wait for."""
    try:
        coroutine.send(None)
    except StopIteration as stopped:
        return stopped.value
    raise AssertionError("it waits")


def colour_of(record: Record) -> str:
    assert isinstance(record, Thing)
    return record.colour


LedgerMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


class TestLedger(LedgerMachine.TestCase):  # type: ignore[misc,valid-type]
    """Compare-and-swap, indexes, order, undo and watch hold in every sequence of commits and failures."""
