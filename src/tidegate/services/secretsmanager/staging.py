"""UpdateSecretVersionStage: a staging label goes from one version to another, or away. Texts as observed."""

from __future__ import annotations

from functools import partial

from msgspec.structs import replace

from tidegate.api import secretsmanager as api
from tidegate.api.shape import Context
from tidegate.model.secret import Secret
from tidegate.services.secretsmanager.errors import no_value
from tidegate.services.secretsmanager.names import get_live_secret, secret_arn
from tidegate.services.secretsmanager.stages import CURRENT, MAX_STAGES, labels_on, plan_attach, plan_detach
from tidegate.services.secretsmanager.values import SecretValues
from tidegate.services.secretsmanager.writes import settle
from tidegate.services.writes import Clock
from tidegate.store.store import Put, Store


class SecretStaging:
    """The operation."""

    def __init__(self, store: Store, values: SecretValues, now: Clock) -> None:
        self._store = store
        self._values = values
        self._now = now

    async def update_secret_version_stage(
        self, ctx: Context, request: api.UpdateSecretVersionStageRequest
    ) -> api.UpdateSecretVersionStageResponse:
        """A label that is on a version already moves only if that version is named."""
        secret = await settle(partial(self._attempt, ctx, request))
        return api.UpdateSecretVersionStageResponse(arn=secret_arn(ctx, secret), name=secret.name)

    async def _attempt(self, ctx: Context, request: api.UpdateSecretVersionStageRequest) -> Secret:
        secret = get_live_secret(self._store, ctx, request.secret_id, self._now())
        stages = self._plan(secret, request)
        changed = replace(secret, stages=stages, changed_at=self._now())
        await self._store.commit(Put(changed))
        return changed

    def _plan(self, secret: Secret, request: api.UpdateSecretVersionStageRequest) -> dict[str, str]:
        label, source, target = request.version_stage, request.remove_from_version_id, request.move_to_version_id
        now_on = secret.stages.get(label)
        for version in (source, target):
            if version is not None and self._values.find(secret, version) is None:
                raise no_value(f"VersionId: {version}")
        if target is None and source is None:
            raise api.InvalidParameterException("You must provide MoveToVersionId, RemoveFromVersionId or both.")
        if target is None and label == CURRENT:
            raise api.InvalidParameterException(
                f"You can only move staging label {CURRENT} to a different secret version. "
                "It can’t be completely removed."
            )
        if source is not None and source != now_on:
            raise api.InvalidParameterException(f"Staging label {label} is not attached to version {source}.")
        if target is None:
            return plan_detach(secret.stages, label)
        if now_on not in (None, target, source):
            raise api.InvalidParameterException(
                f"The parameter RemoveFromVersionId can't be empty. Staging label {label} is currently attached to "
                f"version {now_on}, so you must explicitly reference that version in RemoveFromVersionId."
            )
        stages = plan_attach(secret.stages, target, (label,))
        if len(labels_on(stages, target)) > MAX_STAGES:
            raise api.LimitExceededException(f"A version can have at most {MAX_STAGES} staging labels.")
        return stages
