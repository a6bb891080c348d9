"""Account settings: kept, answered, and used where they mean something here (see docs/reference/parity.md)."""

from __future__ import annotations

import re
from typing import Literal, get_args

import msgspec

from tidegate.api import ecs
from tidegate.api.shape import Context
from tidegate.model.arn import partition
from tidegate.model.task import Setting
from tidegate.services.ecs.limits import list_page
from tidegate.services.ecs.writes import settle
from tidegate.services.writes import Clock
from tidegate.store.store import Delete, Put, Store

DEFAULT = "default"
"""The principal under which PutAccountSettingDefault writes."""
MAX_RESULTS = 10

_SWITCH = ("enabled", "disabled")
_LONG_ARN = ("enabled",)
_VALUES: dict[str, tuple[str, ...]] = {
    "serviceLongArnFormat": _LONG_ARN,
    "taskLongArnFormat": _LONG_ARN,
    "containerInstanceLongArnFormat": _LONG_ARN,
    "awsvpcTrunking": ("disabled", "enabled"),
    "containerInsights": ("disabled", "enabled", "enhanced"),
    "fargateFIPSMode": ("disabled", "enabled"),
    "tagResourceAuthorization": ("off", "on"),
    "fargateTaskRetirementWaitPeriod": ("7", "0", "14"),
    "defaultLogDriverMode": ("non-blocking", "blocking"),
    "fargateEventWindows": ("disabled", "enabled"),
    "guardDutyActivate": ("off", "on"),
}
"""What each setting may be; the first is what it is when nobody has said anything."""
_AWS_MANAGED = frozenset({"guardDutyActivate"})
_PRINCIPAL = re.compile(r"root|(user|role)(/[!-.0-~]+)+")
_NAMES = get_args(ecs.SettingName)


def effective_value(store: Store, ctx: Context, name: str, principal: str | None = None) -> str:
    """The principal's own value, else the account's default, else AWS's."""
    for owner in (principal or ctx.principal, DEFAULT):
        setting = store.get(Setting, f"{owner}/{name}")
        if setting is not None:
            return setting.value
    return _VALUES[name][0] if name in _VALUES else "disabled"


def log_mode(store: Store, ctx: Context) -> Literal["blocking", "non-blocking"]:
    """defaultLogDriverMode, of whoever asks."""
    value = effective_value(store, ctx, "defaultLogDriverMode")
    return "blocking" if value == "blocking" else "non-blocking"


class Settings:
    """The operations on account settings."""

    def __init__(self, store: Store, now: Clock) -> None:
        self._store = store
        self._now = now

    async def put_account_setting(
        self, ctx: Context, request: ecs.PutAccountSettingRequest
    ) -> ecs.PutAccountSettingResponse:
        """Set it for one principal, by default the caller."""
        principal = _principal(ctx, request.principal_arn)
        value = _check(request.name, request.value)
        await self._put(principal, request.name, value)
        return ecs.PutAccountSettingResponse(setting=_shape(request.name, value, principal))

    async def put_account_setting_default(
        self, ctx: Context, request: ecs.PutAccountSettingDefaultRequest
    ) -> ecs.PutAccountSettingDefaultResponse:
        """Set it for every principal that has no value of its own."""
        value = _check(request.name, request.value)
        await self._put(DEFAULT, request.name, value)
        return ecs.PutAccountSettingDefaultResponse(setting=_shape(request.name, value, _root(ctx)))

    async def list_account_settings(
        self, ctx: Context, request: ecs.ListAccountSettingsRequest
    ) -> ecs.ListAccountSettingsResponse:
        """The principal's own settings, or with effectiveSettings what applies to it."""
        principal = _principal(ctx, request.principal_arn)
        if request.value is not None and request.name is None:
            raise ecs.InvalidParameterException("A value filter requires a name.")
        listed = self._effective(ctx, principal) if request.effective_settings else self._own(principal)
        wanted = (
            s for s in listed if request.name in (None, s.name) and request.value in (None, s.value)
        )  # fmt: skip
        found, token = list_page(
            wanted,
            lambda setting: setting.name or "",
            operation="ListAccountSettings",
            token=request.next_token,
            max_results=request.max_results,
            largest=MAX_RESULTS,
        )
        return ecs.ListAccountSettingsResponse(settings=tuple(found), next_token=token)

    async def delete_account_setting(
        self, ctx: Context, request: ecs.DeleteAccountSettingRequest
    ) -> ecs.DeleteAccountSettingResponse:
        """Forget the principal's own value; answers with what applies to it from now on."""
        principal = _principal(ctx, request.principal_arn)

        async def attempt() -> None:
            setting = self._store.get(Setting, f"{principal}/{request.name}")
            if setting is not None:
                await self._store.commit(Delete(setting))

        await settle(attempt)
        value = effective_value(self._store, ctx, request.name, principal)
        return ecs.DeleteAccountSettingResponse(setting=_shape(request.name, value, principal))

    async def _put(self, principal: str, name: str, value: str) -> None:
        async def attempt() -> None:
            old = self._store.get(Setting, f"{principal}/{name}")
            revision = old.revision if old else 0
            await self._store.commit(Put(Setting(principal=principal, name=name, value=value, revision=revision)))

        await settle(attempt)

    def _own(self, principal: str) -> list[ecs.Setting]:
        settings = self._store.select(Setting)
        return [_shape(s.name, s.value, principal) for s in settings if s.principal == principal]

    def _effective(self, ctx: Context, principal: str) -> list[ecs.Setting]:
        return [_shape(name, effective_value(self._store, ctx, name, principal), principal) for name in _NAMES]


def _check(name: str, value: str) -> str:
    if name in _AWS_MANAGED:
        raise ecs.InvalidParameterException(f"The account setting {name} is managed by AWS and cannot be changed.")
    values = _VALUES.get(name, _SWITCH)
    if value not in values:
        raise ecs.InvalidParameterException(f"The account setting {name} should be one of [{','.join(values)}].")
    return value


def _principal(ctx: Context, arn: str | None) -> str:
    """The principal that a setting is for; it must be of the caller's account."""
    if arn is None or arn == ctx.principal:
        return ctx.principal
    prefix = f"arn:{partition(ctx.region)}:iam::{ctx.account}:"
    if not arn.startswith(prefix) or not _PRINCIPAL.fullmatch(arn.removeprefix(prefix)):
        raise ecs.InvalidParameterException("The specified principalArn is not a principal of this account.")
    return arn


def _root(ctx: Context) -> str:
    return f"arn:{partition(ctx.region)}:iam::{ctx.account}:root"


def _shape(name: str, value: str, principal: str) -> ecs.Setting:
    return msgspec.convert(
        {
            "name": name,
            "value": value,
            "principalArn": principal,
            "type": "aws_managed" if name in _AWS_MANAGED else "user",
        },
        ecs.Setting,
    )
