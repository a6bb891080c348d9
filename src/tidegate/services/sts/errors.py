"""STS's errors that its model does not name, and shapes that its operations share."""

from __future__ import annotations

from tidegate.api import sts
from tidegate.api.shape import ServiceError
from tidegate.services.iam.tokens import SessionCredentials


class AccessDenied(ServiceError):
    """The caller may not do this."""

    code = "AccessDenied"
    status = 403


class ValidationError(ServiceError):
    """What is wrong with a request."""

    code = "ValidationError"
    status = 400


def check_second_factor(serial_number: str | None, token_code: str | None) -> None:
    """Nobody has one here, so whatever is given is wrong."""
    if serial_number is not None or token_code is not None:
        raise AccessDenied("MultiFactorAuthentication failed with invalid MFA one time pass code.")


def show_credentials(issued: SessionCredentials) -> sts.Credentials:
    """As answers have them."""
    return sts.Credentials(
        access_key_id=issued.access_key_id,
        secret_access_key=issued.secret_access_key,
        session_token=issued.session_token,
        expiration=issued.expires_at,
    )
