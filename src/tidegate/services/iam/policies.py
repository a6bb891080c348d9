"""Managed policies and their versions; AWS's own can be read, and not changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from tidegate.api import iam
from tidegate.api.shape import Context
from tidegate.model.arn import partition
from tidegate.model.identity import ManagedPolicy, PolicyVersion
from tidegate.services.iam.aws_managed import PREFIX, aws_policies, find_aws_policy, is_aws
from tidegate.services.iam.documents import MANAGED_BYTES, check_document, size_of
from tidegate.services.iam.entities import arn_of, check_new, read_tags, settled, show_tags, take_page
from tidegate.services.iam.identities import new_id
from tidegate.services.iam.managed import count_attachments, find_own_policy
from tidegate.services.writes import Clock
from tidegate.store.store import Delete, Put, Store


class Policies:
    """The operations on managed policies themselves."""

    def __init__(self, store: Store, now: Clock) -> None:
        self._store = store
        self._now = now

    async def create_policy(self, ctx: Context, request: iam.CreatePolicyRequest) -> iam.CreatePolicyResponse:
        """With its first version."""
        check_managed_document(request.policy_document)

        async def attempt() -> ManagedPolicy:
            check_new(self._store, ManagedPolicy, request.policy_name)
            now = self._now()
            policy = ManagedPolicy(
                name=request.policy_name,
                id=new_id(ManagedPolicy),
                path=request.path or "/",
                created_at=now,
                updated_at=now,
                tags=read_tags(request.tags),
                description=request.description,
                versions=(PolicyVersion(number=1, document=request.policy_document, created_at=now),),
                default=1,
                latest=1,
            )
            await self._store.commit(Put(policy))
            return policy

        policy = await settled(attempt)
        return iam.CreatePolicyResponse(policy=replace(self._show(ctx, policy, 0, 0), description=None))

    async def get_policy(self, ctx: Context, request: iam.GetPolicyRequest) -> iam.GetPolicyResponse:
        """By ARN."""
        attached, boundaries = count_attachments(self._store)
        counts = attached[request.policy_arn], boundaries[request.policy_arn]
        return iam.GetPolicyResponse(policy=self._show(ctx, get_policy(self._store, request.policy_arn), *counts))

    async def list_policies(self, ctx: Context, request: iam.ListPoliciesRequest) -> iam.ListPoliciesResponse:
        """By name: the account's own and AWS's, as the scope says."""
        attached, boundaries = count_attachments(self._store)
        prefix = request.path_prefix or "/"
        as_boundary = request.policy_usage_filter == "PermissionsBoundary"
        used = boundaries if as_boundary else attached
        policies = [
            policy
            for policy in self._in_scope(request.scope or "All")
            if policy.path.startswith(prefix)
            and (used[_arn(ctx, policy)] or not (request.only_attached or as_boundary))
        ]
        found, marker = take_page(policies, lambda p: _arn(ctx, p), "ListPolicies", request.marker, request.max_items)
        shown = tuple(
            replace(self._show(ctx, p, attached[_arn(ctx, p)], boundaries[_arn(ctx, p)]), tags=None, description=None)
            for p in found
        )
        return iam.ListPoliciesResponse(policies=shown, is_truncated=marker is not None, marker=marker)

    async def delete_policy(self, ctx: Context, request: iam.DeletePolicyRequest) -> None:
        """Once nobody carries it and it has no version but the default one."""

        async def attempt() -> None:
            policy = get_own_policy(self._store, request.policy_arn)
            attached, boundaries = count_attachments(self._store)
            if attached[request.policy_arn] or boundaries[request.policy_arn]:
                raise iam.DeleteConflictException("Cannot delete a policy attached to entities.")
            if len(policy.versions) > 1:
                raise iam.DeleteConflictException(
                    "This policy has more than one version. Before you delete a policy, you must delete the policy's "
                    "versions. The default version is deleted with the policy."
                )
            await self._store.commit(Delete(policy))

        await settled(attempt)

    def _in_scope(self, scope: str) -> Iterable[ManagedPolicy]:
        own = list(self._store.select(ManagedPolicy)) if scope != "AWS" else []
        return [*own, *(aws_policies().values() if scope != "Local" else ())]

    def _show(self, ctx: Context, policy: ManagedPolicy, attached: int, boundaries: int) -> iam.Policy:
        return iam.Policy(
            policy_name=policy.name,
            policy_id=policy.id,
            arn=_arn(ctx, policy),
            path=policy.path,
            default_version_id=f"v{policy.default}",
            attachment_count=attached,
            permissions_boundary_usage_count=boundaries,
            is_attachable=True,
            description=policy.description or None,
            create_date=policy.created_at,
            update_date=policy.updated_at,
            tags=show_tags(policy.tags),
        )


def get_policy(store: Store, arn: str) -> ManagedPolicy:
    """By ARN, AWS's too. Raises NoSuchEntity."""
    found = find_own_policy(store, arn) or find_aws_policy(arn)
    if found is None:
        raise iam.NoSuchEntityException(f"Policy {arn} was not found.")
    return found


def get_own_policy(store: Store, arn: str) -> ManagedPolicy:
    """One that can be changed. Raises NoSuchEntity, and InvalidInput for AWS's."""
    found = get_policy(store, arn)
    if is_aws(found):
        raise iam.InvalidInputException(f"Policy {arn} is AWS's own and cannot be changed.")
    return found


def check_managed_document(document: str) -> None:
    """Raises MalformedPolicyDocument, LimitExceeded."""
    check_document(document)
    if size_of(document) > MANAGED_BYTES:
        raise iam.LimitExceededException(f"Cannot exceed quota for PolicySize: {MANAGED_BYTES}")


async def change_policy(store: Store, arn: str, change: Callable[[ManagedPolicy], ManagedPolicy]) -> ManagedPolicy:
    """Write what `change` makes of it."""

    async def attempt() -> ManagedPolicy:
        changed = change(get_own_policy(store, arn))
        await store.commit(Put(changed))
        return changed

    return await settled(attempt)


def _arn(ctx: Context, policy: ManagedPolicy) -> str:
    if not is_aws(policy):
        return arn_of(ctx, policy)
    return f"arn:{partition(ctx.region)}{PREFIX}{policy.path}{policy.name}"
