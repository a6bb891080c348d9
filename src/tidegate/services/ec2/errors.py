"""EC2's errors. The service model names none of them, so the code is a value here, not a class."""

from __future__ import annotations

from tidegate.api.shape import ServiceError


class Ec2Error(ServiceError):
    """An error with a code from the EC2 API reference, "Error codes"."""

    status = 400

    def __init__(self, code: str, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.code = code  # type: ignore[misc]
        self.status = status  # type: ignore[misc]


def internal_error(message: str) -> Ec2Error:
    """What the service itself could not do."""
    return Ec2Error("InternalError", message, status=500)


def unsupported(message: str) -> Ec2Error:
    """What AWS can and Tidegate can't do yet."""
    return Ec2Error("UnsupportedOperation", message)


def check_dry_run(dry_run: bool | None) -> None:
    """Call when all has been checked and before anything is done."""
    if dry_run:
        raise Ec2Error("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", status=412)
