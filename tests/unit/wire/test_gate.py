"""Who is let in, and who has to go for it."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from tidegate.wire.gate import Gate, Limits

LIMITS = Limits(most=5, most_of_one_address=3)


@dataclass(eq=False)
class Visitor:
    """A connection that remembers whether it was sent away."""

    address: str = "192.0.2.1"
    waits_since: float = 0
    is_waiting: bool = True
    is_gone: bool = False

    def abort(self) -> None:
        self.is_gone = True

    def check(self, now: float) -> None:
        self.is_gone = self.is_waiting and now > self.waits_since + 10


def test_the_one_that_waits_longest_makes_room() -> None:
    """Of the same address, if it is that one's share that is used up."""
    gate = Gate(LIMITS)
    other = Visitor("192.0.2.2", waits_since=1)
    three = [Visitor(waits_since=second) for second in (5, 4, 6)]
    for visitor in (other, *three):
        assert gate.enter(visitor)
    assert gate.enter(Visitor(waits_since=9))
    assert [v.is_gone for v in (other, *three)] == [False, False, True, False]


def test_who_is_answered_is_never_sent_away() -> None:
    """A newcomer is refused instead."""
    gate = Gate(LIMITS)
    busy = [Visitor(is_waiting=False) for _ in range(3)]
    for visitor in busy:
        assert gate.enter(visitor)
    assert not gate.enter(Visitor())
    assert not any(visitor.is_gone for visitor in busy)


def test_a_place_is_given_back_once() -> None:
    """However often it is given back, and by whomever."""
    gate = Gate(LIMITS)
    visitor = Visitor()
    gate.leave(visitor)
    gate.enter(visitor)
    gate.leave(visitor)
    gate.leave(visitor)
    assert len(gate) == 0


def test_everybody_is_looked_at() -> None:
    """And who is late goes."""
    gate = Gate(LIMITS)
    early, late = Visitor(waits_since=95), Visitor(waits_since=80)
    gate.enter(early)
    gate.enter(late)
    gate.check_all(100)
    assert (early.is_gone, late.is_gone) == (False, True)


VISITS = st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.booleans()), max_size=60)


@given(VISITS)
def test_no_limit_is_passed_and_nobody_idle_keeps_another_out(visits: list[tuple[str, bool, bool]]) -> None:
    """Whoever comes and goes; a refused one finds only connections that are being answered where it lacks a place."""
    gate = Gate(LIMITS)
    inside: list[Visitor] = []
    for second, (address, is_waiting, leaves) in enumerate(visits):
        if leaves and inside:
            gate.leave(inside.pop(0))
            continue
        visitor = Visitor(address, second, is_waiting)
        if gate.enter(visitor):
            inside.append(visitor)
        else:
            rivals = [v for v in inside if v.address == address]
            assert not any(v.is_waiting for v in (rivals if len(rivals) == 3 else inside))
        inside = [v for v in inside if not v.is_gone]
        assert len(gate) == len(inside) <= LIMITS.most
        assert all(sum(v.address == a for v in inside) <= LIMITS.most_of_one_address for a in "abc")
