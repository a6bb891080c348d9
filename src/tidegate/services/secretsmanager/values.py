"""A version's value: found by what a request names, sealed, unsealed."""

from __future__ import annotations

from contextlib import suppress

from msgspec.structs import replace

from tidegate.api import secretsmanager as api
from tidegate.model.sealed import sealed_context
from tidegate.model.secret import Secret, SecretVersion, secret_version_key
from tidegate.services.secretsmanager.errors import no_value
from tidegate.services.secretsmanager.stages import CURRENT, labels_on
from tidegate.services.writes import Clock
from tidegate.store.secrets import Sealer
from tidegate.store.store import Put, Store, StoreError

DAY_SECONDS = 86_400

Value = str | bytes


class SecretValues:
    """Reads and seals values; whoever has this may see them."""

    def __init__(self, store: Store, sealer: Sealer, now: Clock) -> None:
        self._store = store
        self._sealer = sealer
        self._now = now

    def seal(self, secret: Secret, version: str, value: Value) -> SecretVersion:
        """A new version's record. Commit it without waiting in between."""
        key = secret_version_key(secret.id, version)
        plain = value.encode() if isinstance(value, str) else value
        return SecretVersion(
            secret=secret.id,
            id=version,
            sealed_value=self._sealer.seal(plain, sealed_context(SecretVersion, key)),
            is_binary=isinstance(value, bytes),
            created_at=self._now(),
        )

    def unseal(self, version: SecretVersion) -> Value:
        """Text or bytes, as it was given."""
        plain = self._sealer.unseal(version.sealed_value, sealed_context(SecretVersion, version.key))
        return plain if version.is_binary else plain.decode()

    def find(self, secret: Secret, version: str) -> SecretVersion | None:
        """By its id."""
        return self._store.get(SecretVersion, secret_version_key(secret.id, version))

    def get(self, secret: Secret, version: str | None, stage: str | None) -> SecretVersion:
        """
        By its id, a staging label, or both; AWSCURRENT if neither is given.

        Raises ResourceNotFoundException, InvalidRequestException.
        """
        if version is None:
            stage = stage or CURRENT
            found = self.find(secret, secret.stages.get(stage, ""))
            if found is None:
                raise no_value(f"staging label: {stage}")
            return found
        found = self.find(secret, version)
        if found is None:
            raise no_value(f"VersionId: {version}")
        if stage is not None and stage not in labels_on(secret.stages, version):
            raise api.InvalidRequestException(
                "You provided a VersionStage that is not associated to the provided VersionId."
            )
        return found

    async def note_access(self, secret: Secret, version: SecretVersion) -> None:
        """Keep the day of it, once a day. Who reads is not kept from it by a disk that is full."""
        today = self._now() // DAY_SECONDS * DAY_SECONDS
        changes = [Put(replace(one, accessed_at=today)) for one in (secret, version) if one.accessed_at != today]
        if changes:
            with suppress(StoreError):
                await self._store.commit(*changes)


def given_value(text: str | None, binary: bytes | None) -> Value | None:
    """What a request gives as the value. Raises InvalidParameterException for both kinds at once."""
    if text is not None and binary is not None:
        raise api.InvalidParameterException(
            "You can't specify both a binary secret value and a string secret value in the same secret."
        )
    return text if text is not None else binary
