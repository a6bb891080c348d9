"""AWS STS: every operation, put together from the modules that know one thing each."""

from __future__ import annotations

from tidegate.api import sts
from tidegate.api.shape import Context
from tidegate.services.iam.authorization import Authorizer
from tidegate.services.iam.sessions import Sessions
from tidegate.services.sts.assume_role import AssumeRole
from tidegate.services.sts.session_token import SessionToken
from tidegate.services.writes import Clock
from tidegate.store.store import Store


class Sts:
    """Satisfies the generated `api.sts.Api`. now: seconds since the epoch."""

    def __init__(self, store: Store, sessions: Sessions, authorizer: Authorizer, now: Clock) -> None:
        self.assume_role = AssumeRole(store, sessions, authorizer, now).assume_role
        self.get_session_token = SessionToken(store, sessions, now).get_session_token

    async def get_caller_identity(
        self, ctx: Context, request: sts.GetCallerIdentityRequest
    ) -> sts.GetCallerIdentityResponse:
        """Whose key signed the request. The root's user id is the account, as on AWS."""
        return sts.GetCallerIdentityResponse(arn=ctx.principal, account=ctx.account, user_id=ctx.user_id)
