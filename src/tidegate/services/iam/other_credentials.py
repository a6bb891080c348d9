"""
What users have on AWS beside access keys: passwords, second factors, keys for SSH, certificates. There are none here.

Nothing makes any, so the lists are empty and true. Who deletes a user asks for them first.
"""

from __future__ import annotations

from typing import NoReturn

from tidegate.api import iam
from tidegate.api.shape import Context
from tidegate.model.identity import User
from tidegate.services.iam.entities import ValidationError, get_named
from tidegate.store.store import Store


class OtherCredentials:
    """The operations."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get_login_profile(self, ctx: Context, request: iam.GetLoginProfileRequest) -> iam.GetLoginProfileResponse:
        """NoSuchEntity: nobody has a password."""
        self._refuse(request.user_name)

    async def delete_login_profile(self, ctx: Context, request: iam.DeleteLoginProfileRequest) -> None:
        """NoSuchEntity: nobody has a password."""
        self._refuse(request.user_name)

    async def list_mfa_devices(self, ctx: Context, request: iam.ListMFADevicesRequest) -> iam.ListMFADevicesResponse:
        """None."""
        self._check(request.user_name, request.marker)
        return iam.ListMFADevicesResponse(mfa_devices=(), is_truncated=False)

    async def list_virtual_mfa_devices(
        self, ctx: Context, request: iam.ListVirtualMFADevicesRequest
    ) -> iam.ListVirtualMFADevicesResponse:
        """None."""
        self._check(None, request.marker)
        return iam.ListVirtualMFADevicesResponse(virtual_mfa_devices=(), is_truncated=False)

    async def list_ssh_public_keys(
        self, ctx: Context, request: iam.ListSSHPublicKeysRequest
    ) -> iam.ListSSHPublicKeysResponse:
        """None."""
        self._check(request.user_name, request.marker)
        return iam.ListSSHPublicKeysResponse(ssh_public_keys=(), is_truncated=False)

    async def list_signing_certificates(
        self, ctx: Context, request: iam.ListSigningCertificatesRequest
    ) -> iam.ListSigningCertificatesResponse:
        """None."""
        self._check(request.user_name, request.marker)
        return iam.ListSigningCertificatesResponse(certificates=(), is_truncated=False)

    async def list_service_specific_credentials(
        self, ctx: Context, request: iam.ListServiceSpecificCredentialsRequest
    ) -> iam.ListServiceSpecificCredentialsResponse:
        """None."""
        self._check(request.user_name, request.marker)
        return iam.ListServiceSpecificCredentialsResponse(service_specific_credentials=(), is_truncated=False)

    def _check(self, name: str | None, marker: str | None) -> None:
        """The user is there, if one is named; no page was ever given out."""
        if marker is not None:
            raise ValidationError("Invalid Marker.")
        if name is not None:
            get_named(self._store, User, name)

    def _refuse(self, name: str | None) -> NoReturn:
        self._check(name, None)
        raise iam.NoSuchEntityException(f"Login Profile for User {name or 'root'} cannot be found.")
