"""Sessions: what is handed out to tasks and by STS, and what a signature with it is worth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tidegate.api.shape import Session
from tidegate.model.account import Account
from tidegate.model.arn import partition
from tidegate.model.identity import Role, User
from tidegate.services.iam.identities import entity_arn, find_named, find_role, session_arn
from tidegate.services.iam.policy.decision import Question, find_trust
from tidegate.services.iam.policy.document import read_policy
from tidegate.services.iam.policy.principals import Asker
from tidegate.services.iam.tokens import Sealer, SessionCredentials, read_token, write_token
from tidegate.store.store import Store

TASKS_SERVICE = "ecs-tasks.amazonaws.com"


class RoleNotAssumable(Exception):
    """The role is not there, or does not trust who wants to assume it; the message says which."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What temporary credentials are worth."""

    secret: str = field(repr=False)
    principal: str
    """ARN of the session."""
    user_id: str
    session: Session


class Sessions:
    """Hands out and reads temporary credentials; see `tokens` for what they are."""

    def __init__(self, store: Store, sealer: Sealer, account: Account, now: Callable[[], float]) -> None:
        self._store = store
        self._sealer = sealer
        self._account = account
        self._now = now

    def issue(self, role_arn: str, session_name: str, duration_seconds: float) -> SessionCredentials:
        """
        Credentials of a role for a task, in the name of ECS. session_name: the task's id.

        Raises RoleNotAssumable if the role has gone, or has come not to trust ECS's tasks.
        """
        role = find_role(self._store, role_arn)
        if role is None:
            raise RoleNotAssumable(f"cannot assume {role_arn}: there is no such role")
        if not trusts_tasks(role, self._account):
            raise RoleNotAssumable(f"cannot assume {role_arn}: it does not trust {TASKS_SERVICE}")
        issued_at = self._now()
        return self.hand_out(
            role,
            Session(
                kind="role",
                owner=role.name,
                name=session_name,
                issued_at=issued_at,
                expires_at=issued_at + duration_seconds,
            ),
        )

    def hand_out(self, owner: Role | User | None, session: Session, least_size: int = 0) -> SessionCredentials:
        """Credentials for a session that has been decided on. owner None: the root; least_size: of the token."""
        account = self._account
        role_arn = entity_arn(owner, account.id, account.region) if isinstance(owner, Role) else ""
        return write_token(self._sealer, role_arn, owner.id if owner else account.id, session, least_size)

    def open(self, access_key: str, token: str) -> Opened | None:
        """What these credentials are worth, expired or not; None if they are not ours or their owner has gone."""
        sealed = read_token(self._sealer, access_key, token)
        if sealed is None:
            return None
        session, account = sealed.session, self._account
        match session.kind:
            case "role":
                role = find_named(self._store, Role, session.owner)
                if role is None or role.id != sealed.owner_id:
                    return None
                arn = session_arn(role.name, session.name, account.id, account.region)
                return Opened(sealed.secret, arn, f"{role.id}:{session.name}", session)
            case "user":
                user = find_named(self._store, User, session.owner)
                if user is None or user.id != sealed.owner_id:
                    return None
                return Opened(sealed.secret, entity_arn(user, account.id, account.region), user.id, session)
            case "root":
                root = f"arn:{partition(account.region)}:iam::{account.id}:root"
                return Opened(sealed.secret, root, account.id, session)


def trusts_tasks(role: Role, account: Account) -> bool:
    """May ECS assume it for a task? Source: developer guide, "Task IAM role", for the two context keys."""
    context = {
        "aws:sourceaccount": account.id,
        "aws:sourcearn": f"arn:{partition(account.region)}:ecs:{account.region}:{account.id}:*",
    }
    question = Question("sts:AssumeRole", context=context)
    return bool(find_trust(read_policy(role.trust, "trust"), Asker(service=TASKS_SERVICE), question))
