"""
Errors of Secrets Manager that its model does not name, and those that many operations share.

Texts as observed at AWS.
"""

from __future__ import annotations

from tidegate.api import secretsmanager as api
from tidegate.api.shape import ServiceError


class ValidationException(ServiceError):
    """A parameter of the request breaks a rule."""

    code = "ValidationException"
    status = 400


def not_found() -> api.ResourceNotFoundException:
    """There is no such secret here."""
    return api.ResourceNotFoundException("Secrets Manager can't find the specified secret.")


def no_value(what: str) -> api.ResourceNotFoundException:
    """The secret has no such version. what: `staging label: AWSCURRENT` or `VersionId: ...`."""
    return api.ResourceNotFoundException(f"Secrets Manager can't find the specified secret value for {what}")


def marked_for_deletion() -> api.InvalidRequestException:
    """The secret waits for its recovery window to end."""
    return api.InvalidRequestException(
        "You can't perform this operation on the secret because it was marked for deletion."
    )


def unsupported(what: str) -> api.InvalidParameterException:
    """What AWS has and Tidegate hasn't."""
    return api.InvalidParameterException(f"Tidegate does not support {what} yet.")
