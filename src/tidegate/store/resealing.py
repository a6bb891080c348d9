"""
Seals every sealed text anew, with the key that is current now.

Which those are is read off the types of the records (see `model.sealed`), so no kind can be forgotten. Each record is
read, sealed anew and accepted by the store in one step, so nothing that others write meanwhile is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from msgspec.structs import replace

from tidegate.model.record import Record
from tidegate.model.sealed import find_sealed_field, sealed_context
from tidegate.store.keyfile import SecretError
from tidegate.store.secrets import Sealer
from tidegate.store.store import Put, Store

BATCH = 10
"""Records in a commit: some hundred microseconds of the event loop."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Of sealed texts: all, and those that are not sealed with the current key."""

    total: int
    stale: int


def count_sealed(store: Store, kinds: Iterable[type[Record]], sealer: Sealer) -> Counts:
    """As it is now."""
    texts = [text for kind in kinds for _, _, text in _sealed(store, kind)]
    return Counts(len(texts), sum(not sealer.is_current(text) for text in texts))


async def reseal(store: Store, kinds: Iterable[type[Record]], sealer: Sealer) -> None:
    """
    Until no text is sealed with another key than the current one, durably.

    Raises SecretError if one can't be unsealed with any key (the others are done by then), and StoreUnavailable.
    """
    broken: set[tuple[str, str]] = set()
    while stale := list(_find_stale(store, kinds, sealer, broken)):
        for batch in _batches(stale):
            await _reseal_batch(store, batch, sealer, broken)
    await store.commit()
    if broken:
        names = ", ".join(f"{kind} {key}" for kind, key in sorted(broken)[:5])
        raise SecretError(f"cannot unseal {len(broken)} secrets with any of the master keys: {names}")


async def _reseal_batch(store: Store, batch: list[Record], sealer: Sealer, broken: set[tuple[str, str]]) -> None:
    changes = []
    for record in batch:
        now = store.get(type(record), record.key)  # an earlier batch has waited for the disk
        if now is None or (change := _plan(now, sealer, broken)) is None:
            continue
        changes.append(change)
    await store.commit(*changes)


def _plan(record: Record, sealer: Sealer, broken: set[tuple[str, str]]) -> Put | None:
    """The record with its text sealed anew; None if it can't be unsealed."""
    field = find_sealed_field(type(record)) or ""
    context = sealed_context(type(record), record.key)
    try:
        plaintext = sealer.unseal(getattr(record, field), context)
    except SecretError:
        broken.add((record.KIND, record.key))
        return None
    anew: dict[str, Any] = {field: sealer.seal(plaintext, context)}
    return Put(replace(record, **anew))


def _find_stale(
    store: Store, kinds: Iterable[type[Record]], sealer: Sealer, broken: set[tuple[str, str]]
) -> Iterator[Record]:
    for kind in kinds:
        for record, key, text in _sealed(store, kind):
            if not sealer.is_current(text) and key not in broken:
                yield record


def _sealed(store: Store, kind: type[Record]) -> Iterator[tuple[Record, tuple[str, str], bytes]]:
    """Records of a kind with their sealed texts."""
    field = find_sealed_field(kind)
    if field is None:
        return
    for record in store.select(kind):
        text = getattr(record, field)
        if text:
            yield record, (record.KIND, record.key), text


def _batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    rest = iter(records)
    while batch := list(islice(rest, BATCH)):
        yield batch
