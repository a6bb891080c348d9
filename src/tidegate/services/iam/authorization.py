"""
May this principal do that? The policies that hold for a principal, found by its ARN and put to the policy engine.

Used at the door for every request, and by the node's side for what an execution role is needed for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from tidegate.api.shape import Context, Session
from tidegate.model.account import Account
from tidegate.model.arn import partition
from tidegate.model.identity import Grantee, Group, Role, User
from tidegate.services.iam.identities import entity_arn, find_named, find_role, find_user
from tidegate.services.iam.managed import find_managed_document
from tidegate.services.iam.policy.decision import ALLOWED, Decision, Grants, Question, ResourceGrant, decide
from tidegate.services.iam.policy.document import Policy, read_policy
from tidegate.services.iam.policy.pattern import Value
from tidegate.services.iam.policy.principals import Asker
from tidegate.services.writes import Clock
from tidegate.store.store import Store

_NOTHING: Mapping[str, Value] = {}


class Authorizer:
    """Answers from the records as they are now."""

    def __init__(self, store: Store, account: Account, now: Clock) -> None:
        self._store = store
        self._account = account
        self._now = now
        self._root = f"arn:{partition(account.region)}:iam::{account.id}:root"

    def check(
        self,
        principal: str,
        action: str,
        resource: str,
        context: Mapping[str, Value] = _NOTHING,
        *,
        resource_policy: str = "",
    ) -> Decision:
        """
        May `principal` (ARN of the root, a user, a role or a role's session) do `action` to `resource`?

        context: condition keys beside those that follow from the principal and the time. resource_policy: that the
        resource carries itself, if it does. The root is bound by none.
        """
        return self.check_session(principal, None, action, resource, context, resource_policy=resource_policy)

    def check_session(
        self,
        principal: str,
        session: Session | None,
        action: str,
        resource: str,
        context: Mapping[str, Value] = _NOTHING,
        *,
        resource_policy: str = "",
    ) -> Decision:
        """As `check`, within what limits the session."""
        if principal == self._root and (session is None or session.policies is None):
            return ALLOWED
        grants, about = self._grants(principal, session)
        if resource_policy and "aws:principaltype" in about:  # who is not there is let in by nobody
            asker = Asker(account=self._account.id, arns=(principal, str(about["aws:principalarn"])))
            grants = replace(grants, resource=ResourceGrant(read_policy(resource_policy, "resource"), asker))
        lowered = {key.lower(): value for key, value in context.items()}
        return decide(grants, Question(action, resource, {**about, **self._circumstances(), **lowered}))

    def caller_context(self, ctx: Context) -> dict[str, Value]:
        """All condition keys that follow from who asks, how and when."""
        _, about = self._grants(ctx.principal, ctx.session)
        return {**about, **self._circumstances(), **self.request_context(ctx)}

    def request_context(self, ctx: Context) -> dict[str, Value]:
        """The condition keys that follow from a request, whatever it is about."""
        found: dict[str, Value] = {
            "aws:userid": ctx.user_id,
            "aws:securetransport": "true" if ctx.is_secure else "false",
            "aws:requestedregion": ctx.region,
            "aws:resourceaccount": ctx.account,
        }
        if ctx.source_ip:
            found["aws:sourceip"] = ctx.source_ip
        if ctx.user_agent:
            found["aws:useragent"] = ctx.user_agent
        return found

    def _circumstances(self) -> dict[str, Value]:
        now = self._now()
        return {
            "aws:currenttime": _iso(now),
            "aws:epochtime": str(int(now)),
            "aws:viaawsservice": "false",
            "aws:principalisawsservice": "false",
        }

    def _grants(self, principal: str, session: Session | None) -> tuple[Grants, dict[str, Value]]:
        """What holds for a principal, and the condition keys that say who it is."""
        about: dict[str, Value] = {"aws:principalaccount": self._account.id, "aws:principalarn": principal}
        limits = None if session is None or session.policies is None else self._policies(session.policies)
        if session is not None:
            about |= _about_session(session)
        if principal == self._root:
            about["aws:principaltype"] = "Account"
            return Grants((_ALL,), None, limits), about
        owner = find_user(self._store, principal) or find_role(self._store, principal)
        if owner is None:
            return Grants(), about
        about |= {f"aws:principaltag/{key.lower()}": value for key, value in owner.tags.items()}
        if session is not None:
            about |= {f"aws:principaltag/{key.lower()}": value for key, value in session.tags.items()}
        carriers: list[Grantee] = [owner]
        if isinstance(owner, User):
            about |= {"aws:username": owner.name, "aws:principaltype": "User"}
            about.setdefault("aws:userid", owner.id)
            carriers += [group for name in owner.groups if (group := find_named(self._store, Group, name))]
        else:
            about["aws:principaltype"] = "AssumedRole"
            about["aws:principalarn"] = entity_arn(owner, self._account.id, self._account.region)
            about.setdefault("aws:userid", owner.id)
        return Grants(self._policies(self._documents(carriers)), self._boundary(owner), limits), about

    def _documents(self, carriers: Iterable[Grantee]) -> Iterable[str]:
        for carrier in carriers:
            yield from carrier.inline.values()
            for arn in carrier.attached:
                document = find_managed_document(self._store, arn)
                if document is not None:
                    yield document

    def _boundary(self, owner: User | Role) -> tuple[Policy, ...] | None:
        """A boundary that has gone allows nothing."""
        if owner.boundary is None:
            return None
        document = find_managed_document(self._store, owner.boundary)
        return () if document is None else (read_policy(document),)

    def _policies(self, documents: Iterable[str]) -> tuple[Policy, ...]:
        return tuple(read_policy(document) for document in documents)


def _about_session(session: Session) -> dict[str, Value]:
    found: dict[str, Value] = {
        "aws:tokenissuetime": _iso(session.issued_at),
        "aws:multifactorauthpresent": "false",
    }
    if session.source_identity:
        found["aws:sourceidentity"] = session.source_identity
    return found


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


_ALL = read_policy('{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}')
