"""Sees events as they are stored, without keeping up whoever stores them."""

from __future__ import annotations

import threading
from typing import NamedTuple

from tidegate.store.logs.stream import Batch


class Tapped(NamedTuple):
    """What came since somebody last looked."""

    batches: list[tuple[str, Batch]]
    """With the stream's id, in the order of storing."""
    is_partial: bool
    """More came than was kept."""


class Tap:
    """
    Keeps what is offered until it is taken, up to `capacity` events; what comes then is not kept.

    Streams that nobody wants are ignored: a flood in one of them costs nothing. Any thread may call.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._batches: list[tuple[str, Batch]] = []
        self._events = 0
        self._is_partial = False
        self._ignored: set[str] = set()

    def offer(self, stream: str, batch: Batch) -> None:
        """Events of a stream, just stored."""
        if stream in self._ignored or not batch.timestamps:
            return
        with self._lock:
            room = self._capacity - self._events
            if len(batch.timestamps) > room:
                self._is_partial = True
                batch = batch._replace(timestamps=batch.timestamps[:room], messages=batch.messages[:room])
            if room > 0:
                self._batches.append((stream, batch))
                self._events += len(batch.timestamps)

    def take(self) -> Tapped:
        """All that is kept, which is forgotten here."""
        with self._lock:
            taken = Tapped(self._batches, self._is_partial)
            self._batches, self._events, self._is_partial = [], 0, False
        return taken

    def ignore(self, stream: str) -> None:
        """Nothing more of this stream, which is known by its id."""
        self._ignored.add(stream)
