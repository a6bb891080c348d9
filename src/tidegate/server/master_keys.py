"""Tidegate's own operations on the master key."""

from __future__ import annotations

from tidegate.api import tidegate
from tidegate.api.shape import Context
from tidegate.server.key_rotation import KeyRotation, RotationRefused


class MasterKeys:
    """RotateMasterKey and DescribeMasterKeys."""

    def __init__(self, rotation: KeyRotation) -> None:
        self._rotation = rotation

    async def rotate_master_key(
        self, ctx: Context, request: tidegate.RotateMasterKeyRequest
    ) -> tidegate.RotateMasterKeyResponse:
        """Use a new key from now on; what is sealed with the old one is sealed anew while the server goes on."""
        try:
            await self._rotation.begin()
        except RotationRefused as refused:
            raise tidegate.KeyRotationException(str(refused)) from refused
        return tidegate.RotateMasterKeyResponse(keys=self._describe())

    async def describe_master_keys(
        self, ctx: Context, request: tidegate.DescribeMasterKeysRequest
    ) -> tidegate.DescribeMasterKeysResponse:
        """Which keys there are, by their ids, and how far a replacement has come."""
        return tidegate.DescribeMasterKeysResponse(keys=self._describe())

    def _describe(self) -> tidegate.MasterKeys:
        status = self._rotation.status()
        return tidegate.MasterKeys(
            current_key_id=status.current,
            old_key_ids=status.old,
            sealed_texts=status.counts.total,
            stale_texts=status.counts.stale,
            problem=status.problem or None,
        )
