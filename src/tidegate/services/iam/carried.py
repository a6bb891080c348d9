"""The policies that users, groups and roles carry: inline ones, attached ones, and the boundary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from msgspec.structs import replace

from tidegate.api import iam
from tidegate.api.shape import Context, Shape
from tidegate.model.identity import Grantee
from tidegate.services.iam.documents import INLINE_BYTES, check_document, show_document, size_of
from tidegate.services.iam.entities import get_named, settled, take_page
from tidegate.services.iam.managed import check_attachable
from tidegate.services.iam.roles import check_modifiable
from tidegate.store.store import Put, Store

G = TypeVar("G", bound=Grantee)

MAX_ATTACHED = 10


@dataclass(frozen=True, slots=True)
class Answers:
    """The shapes of one kind's answers."""

    inline: Callable[..., Shape]
    inline_names: Callable[..., Shape]
    attached: Callable[..., Shape]


class Carried(Generic[G]):
    """The operations on the policies of one kind. noun: `user`, `group` or `role`, as requests spell it."""

    def __init__(self, store: Store, kind: type[G], noun: str, answers: Answers) -> None:
        self._store = store
        self._kind = kind
        self._noun = noun
        self._answers = answers

    async def put_inline(self, ctx: Context, request: Any) -> None:
        """Add an inline policy, or replace the one by its name."""
        check_document(request.policy_document)

        def change(grantee: G) -> G:
            inline = {**grantee.inline, request.policy_name: request.policy_document}
            most = INLINE_BYTES[self._kind]
            if sum(map(size_of, inline.values())) > most:
                raise iam.LimitExceededException(
                    f"Maximum policy size of {most} bytes exceeded for {self._noun} {grantee.name}"
                )
            return replace(grantee, inline=inline)

        await self._change(request, change)

    async def get_inline(self, ctx: Context, request: Any) -> Shape:
        """With its document. Raises NoSuchEntity."""
        grantee = self._get(request)
        document = grantee.inline.get(request.policy_name)
        if document is None:
            raise self._missing_inline(request.policy_name)
        return self._answers.inline(
            **{f"{self._noun}_name": grantee.name},
            policy_name=request.policy_name,
            policy_document=show_document(document),
        )

    async def list_inline(self, ctx: Context, request: Any) -> Shape:
        """By name."""
        names = self._get(request).inline
        found, marker = take_page(names, str, f"List{self._noun}Policies", request.marker, request.max_items)
        return self._answers.inline_names(policy_names=found, is_truncated=marker is not None, marker=marker)

    async def delete_inline(self, ctx: Context, request: Any) -> None:
        """Raises NoSuchEntity."""

        def change(grantee: G) -> G:
            if request.policy_name not in grantee.inline:
                raise self._missing_inline(request.policy_name)
            inline = {name: text for name, text in grantee.inline.items() if name != request.policy_name}
            return replace(grantee, inline=inline)

        await self._change(request, change)

    async def attach(self, ctx: Context, request: Any) -> None:
        """One that is attached already stays so."""

        def change(grantee: G) -> G:
            check_attachable(self._store, request.policy_arn)
            if request.policy_arn in grantee.attached:
                return grantee
            if len(grantee.attached) >= MAX_ATTACHED:
                raise iam.LimitExceededException(
                    f"Cannot exceed quota for PoliciesPer{self._noun.capitalize()}: {MAX_ATTACHED}"
                )
            return replace(grantee, attached=(*grantee.attached, request.policy_arn))

        await self._change(request, change)

    async def detach(self, ctx: Context, request: Any) -> None:
        """Raises NoSuchEntity."""

        def change(grantee: G) -> G:
            if request.policy_arn not in grantee.attached:
                raise iam.NoSuchEntityException(f"Policy {request.policy_arn} was not found.")
            return replace(grantee, attached=tuple(arn for arn in grantee.attached if arn != request.policy_arn))

        await self._change(request, change)

    async def list_attached(self, ctx: Context, request: Any) -> Shape:
        """By ARN."""
        prefix = request.path_prefix or "/"
        arns = (arn for arn in self._get(request).attached if arn.partition(":policy")[2].startswith(prefix))
        operation = f"ListAttached{self._noun}Policies"
        found, marker = take_page(arns, str, operation, request.marker, request.max_items)
        shown = tuple(iam.AttachedPolicy(policy_name=arn.rpartition("/")[2], policy_arn=arn) for arn in found)
        return self._answers.attached(attached_policies=shown, is_truncated=marker is not None, marker=marker)

    async def put_boundary(self, ctx: Context, request: Any) -> None:
        """What the policies may allow at most."""

        def change(grantee: G) -> G:
            check_attachable(self._store, request.permissions_boundary)
            return replace(grantee, boundary=request.permissions_boundary)

        await self._change(request, change)

    async def delete_boundary(self, ctx: Context, request: Any) -> None:
        """Raises NoSuchEntity."""

        def change(grantee: G) -> G:
            if grantee.boundary is None:
                raise iam.NoSuchEntityException(
                    f"{self._noun.capitalize()} {grantee.name} does not have a permissions boundary."
                )
            return replace(grantee, boundary=None)

        await self._change(request, change)

    def _get(self, request: Any) -> G:
        return get_named(self._store, self._kind, getattr(request, f"{self._noun}_name"))

    def _missing_inline(self, name: str) -> iam.NoSuchEntityException:
        return iam.NoSuchEntityException(f"The {self._noun} policy with name {name} cannot be found.")

    async def _change(self, request: Any, change: Callable[[G], G]) -> None:
        async def attempt() -> None:
            grantee = self._get(request)
            check_modifiable(grantee)
            await self._store.commit(Put(change(grantee)))

        await settled(attempt)
