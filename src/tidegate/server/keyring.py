"""Access keys for the verification of signatures: found in the store, unsealed once, kept in memory."""

from __future__ import annotations

from tidegate.model.account import AccessKey
from tidegate.services.account import access_key_context
from tidegate.store.secrets import Sealer
from tidegate.store.store import Store
from tidegate.wire.sigv4 import Key


class StoreKeyRing:
    """See `wire.sigv4.KeyRing`."""

    def __init__(self, store: Store, sealer: Sealer) -> None:
        self._store = store
        self._sealer = sealer
        self._unsealed: dict[str, tuple[int, Key]] = {}

    def find(self, access_key_id: str) -> Key | None:
        """The key, if there is one by that id now."""
        record = self._store.get(AccessKey, access_key_id)
        if record is None:
            return None
        known = self._unsealed.get(access_key_id)
        if known is not None and known[0] == record.revision:
            return known[1]
        secret = self._sealer.unseal(record.sealed_secret, access_key_context(record.id)).decode()
        key = Key(secret=secret, principal=record.principal)
        self._unsealed[access_key_id] = (record.revision, key)
        return key
