"""GetSecretValue and BatchGetSecretValue."""

from __future__ import annotations

from tidegate.api import secretsmanager as api
from tidegate.api.shape import Context, ServiceError
from tidegate.model.secret import Secret, SecretVersion
from tidegate.services.pages import BadToken, page
from tidegate.services.secretsmanager.filters import plan_filters
from tidegate.services.secretsmanager.names import get_live_secret, secret_arn
from tidegate.services.secretsmanager.stages import CURRENT, labels_on
from tidegate.services.secretsmanager.values import SecretValues, Value
from tidegate.services.writes import Clock
from tidegate.store.store import Store

BATCH_PAGE = 20
BAD_TOKEN = "The NextToken value is invalid."  # noqa: S105 (a text, not a secret)


class ReadSecrets:
    """The operations that show values."""

    def __init__(self, store: Store, values: SecretValues, now: Clock) -> None:
        self._store = store
        self._values = values
        self._now = now

    async def get_secret_value(self, ctx: Context, request: api.GetSecretValueRequest) -> api.GetSecretValueResponse:
        """One version's value. Raises ResourceNotFoundException, InvalidRequestException."""
        secret, version, value = await self.read(ctx, request.secret_id, request.version_id, request.version_stage)
        return api.GetSecretValueResponse(
            arn=secret_arn(ctx, secret),
            name=secret.name,
            version_id=version.id,
            secret_string=value if isinstance(value, str) else None,
            secret_binary=value if isinstance(value, bytes) else None,
            version_stages=labels_on(secret.stages, version.id) or None,
            created_date=version.created_at,
        )

    async def batch_get_secret_value(
        self, ctx: Context, request: api.BatchGetSecretValueRequest
    ) -> api.BatchGetSecretValueResponse:
        """The current values of up to twenty, named or found by filters; what can't be read is named with why."""
        names, token = self._named(ctx, request)
        shown, errors = [], []
        for name in names:
            try:
                secret, version, value = await self.read(ctx, name, None, CURRENT)
            except ServiceError as error:
                errors.append(api.APIErrorType(secret_id=name, error_code=error.code, message=error.message))
                continue
            shown.append(
                api.SecretValueEntry(
                    arn=secret_arn(ctx, secret),
                    name=secret.name,
                    version_id=version.id,
                    secret_string=value if isinstance(value, str) else None,
                    secret_binary=value if isinstance(value, bytes) else None,
                    version_stages=labels_on(secret.stages, version.id),
                    created_date=version.created_at,
                )
            )
        return api.BatchGetSecretValueResponse(secret_values=tuple(shown), errors=tuple(errors), next_token=token)

    async def read(
        self, ctx: Context, identifier: str, version_id: str | None, stage: str | None
    ) -> tuple[Secret, SecretVersion, Value]:
        """A secret, its version, and the value in plain. Raises ResourceNotFoundException, InvalidRequestException."""
        secret = get_live_secret(self._store, ctx, identifier, self._now())
        version = self._values.get(secret, version_id, stage)
        value = self._values.unseal(version)
        await self._values.note_access(secret, version)
        return secret, version, value

    def _named(self, ctx: Context, request: api.BatchGetSecretValueRequest) -> tuple[list[str], str | None]:
        if bool(request.secret_id_list) == bool(request.filters):
            raise api.InvalidParameterException("Either 'SecretIdList' or 'Filters' must be provided, but not both.")
        if request.secret_id_list:
            if request.max_results is not None or request.next_token is not None:
                raise api.InvalidParameterException(
                    "'Filters' not specified. 'Filters' must also be specified when 'MaxResults' is provided."
                )
            return list(dict.fromkeys(request.secret_id_list)), None
        matches = plan_filters(request.filters, ctx.region)
        found = [s for s in self._store.select(Secret) if s.deleted_at is None and matches(s)]
        try:
            secrets, token = page(
                found,
                lambda secret: secret.name,
                operation="BatchGetSecretValue",
                token=request.next_token,
                size=request.max_results or BATCH_PAGE,
            )
        except BadToken:
            raise api.InvalidNextTokenException(BAD_TOKEN) from None
        return [secret.name for secret in secrets], token
