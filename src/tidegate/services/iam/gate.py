"""The door's question for every request: do the caller's policies allow all that the operation needs?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tidegate.api.shape import Context, Operation, Shape
from tidegate.services.authorization import Ask, Need, Row, Table, tag_conditions
from tidegate.services.iam.authorization import Authorizer
from tidegate.services.iam.policy.decision import Decision
from tidegate.store.store import Store


class RequestGate:
    """Satisfies `wire.authorization.Gate`. tables: by the service's signing name."""

    def __init__(self, authorizer: Authorizer, store: Store, tables: Mapping[str, Table]) -> None:
        self._authorizer = authorizer
        self._store = store
        self._tables = tables

    def refuse(self, ctx: Context, service: str, operation: Operation, arguments: Shape | None) -> str | None:
        """AWS's sentence about the first need that is not allowed; None: all are."""
        table = self._tables.get(service, Table(service, {}))
        row = table.rows.get(operation.name)
        if row is None:
            need = Need(f"{table.prefix}:{operation.name}")
            return table.denial.format(denial(ctx, need, Decision(is_allowed=False)))
        if row.is_free:
            return None
        if not table.takes_session_tokens and ctx.session is not None and ctx.session.kind != "role":
            return f"Cannot call {table.prefix.upper()} with the credentials of GetSessionToken."
        request = {**self._authorizer.request_context(ctx), **tag_conditions(arguments)}
        for need in self._needs(Ask(ctx, self._store), table, row, operation, arguments):
            decision = self._authorizer.check_session(
                ctx.principal,
                ctx.session,
                need.action,
                need.resource,
                {**request, **need.conditions},
                resource_policy=table.find_policy(Ask(ctx, self._store), need.resource),
            )
            if not decision.is_allowed:
                return table.denial.format(denial(ctx, need, decision))
        return None

    def _needs(self, ask: Ask, table: Table, row: Row, operation: Operation, arguments: Shape | None) -> Iterable[Need]:
        action = f"{table.prefix}:{row.action or operation.name}"
        conditions = row.conditions(ask, arguments)
        for resource in row.resources(ask, arguments):
            tags = table.find_tags(ask, resource) if resource != "*" else {}
            about = {f"{prefix}:ResourceTag/{k}": v for k, v in tags.items() for prefix in ("aws", table.prefix)}
            yield Need(action, resource, {**about, **conditions})
        yield from row.also(ask, arguments)


def denial(ctx: Context, need: Need, decision: Decision) -> str:
    """AWS's sentence. Source: IAM user guide, "Troubleshoot access denied error messages"."""
    return (
        f"User: {ctx.principal} is not authorized to perform: {need.action} on resource: {need.resource} "
        f"{decision.reason(need.action)}"
    )
