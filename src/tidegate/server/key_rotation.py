"""
Replacing the master key while the server runs.

    1. A new key is put before the old one in the key file: durable before anything is sealed with it.
    2. Every sealed text is sealed anew (`store.resealing`); calls and launches go on, and read both.
    3. When none is sealed with the old key any more, and that is durable, the old key goes out of the file.

A crash leaves both keys in the file, and the next server goes on at 2. The old key is kept if a text can't be read, and
the change isn't begun at all over records that this version does not know: those could hold sealed texts.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import anyio
import anyio.to_thread
import structlog

from tidegate.model.record import Record
from tidegate.store.keyfile import KeyFile, SecretError
from tidegate.store.resealing import Counts, count_sealed, reseal
from tidegate.store.secrets import Sealer
from tidegate.store.sqlite import SqliteStore
from tidegate.store.store import StoreError

log = structlog.get_logger()

RETRY_SECONDS = 5.0
GRACE_SECONDS = 1.0
"""For whoever read a record just before it was sealed anew, and the key file just after (the command line does)."""


class RotationRefused(Exception):
    """The key can't be replaced now; the message says why."""


@dataclass(frozen=True, slots=True)
class RotationStatus:
    """Which keys there are, by their ids in hex, and how many texts are sealed with which."""

    current: str
    old: tuple[str, ...]
    counts: Counts
    problem: str
    """Why the old keys can't go; empty while all is well."""


class KeyRotation:
    """One server's. `run` does the work, whoever has asked for it."""

    def __init__(self, store: SqliteStore, sealer: Sealer, file: KeyFile, kinds: Collection[type[Record]]) -> None:
        self._store = store
        self._sealer = sealer
        self._file = file
        self._kinds = kinds
        self._problem = ""
        self._asked = anyio.Event()

    async def begin(self) -> None:
        """Have a new key, which is used from now on; the rest goes on by itself. Raises RotationRefused."""
        if len(self._sealer.keys) > 1:
            raise RotationRefused("the master key is being replaced already; let that come to its end")
        if self._store.unknown_kinds:
            unknown = ", ".join(sorted(self._store.unknown_kinds))
            raise RotationRefused(
                f"cannot replace the master key: the state has records that this version of Tidegate does not know "
                f"({unknown}); run the version that wrote them"
            )
        try:
            keys = self._file.add()
        except (OSError, SecretError) as error:
            raise RotationRefused(f"cannot write the new master key: {error}") from error
        self._sealer.replace_keys(*keys)
        log.info("the master key is being replaced", key=self._sealer.current_key.hex())
        self._asked.set()

    def status(self) -> RotationStatus:
        """As it is now."""
        current, *old = (key.hex() for key in self._sealer.keys)
        return RotationStatus(current, tuple(old), count_sealed(self._store, self._kinds, self._sealer), self._problem)

    async def run(self) -> None:
        """Forever. Begins with what a crash has interrupted."""
        await anyio.to_thread.run_sync(self._file.remove_drafts)
        while True:
            if len(self._sealer.keys) > 1:
                await self._finish()
            self._asked = anyio.Event()
            await self._asked.wait()

    async def _finish(self) -> None:
        while True:
            try:
                await reseal(self._store, self._kinds, self._sealer)
                await anyio.sleep(GRACE_SECONDS)
                await reseal(self._store, self._kinds, self._sealer)
                keys = self._file.keep_first()
            except (OSError, StoreError) as error:
                if str(error) != self._problem:
                    log.warning("cannot end the replacement of the master key; trying again", why=str(error))
                self._problem = str(error)
                await anyio.sleep(RETRY_SECONDS)
                continue
            self._sealer.replace_keys(*keys)
            self._problem = ""
            total = count_sealed(self._store, self._kinds, self._sealer).total
            log.info("the master key is replaced", key=self._sealer.current_key.hex(), sealed=total)
            return
