"""What STS's operations need; see `services.authorization`."""

from __future__ import annotations

from tidegate.services.authorization import FREE, Table

TABLE = Table(
    "sts",
    {
        "GetCallerIdentity": FREE,
        "GetSessionToken": FREE,
        "AssumeRole": FREE,  # the role's trust policy has a say, so the operation asks
    },
)
