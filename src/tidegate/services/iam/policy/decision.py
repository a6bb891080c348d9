"""
Yes or no: an explicit deny wins; every kind of policy that limits must allow; without an allow the answer is no.

A principal's own policies grant, and so does a resource's policy that names the principal itself (one that names its
account leaves it to the account's own policies). A permissions boundary and a session's policies grant nothing: where
there are any, they must allow as well. Source: IAM user guide, "Policy evaluation logic".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tidegate.services.iam.policy.document import Policy
from tidegate.services.iam.policy.pattern import Context
from tidegate.services.iam.policy.principals import Asker, Trust

Source = Literal["identity-based policy", "permissions boundary", "session policy", "resource-based policy"]
Effect = Literal["allow", "deny", "none"]


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer, and which kind of policy it came from."""

    is_allowed: bool
    is_explicit: bool = False
    """A statement denies it; else none allows it."""
    source: Source = "identity-based policy"

    def reason(self, action: str) -> str:
        """The end of AWS's sentence about a refusal."""
        if self.is_explicit:
            article = "an" if self.source[0] == "i" else "a"
            return f"with an explicit deny in {article} {self.source}"
        return f"because no {self.source} allows the {action} action"


ALLOWED = Decision(is_allowed=True)


@dataclass(frozen=True, slots=True)
class ResourceGrant:
    """The policy of the resource that is asked about, and who asks, as it may name them."""

    policy: Policy
    asker: Asker


@dataclass(frozen=True, slots=True)
class Grants:
    """All that says what a principal may do. boundary, session None: there is no such limit."""

    identity: tuple[Policy, ...] = ()
    boundary: tuple[Policy, ...] | None = None
    session: tuple[Policy, ...] | None = None
    resource: ResourceGrant | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """May this be done to that, in a request that is like `context`?"""

    action: str
    """E.g. ecs:RunTask."""
    resource: str = "*"
    context: Context = field(default_factory=dict)


def decide(grants: Grants, question: Question) -> Decision:
    """What a principal's policies say."""
    limits: list[tuple[Source, Sequence[Policy]]] = [("identity-based policy", grants.identity)]
    if grants.boundary is not None:
        limits.append(("permissions boundary", grants.boundary))
    if grants.session is not None:
        limits.append(("session policy", grants.session))
    effects = [(source, find_effect(policies, question)) for source, policies in limits]
    if grants.resource is not None:
        said = find_resource_effect(grants.resource, question)
        if said == "deny":
            effects.append(("resource-based policy", said))
        elif said == "allow":
            effects[0] = ("identity-based policy", "deny" if effects[0][1] == "deny" else "allow")
    for source, effect in effects:
        if effect == "deny":
            return Decision(is_allowed=False, is_explicit=True, source=source)
    for source, effect in effects:
        if effect == "none":
            return Decision(is_allowed=False, source=source)
    return ALLOWED


def find_effect(policies: Iterable[Policy], question: Question) -> Effect:
    """What policies of one kind say together."""
    action = question.action.lower()
    found: Effect = "none"
    for policy in policies:
        for statement in policy.statements:
            if (found == "none" or not statement.is_allow) and statement.covers(
                action, question.resource, question.context
            ):
                if not statement.is_allow:
                    return "deny"
                found = "allow"
    return found


def find_resource_effect(grant: ResourceGrant, question: Question) -> Effect:
    """What a resource's policy says to whom it names; to their account it can only say no."""
    action = question.action.lower()
    found: Effect = "none"
    for statement in grant.policy.statements:
        trust = statement.trust(grant.asker)
        if not trust or not statement.covers(action, question.resource, question.context):
            continue
        if not statement.is_allow:
            return "deny"
        if trust is Trust.DIRECT:
            found = "allow"
    return found


def find_trust(policy: Policy, asker: Asker, question: Question) -> Trust | None:
    """How far a trust policy lets `asker` in; None: it denies."""
    action = question.action.lower()
    found = Trust.NONE
    for statement in policy.statements:
        trust = statement.trust(asker)
        if not trust or not statement.covers(action, question.resource, question.context):
            continue
        if not statement.is_allow:
            return None
        found = max(found, trust)
    return found
