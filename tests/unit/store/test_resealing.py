"""A new master key: every sealed text of every kind of record, whatever others write meanwhile."""

from __future__ import annotations

import anyio
import msgspec
import pytest

from tidegate.model.account import AccessKey
from tidegate.model.record import Record
from tidegate.model.sealed import find_sealed_field, sealed_context
from tidegate.server.house import KINDS
from tidegate.store.keyfile import SecretError
from tidegate.store.memory import MemoryStore
from tidegate.store.resealing import count_sealed, reseal
from tidegate.store.secrets import Sealer
from tidegate.store.store import Delete, Put, StoreUnavailable

pytestmark = pytest.mark.anyio
OLD, NEW = bytes(32), bytes(range(32))
SEALED_KINDS = [kind for kind in KINDS if find_sealed_field(kind)]


def sample(kind: type[Record], sealer: Sealer, number: int = 0) -> Record:
    """A record of the kind, whatever its other fields are, with `secret` sealed in it."""
    field = find_sealed_field(kind)
    assert field is not None
    described = msgspec.inspect.type_info(kind)
    assert isinstance(described, msgspec.inspect.StructType)
    plain = {msgspec.inspect.StrType: f"x{number}", msgspec.inspect.IntType: number, msgspec.inspect.FloatType: 1.0}
    values: dict[str, object] = {field: b""}
    for one in described.fields:
        if one.required and one.name != field:
            inner = one.type.type if isinstance(one.type, msgspec.inspect.Metadata) else one.type
            is_literal = isinstance(inner, msgspec.inspect.LiteralType)
            values[one.name] = inner.values[0] if is_literal else plain[type(inner)]
    record = msgspec.convert(values, kind, strict=False, builtin_types=(bytes,))
    sealed = sealer.seal(b"secret", sealed_context(kind, record.key))
    return msgspec.structs.replace(record, **{field: sealed})


def unsealed(record: Record, sealer: Sealer) -> bytes:
    text = getattr(record, find_sealed_field(type(record)) or "")
    return sealer.unseal(text, sealed_context(type(record), record.key))


def access_key(number: int, sealer: Sealer) -> AccessKey:
    key = AccessKey(id=f"AKIA{number}", principal="p", sealed_secret=b"", created_at=0)
    return msgspec.structs.replace(key, sealed_secret=sealer.seal(b"secret", sealed_context(AccessKey, key.id)))


@pytest.mark.parametrize("kind", SEALED_KINDS, ids=lambda kind: kind.KIND)
async def test_every_kind(kind: type[Record]) -> None:
    """Is read with the new key alone afterwards; nothing else of the record changes."""
    store, old = MemoryStore(), Sealer(OLD)
    await store.commit(Put(sample(kind, old)))
    (before,) = store.select(kind)
    both = Sealer(NEW, OLD)
    assert count_sealed(store, KINDS, both).stale == 1
    await reseal(store, KINDS, both)
    (after,) = store.select(kind)
    assert unsealed(after, Sealer(NEW)) == b"secret"
    hidden = {find_sealed_field(kind): b"", "revision": 0}
    assert msgspec.structs.replace(after, **hidden) == msgspec.structs.replace(before, **hidden)
    assert (count_sealed(store, KINDS, both).total, count_sealed(store, KINDS, both).stale) == (1, 0)


async def test_again_changes_nothing() -> None:
    """Whoever is done is not done twice."""
    store, both = MemoryStore(), Sealer(NEW, OLD)
    await store.commit(*(Put(access_key(number, Sealer(OLD))) for number in range(25)))
    await reseal(store, KINDS, both)
    revisions = [key.revision for key in store.select(AccessKey)]
    await reseal(store, KINDS, both)
    assert [key.revision for key in store.select(AccessKey)] == revisions


async def test_what_others_write_meanwhile() -> None:
    """Is not lost: a change by somebody else stays, what is deleted stays deleted, what is new is found."""
    store, both = MemoryStore(), Sealer(NEW, OLD)
    await store.commit(*(Put(access_key(number, Sealer(OLD))) for number in range(60)))
    store.hold()

    async def meddle() -> None:
        await anyio.sleep(0.1)
        store.release()
        changed, doomed = store.get(AccessKey, "AKIA30"), store.get(AccessKey, "AKIA40")
        assert changed is not None
        assert doomed is not None
        await store.commit(
            Put(msgspec.structs.replace(changed, principal="q")), Delete(doomed), Put(access_key(99, Sealer(OLD)))
        )

    async with anyio.create_task_group() as group:
        group.start_soon(meddle)
        await reseal(store, KINDS, both)
    keys = {key.id: key for key in store.select(AccessKey)}
    assert len(keys) == 60
    assert keys["AKIA30"].principal == "q"
    assert {unsealed(key, Sealer(NEW)) for key in keys.values()} == {b"secret"}


async def test_a_text_that_no_key_opens() -> None:
    """Is named, when all others are done; the old key is needed for it as before."""
    store, both = MemoryStore(), Sealer(NEW, OLD)
    await store.commit(Put(access_key(1, Sealer(b"z" * 32))), Put(access_key(2, Sealer(OLD))))
    with pytest.raises(SecretError, match="cannot unseal 1 secrets with any of the master keys: access-key AKIA1"):
        await reseal(store, KINDS, both)
    found = store.get(AccessKey, "AKIA2")
    assert found is not None
    assert unsealed(found, Sealer(NEW)) == b"secret"
    assert count_sealed(store, KINDS, both).stale == 1


async def test_a_full_disk() -> None:
    """Is told; what was sealed with either key can be read."""
    store, both = MemoryStore(), Sealer(NEW, OLD)
    await store.commit(*(Put(access_key(number, Sealer(OLD))) for number in range(15)))
    store.failure = "no space left"
    with pytest.raises(StoreUnavailable):
        await reseal(store, KINDS, both)
    store.failure = None
    assert {unsealed(key, both) for key in store.select(AccessKey)} == {b"secret"}
