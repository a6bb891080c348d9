"""Keys for the verification of signatures: found in the store or read from session tokens, unsealed once."""

from __future__ import annotations

from tidegate.model.account import AccessKey, Account
from tidegate.model.identity import User
from tidegate.services.account import access_key_context
from tidegate.services.iam.identities import entity_arn, find_named
from tidegate.services.iam.sessions import Sessions
from tidegate.store.secrets import Sealer
from tidegate.store.store import Store
from tidegate.wire.sigv4 import Key


class StoreKeyRing:
    """See `wire.sigv4.KeyRing`."""

    def __init__(self, store: Store, sealer: Sealer, sessions: Sessions, account: Account) -> None:
        self._store = store
        self._sealer = sealer
        self._sessions = sessions
        self._account = account
        self._unsealed: dict[str, tuple[int, Key]] = {}

    def find(self, access_key_id: str, session_token: str | None) -> Key | None:
        """The key, if there is one by that id now; one for good comes without a token, another only with its own."""
        if session_token is not None:
            opened = self._sessions.open(access_key_id, session_token)
            if opened is None:
                return None
            return Key(opened.secret, opened.principal, opened.user_id, opened.session)
        record = self._store.get(AccessKey, access_key_id)
        if record is None or not record.is_active:
            self._unsealed.pop(access_key_id, None)
            return None
        known = self._unsealed.get(access_key_id)
        if known is None or known[0] != record.revision:
            secret = self._sealer.unseal(record.sealed_secret, access_key_context(record.id)).decode()
            known = record.revision, Key(secret, record.principal, self._account.id)
            self._unsealed[access_key_id] = known
        return self._of_user(record, known[1]) if record.user else known[1]

    def _of_user(self, record: AccessKey, key: Key) -> Key | None:
        """Under the name that the user has now."""
        user = find_named(self._store, User, record.user)
        if user is None:
            return None
        return Key(key.secret, entity_arn(user, self._account.id, self._account.region), user.id)
