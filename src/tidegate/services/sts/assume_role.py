"""AssumeRole: who may become what, for how long, and within which further limits."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import msgspec

from tidegate.api import sts
from tidegate.api.shape import Context, Session
from tidegate.model.identity import Role
from tidegate.services.authorization import tag_conditions
from tidegate.services.iam.authorization import Authorizer
from tidegate.services.iam.identities import entity_arn, find_role, session_arn
from tidegate.services.iam.managed import find_managed_document
from tidegate.services.iam.policy.decision import Question, find_trust
from tidegate.services.iam.policy.document import MalformedPolicy, read_policy
from tidegate.services.iam.policy.pattern import Value
from tidegate.services.iam.policy.principals import Asker, Trust
from tidegate.services.iam.sessions import Sessions
from tidegate.services.sts.errors import AccessDenied, ValidationError, check_second_factor, show_credentials
from tidegate.services.writes import Clock
from tidegate.store.store import Store

DEFAULT_SECONDS = 3600
LONGEST_CHAINED_SECONDS = 3600
MAX_POLICY_CHARACTERS = 2048
MAX_POLICY_ARNS = 10
PACKED_BYTES = 2048
"""Of a session's policies and tags, compressed; the answer says how much of it they take, in percent."""


class AssumeRole:
    """The operation."""

    def __init__(self, store: Store, sessions: Sessions, authorizer: Authorizer, now: Clock) -> None:
        self._store = store
        self._sessions = sessions
        self._authorizer = authorizer
        self._now = now

    async def assume_role(self, ctx: Context, request: sts.AssumeRoleRequest) -> sts.AssumeRoleResponse:
        """A session of a role that trusts the caller. Raises AccessDenied, ValidationError, MalformedPolicyDocument."""
        check_second_factor(request.serial_number, request.token_code)
        if request.provided_contexts:
            raise ValidationError("ProvidedContexts are not supported: there is no identity context provider here.")
        tags, transitive = _session_tags(ctx, request)
        policies = self._policies(request)
        role = self._decide(ctx, request)
        now = self._now()
        session = Session(
            kind="role",
            owner=role.name,
            name=request.role_session_name,
            issued_at=now,
            expires_at=now + _duration(ctx, request, role),
            policies=policies,
            tags=tags,
            transitive=transitive,
            source_identity=request.source_identity or (ctx.session.source_identity if ctx.session else ""),
        )
        packed = _packed_percent(policies, tags)
        issued = self._sessions.hand_out(role, session, request.minimum_session_token_size or 0)
        return sts.AssumeRoleResponse(
            credentials=show_credentials(issued),
            assumed_role_user=sts.AssumedRoleUser(
                assumed_role_id=f"{role.id}:{session.name}",
                arn=session_arn(role.name, session.name, ctx.account, ctx.region),
            ),
            packed_policy_size=packed if packed else None,
            source_identity=session.source_identity or None,
            session_token_size=len(issued.session_token),
        )

    def _decide(self, ctx: Context, request: sts.AssumeRoleRequest) -> Role:
        """The role, if it trusts the caller in all that the request wants."""
        role = find_role(self._store, request.role_arn)
        if role is None or entity_arn(role, ctx.account, ctx.region) != request.role_arn:
            raise _refused(ctx, "sts:AssumeRole", request.role_arn)
        context = {**self._authorizer.caller_context(ctx), **_lowered(_conditions(request))}
        for action in _actions(request):
            if not self._is_trusted(ctx, role, Question(action, request.role_arn, context)):
                raise _refused(ctx, action, request.role_arn)
        return role

    def _is_trusted(self, ctx: Context, role: Role, question: Question) -> bool:
        """
        A trust policy that names the account leaves it to the caller's own policies; one that names the caller is
        enough, unless a policy denies. Source: user guide, "Policy evaluation for requests within a single account".
        """
        trust = find_trust(read_policy(role.trust, "trust"), _asker(ctx, self._store), question)
        if not trust:
            return False
        own = self._authorizer.check_session(
            ctx.principal, ctx.session, question.action, question.resource, question.context
        )
        if own.is_allowed or trust is Trust.ACCOUNT or own.is_explicit:
            return own.is_allowed
        is_limited = ctx.session is not None and own.source != "identity-based policy"
        return not is_limited

    def _policies(self, request: sts.AssumeRoleRequest) -> tuple[str, ...] | None:
        """What limits the session; None: nothing does."""
        arns = [descriptor.arn for descriptor in request.policy_arns or () if descriptor.arn]
        if request.policy is None and not arns:
            return None
        if len(arns) > MAX_POLICY_ARNS:
            raise ValidationError(f"You can provide up to {MAX_POLICY_ARNS} managed policy ARNs.")
        if request.policy is not None and len(request.policy) > MAX_POLICY_CHARACTERS:
            raise ValidationError(
                "1 validation error detected: Value at 'policy' failed to satisfy constraint: "
                f"Member must have length less than or equal to {MAX_POLICY_CHARACTERS}"
            )
        documents = [] if request.policy is None else [_checked(request.policy)]
        for arn in arns:
            document = find_managed_document(self._store, arn)
            if document is None:
                raise sts.MalformedPolicyDocumentException(f"Policy {arn} does not exist or is not attachable.")
            documents.append(document)
        return tuple(documents)


def _asker(ctx: Context, store: Store) -> Asker:
    if ctx.session is None or ctx.session.kind != "role":
        return Asker(ctx.account, (ctx.principal,))
    role = find_role(store, ctx.principal)
    names = (ctx.principal, entity_arn(role, ctx.account, ctx.region)) if role else (ctx.principal,)
    return Asker(ctx.account, names)


def _actions(request: sts.AssumeRoleRequest) -> Iterable[str]:
    yield "sts:AssumeRole"
    if request.tags:
        yield "sts:TagSession"
    if request.source_identity:
        yield "sts:SetSourceIdentity"


def _conditions(request: sts.AssumeRoleRequest) -> dict[str, Value]:
    found: dict[str, Value] = {"sts:RoleSessionName": request.role_session_name, **tag_conditions(request)}
    if request.external_id is not None:
        found["sts:ExternalId"] = request.external_id
    if request.source_identity is not None:
        found["sts:SourceIdentity"] = request.source_identity
    if request.duration_seconds is not None:
        found["sts:DurationSeconds"] = str(request.duration_seconds)
    if request.transitive_tag_keys:
        found["sts:TransitiveTagKeys"] = request.transitive_tag_keys
    return found


def _lowered(context: dict[str, Value]) -> dict[str, Value]:
    return {key.lower(): value for key, value in context.items()}


def _session_tags(ctx: Context, request: sts.AssumeRoleRequest) -> tuple[dict[str, str], tuple[str, ...]]:
    """The session's tags and which of them go on: those that came along are not to be changed."""
    kept = ctx.session.transitive if ctx.session else ()
    inherited = {key: value for key, value in ctx.session.tags.items() if key in kept} if ctx.session else {}
    given: dict[str, str] = {}
    for tag in request.tags or ():
        if tag.key.lower().startswith("aws:"):
            raise ValidationError("Tag keys that begin with aws: are reserved for AWS.")
        if tag.key.lower() in {key.lower() for key in given}:
            raise ValidationError("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
        if tag.key.lower() in {key.lower() for key in inherited}:
            raise ValidationError(f"The tag {tag.key} is transitive: it was set by an earlier session.")
        given[tag.key] = tag.value
    unknown = [key for key in request.transitive_tag_keys or () if key not in given]
    if unknown:
        raise ValidationError(f"The transitive tag key {unknown[0]} is not among the tags.")
    return {**inherited, **given}, (*kept, *(request.transitive_tag_keys or ()))


def _duration(ctx: Context, request: sts.AssumeRoleRequest, role: Role) -> int:
    """Seconds."""
    wanted = request.duration_seconds
    is_chained = ctx.session is not None and ctx.session.kind == "role"
    if is_chained and wanted is not None and wanted > LONGEST_CHAINED_SECONDS:
        raise ValidationError(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
        )
    if wanted is not None and wanted > role.max_session_seconds:
        raise ValidationError("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    return wanted or DEFAULT_SECONDS


def _checked(document: str) -> str:
    try:
        read_policy(document)
    except MalformedPolicy as error:
        raise sts.MalformedPolicyDocumentException(str(error)) from error
    return document


def _packed_percent(policies: tuple[str, ...] | None, tags: dict[str, str]) -> int:
    if policies is None and not tags:
        return 0
    packed = len(zlib.compress(msgspec.msgpack.encode((policies, tags)), 9))
    percent = round(packed * 100 / PACKED_BYTES)
    if packed > PACKED_BYTES:
        raise sts.PackedPolicyTooLargeException(
            f"Packed policy consumes {percent}% of allotted space, please use smaller policy."
        )
    return max(1, percent)


def _refused(ctx: Context, action: str, role: str) -> AccessDenied:
    return AccessDenied(f"User: {ctx.principal} is not authorized to perform: {action} on resource: {role}")
