"""GetSessionToken: temporary credentials of whoever asks."""

from __future__ import annotations

from tidegate.api import sts
from tidegate.api.shape import Context, Session
from tidegate.services.iam.identities import find_user
from tidegate.services.iam.sessions import Sessions
from tidegate.services.sts.errors import AccessDenied, check_second_factor, show_credentials
from tidegate.services.writes import Clock
from tidegate.store.store import Store

USER_SECONDS = 43_200
"""If the request does not say."""
ROOT_SECONDS = 3_600
"""At most."""


class SessionToken:
    """The operation."""

    def __init__(self, store: Store, sessions: Sessions, now: Clock) -> None:
        self._store = store
        self._sessions = sessions
        self._now = now

    async def get_session_token(self, ctx: Context, request: sts.GetSessionTokenRequest) -> sts.GetSessionTokenResponse:
        """Of a user or the root; not of what is temporary already."""
        if ctx.session is not None:
            raise AccessDenied("Cannot call GetSessionToken with session credentials")
        check_second_factor(request.serial_number, request.token_code)
        user = find_user(self._store, ctx.principal)
        now, seconds = self._now(), request.duration_seconds or USER_SECONDS
        session = Session(
            kind="user" if user else "root",
            owner=user.name if user else "",
            name="",
            issued_at=now,
            expires_at=now + (seconds if user else min(seconds, ROOT_SECONDS)),
        )
        issued = self._sessions.hand_out(user, session, request.minimum_session_token_size or 0)
        return sts.GetSessionTokenResponse(credentials=show_credentials(issued))
