"""GetParameter, GetParameters, GetParametersByPath and GetParameterHistory."""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.api import ssm
from tidegate.api.shape import Context
from tidegate.model.parameter import Parameter, ParameterVersion, version_key
from tidegate.services.pages import BadToken, page
from tidegate.services.ssm.filters import BY_PATH_KEYS, is_below, plan_filters
from tidegate.services.ssm.names import check_path, get_parameter
from tidegate.services.ssm.values import DATA_TYPE, ParameterValues, shown_key
from tidegate.store.store import Store

BY_PATH_PAGE = 10
HISTORY_PAGE = 50
BAD_TOKEN = "The specified token is not valid."  # noqa: S105 (a text, not a secret)


class ReadParameters:
    """The operations that show values."""

    def __init__(self, store: Store, values: ParameterValues) -> None:
        self._store = store
        self._values = values

    async def get_parameter(self, ctx: Context, request: ssm.GetParameterRequest) -> ssm.GetParameterResult:
        """One, by name or ARN, with `:VERSION` or `:LABEL`. Raises ParameterNotFound, ParameterVersionNotFound."""
        found = self._values.find(ctx, request.name)
        if found is None:
            raise ssm.ParameterNotFound
        _, version, selector = found
        return ssm.GetParameterResult(
            parameter=self._values.describe(ctx, version, selector, decrypts=request.with_decryption)
        )

    async def get_parameters(self, ctx: Context, request: ssm.GetParametersRequest) -> ssm.GetParametersResult:
        """Up to ten; what can't be found is named."""
        shown, invalid = [], []
        for name in dict.fromkeys(request.names):
            try:
                found = self._values.find(ctx, name)
            except ssm.ParameterVersionNotFound:
                found = None
            if found is None:
                invalid.append(name)
            else:
                _, version, selector = found
                shown.append(self._values.describe(ctx, version, selector, decrypts=request.with_decryption))
        return ssm.GetParametersResult(parameters=tuple(shown), invalid_parameters=tuple(invalid))

    async def get_parameters_by_path(
        self, ctx: Context, request: ssm.GetParametersByPathRequest
    ) -> ssm.GetParametersByPathResult:
        """A page of what is directly below a path, or anywhere below it; with a filter by labels, those versions."""
        prefix = check_path(request.path)
        predicates = plan_filters(request.parameter_filters, BY_PATH_KEYS)
        labels = [label for f in request.parameter_filters or () if f.key == "Label" for label in f.values or ()]
        found = [
            version
            for parameter in self._store.select(Parameter)
            if is_below(parameter.name, prefix, is_recursive=bool(request.recursive))
            for version in self._versions(parameter, labels)
            if all(predicate(parameter, version) for predicate in predicates)
        ]
        try:
            versions, token = page(
                found,
                lambda version: version.key,
                operation="GetParametersByPath",
                token=request.next_token,
                size=request.max_results or BY_PATH_PAGE,
            )
        except BadToken:
            raise ssm.InvalidNextToken(BAD_TOKEN) from None
        return ssm.GetParametersByPathResult(
            parameters=tuple(self._values.describe(ctx, v, decrypts=request.with_decryption) for v in versions),
            next_token=token,
        )

    async def get_parameter_history(
        self, ctx: Context, request: ssm.GetParameterHistoryRequest
    ) -> ssm.GetParameterHistoryResult:
        """A page of the versions that are kept, oldest first."""
        parameter = get_parameter(self._store, ctx, request.name)
        numbers = range(parameter.oldest, parameter.latest + 1)
        keys = (version_key(parameter.name, number) for number in numbers)
        kept = [version for key in keys if (version := self._store.get(ParameterVersion, key)) is not None]
        try:
            versions, token = page(
                kept,
                lambda version: f"{version.number:018d}",
                operation=f"GetParameterHistory {parameter.name}",
                token=request.next_token,
                size=request.max_results or HISTORY_PAGE,
            )
        except BadToken:
            raise ssm.InvalidNextToken(BAD_TOKEN) from None
        shown = tuple(self._past(parameter, version, request.with_decryption) for version in versions)
        return ssm.GetParameterHistoryResult(parameters=shown, next_token=token)

    def _versions(self, parameter: Parameter, labels: list[str]) -> Iterator[ParameterVersion]:
        numbers = {parameter.labels[label] for label in labels if label in parameter.labels}
        for number in sorted(numbers) if labels else (parameter.latest,):
            yield self._values.version(parameter, number)

    def _past(self, parameter: Parameter, version: ParameterVersion, decrypts: bool | None) -> ssm.ParameterHistory:
        return ssm.ParameterHistory(
            name=parameter.name,
            type=version.type,
            key_id=shown_key(version),
            last_modified_date=version.modified_at,
            last_modified_user=version.modified_by,
            description=version.description or None,
            value=self._values.show(version, decrypts=decrypts),
            allowed_pattern=version.allowed_pattern or None,
            version=version.number,
            labels=tuple(sorted(label for label, number in parameter.labels.items() if number == version.number)),
            tier=version.tier,
            policies=(),
            data_type=DATA_TYPE,
        )
