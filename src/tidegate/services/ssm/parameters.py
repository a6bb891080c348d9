"""DescribeParameters, DeleteParameter and DeleteParameters: parameters without their values."""

from __future__ import annotations

from functools import partial

from tidegate.api import ssm
from tidegate.api.shape import Context
from tidegate.model.parameter import Parameter, ParameterVersion, version_key
from tidegate.services.pages import BadToken, page
from tidegate.services.ssm.filters import DESCRIBE_KEYS, check_not_both, plan_filters, plan_old_filters
from tidegate.services.ssm.names import get_parameter, parameter_arn
from tidegate.services.ssm.read import BAD_TOKEN
from tidegate.services.ssm.values import DATA_TYPE, shown_key
from tidegate.services.ssm.writes import settle
from tidegate.store.store import Delete, Store

DESCRIBE_PAGE = 50


class Parameters:
    """The operations."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def describe_parameters(
        self, ctx: Context, request: ssm.DescribeParametersRequest
    ) -> ssm.DescribeParametersResult:
        """A page of parameters by name. None is shared by another account."""
        check_not_both(request)
        predicates = plan_filters(request.parameter_filters, DESCRIBE_KEYS) + plan_old_filters(request.filters)
        found = [
            (parameter, version)
            for parameter in self._store.select(Parameter)
            if not request.shared and (version := self._latest(parameter))
            if all(predicate(parameter, version) for predicate in predicates)
        ]
        try:
            shown, token = page(
                found,
                lambda pair: pair[0].name,
                operation="DescribeParameters",
                token=request.next_token,
                size=request.max_results or DESCRIBE_PAGE,
            )
        except BadToken:
            raise ssm.InvalidNextToken(BAD_TOKEN) from None
        return ssm.DescribeParametersResult(
            parameters=tuple(_describe(ctx, version) for _, version in shown), next_token=token
        )

    async def delete_parameter(self, ctx: Context, request: ssm.DeleteParameterRequest) -> ssm.DeleteParameterResult:
        """All versions of one. Raises ParameterNotFound."""
        await settle(partial(self._delete, ctx, request.name))
        return ssm.DeleteParameterResult()

    async def delete_parameters(self, ctx: Context, request: ssm.DeleteParametersRequest) -> ssm.DeleteParametersResult:
        """Up to ten; those that can't be found are named."""
        deleted, invalid = [], []
        for name in dict.fromkeys(request.names):
            try:
                await settle(partial(self._delete, ctx, name))
                deleted.append(name)
            except ssm.ParameterNotFound:
                invalid.append(name)
        return ssm.DeleteParametersResult(deleted_parameters=tuple(deleted), invalid_parameters=tuple(invalid))

    async def _delete(self, ctx: Context, name: str) -> None:
        parameter = get_parameter(self._store, ctx, name)
        numbers = range(parameter.oldest, parameter.latest + 1)
        versions = (self._store.get(ParameterVersion, version_key(parameter.name, number)) for number in numbers)
        await self._store.commit(Delete(parameter), *(Delete(version) for version in versions if version is not None))

    def _latest(self, parameter: Parameter) -> ParameterVersion:
        found = self._store.get(ParameterVersion, version_key(parameter.name, parameter.latest))
        assert found is not None
        return found


def _describe(ctx: Context, version: ParameterVersion) -> ssm.ParameterMetadata:
    return ssm.ParameterMetadata(
        name=version.parameter,
        arn=parameter_arn(ctx, version.parameter),
        type=version.type,
        key_id=shown_key(version),
        last_modified_date=version.modified_at,
        last_modified_user=version.modified_by,
        description=version.description or None,
        allowed_pattern=version.allowed_pattern or None,
        version=version.number,
        tier=version.tier,
        policies=(),
        data_type=DATA_TYPE,
    )
