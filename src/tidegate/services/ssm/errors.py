"""Errors that Systems Manager answers with and that its model does not name."""

from __future__ import annotations

from tidegate.api.shape import ServiceError


class ValidationException(ServiceError):
    """A parameter of the request breaks a rule."""

    code = "ValidationException"
    status = 400


class AccessDeniedException(ServiceError):
    """The name is reserved for AWS."""

    code = "AccessDeniedException"
    status = 400
