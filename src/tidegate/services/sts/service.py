"""AWS STS: GetCallerIdentity."""

from __future__ import annotations

from tidegate.api import sts
from tidegate.api.shape import Context


class Sts:
    """Satisfies the generated `api.sts.Api`."""

    async def get_caller_identity(
        self, ctx: Context, request: sts.GetCallerIdentityRequest
    ) -> sts.GetCallerIdentityResponse:
        """Whose key signed the request. The root's user id is the account, as on AWS; others have their key's."""
        is_root = ctx.principal.endswith(":root")
        return sts.GetCallerIdentityResponse(
            arn=ctx.principal,
            account=ctx.account,
            user_id=ctx.account if is_root else ctx.access_key or ctx.principal.rpartition("/")[2],
        )
