"""Numbers, acknowledgements and repetitions: what a data channel promises over whatever carries it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.channel import reliable
from tidegate.channel.message import INPUT, Message, decode
from tidegate.channel.reliable import GivenUp, Incoming, Outgoing


def sent(outgoing: Outgoing, count: int, now: float = 0.0) -> list[Message]:
    return [decode(outgoing.send(1, b"x" * 10, now)) for _ in range(count)]


def test_messages_are_numbered_from_zero():
    """The first one says that it is the first."""
    messages = sent(Outgoing(INPUT, 1000), 3)
    assert [m.sequence for m in messages] == [0, 1, 2]
    assert [m.flags for m in messages] == [1, 0, 0]


def test_window():
    """There is room until the window is full, and again when enough is acknowledged."""
    outgoing = Outgoing(INPUT, 30)
    assert outgoing.has_room
    sent(outgoing, 3)
    assert not outgoing.has_room
    outgoing.acknowledge(1, 0.1)
    assert outgoing.has_room
    outgoing.acknowledge(1, 0.1)
    outgoing.acknowledge(99, 0.1)
    assert not outgoing.is_settled
    for sequence in (0, 2):
        outgoing.acknowledge(sequence, 0.1)
    assert outgoing.is_settled


def test_the_oldest_is_sent_again_when_it_is_overdue():
    """After 200 ms at first, and again after each time; the rest waits for it."""
    outgoing = Outgoing(INPUT, 1000)
    sent(outgoing, 2)
    assert outgoing.overdue(0.1) is None
    again = outgoing.overdue(0.21)
    assert again is not None
    assert decode(again).sequence == 0
    assert outgoing.overdue(0.3) is None
    outgoing.acknowledge(0, 0.3)
    later = outgoing.overdue(0.31)
    assert later is not None
    assert decode(later).sequence == 1


def test_the_wait_follows_the_round_trip():
    """Slow ways are given more time, up to a second; a repeated message teaches nothing."""
    outgoing = Outgoing(INPUT, 10_000)
    for turn in range(10):
        sent(outgoing, 1, now=float(turn))
        outgoing.acknowledge(turn, turn + 0.3)
    assert 0.3 < outgoing.timeout_seconds <= 1.0
    before = outgoing.timeout_seconds
    sent(outgoing, 1, now=20.0)
    assert outgoing.overdue(21.5) is not None
    outgoing.acknowledge(10, 21.5001)
    assert outgoing.timeout_seconds == before
    for turn in range(11, 40):
        sent(outgoing, 1, now=turn * 10.0)
        outgoing.acknowledge(turn, turn * 10.0 + 5)
    assert outgoing.timeout_seconds == reliable.LONGEST_TIMEOUT_SECONDS


def test_it_gives_up_at_last():
    """After 3000 times nobody is there."""
    outgoing = Outgoing(INPUT, 1000)
    sent(outgoing, 1)
    for turn in range(1, reliable.MOST_TRIES):
        assert outgoing.overdue(turn * 2.0) is not None
    with pytest.raises(GivenUp):
        outgoing.overdue(reliable.MOST_TRIES * 2.0)


def message(sequence: int) -> Message:
    return Message(INPUT, b"%d" % sequence, 1, sequence)


@given(st.lists(st.integers(0, 12), max_size=60))
def test_in_order_and_once(arrivals: list[int]):
    """Whatever comes, however often and in whatever order: handed on in order, once, and without a gap."""
    incoming, got = Incoming(), []
    for sequence in arrivals:
        is_taken, ready = incoming.arrived(message(sequence))
        assert is_taken
        got += [m.sequence for m in ready]
    assert got == list(range(len(got)))
    assert len(got) == next(n for n in range(14) if n not in set(arrivals))


def test_what_finds_no_room_comes_again():
    """A message without room is not acknowledged, and is taken when it comes again."""
    incoming = Incoming()
    assert incoming.arrived(message(0), has_room=False) == (False, [])
    assert incoming.arrived(message(1), has_room=False) == (True, [])
    is_taken, ready = incoming.arrived(message(0))
    assert (is_taken, [m.sequence for m in ready]) == (True, [0, 1])


def test_early_messages_are_bounded():
    """So many are kept, and no more: neither by number nor by size."""
    incoming = Incoming()
    for sequence in range(1, reliable.MOST_EARLY_MESSAGES + 1):
        assert incoming.arrived(Message(INPUT, b"", 1, sequence))[0]
    assert not incoming.arrived(message(20_000))[0]
    incoming = Incoming()
    large = b"x" * (1 << 16)
    taken = sum(incoming.arrived(Message(INPUT, large, 1, sequence))[0] for sequence in range(1, 200))
    assert taken == reliable.MOST_EARLY_BYTES >> 16


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 12), st.integers(0, 2**32))
def test_over_a_way_that_loses_and_shuffles(count: int, seed: int):
    """Two ends over a way that loses, repeats and reorders frames: all arrives, once and in order."""
    outgoing, incoming, fate = Outgoing(INPUT, 50), Incoming(), random.Random(seed)
    wanted = [b"%d" % n for n in range(count)]
    left, got, way, now = list(wanted), [], [], 0.0
    while left or not outgoing.is_settled:
        now += 0.3
        if left and outgoing.has_room:
            way.append(outgoing.send(1, left.pop(0), now))
        again = outgoing.overdue(now)
        way += [again] if again is not None else []
        frames = [way.pop(fate.randrange(len(way)))] * fate.choice([0, 1, 1, 2]) if way else []
        for one in map(decode, frames):
            is_taken, ready = incoming.arrived(one, has_room=fate.random() < 0.7)
            got += [m.payload for m in ready]
            if is_taken and fate.random() < 0.7:
                outgoing.acknowledge(one.sequence, now)
    assert got == wanted
