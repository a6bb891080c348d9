"""
What lies encrypted in a record: the type of such a field, and how it is found again.

A record has at most one sealed field, and holds it directly, so the record's kind and key say what the text belongs to.
That is all that a change of the master key has to know: it finds every sealed field by its type, whichever record has
it (see `server.key_rotation`). `tests/unit/store/test_sealed_records.py` refuses bytes in a record that aren't Sealed.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated

import msgspec

from tidegate.model.record import Record

Sealed = Annotated[bytes, msgspec.Meta(extra={"sealed": True})]
"""Made by `store.secrets.Sealer.seal` with the record's `sealed_context`."""


def sealed_context(kind: type[Record], key: str) -> bytes:
    """What the sealed text of a record is bound to, so that two records' can't be swapped."""
    return f"{kind.KIND}/{key}".encode()


@cache
def find_sealed_field(kind: type[Record]) -> str | None:
    """The name of a kind's sealed field."""
    described = msgspec.inspect.type_info(kind)
    assert isinstance(described, msgspec.inspect.StructType)
    return next((field.name for field in described.fields if _is_sealed(field.type)), None)


def _is_sealed(kind: msgspec.inspect.Type) -> bool:
    match kind:
        case msgspec.inspect.Metadata(extra=extra) if (extra or {}).get("sealed"):
            return True
        case msgspec.inspect.Metadata(type=inner):
            return _is_sealed(inner)
        case msgspec.inspect.UnionType(types=types):
            return any(_is_sealed(one) for one in types)
    return False
