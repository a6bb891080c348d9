"""Account settings: the principal's own, the account's default, AWS's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import msgspec
import pytest

from fakes.services import Services
from tidegate.api import ecs

pytestmark = pytest.mark.anyio

ROOT = "arn:aws:iam::123456789012:root"
USER = "arn:aws:iam::123456789012:user/ann"


async def put(services: Services, name: Any, value: str, principal: str | None = None) -> ecs.Setting | None:
    request = ecs.PutAccountSettingRequest(name=name, value=value, principal_arn=principal)
    return (await services.ecs.put_account_setting(services.ctx, request)).setting


async def put_default(services: Services, name: Any, value: str) -> ecs.Setting | None:
    request = ecs.PutAccountSettingDefaultRequest(name=name, value=value)
    return (await services.ecs.put_account_setting_default(services.ctx, request)).setting


async def listed(services: Services, **members: Any) -> dict[str | None, str | None]:
    request = msgspec.convert({"maxResults": 10, **members}, ecs.ListAccountSettingsRequest)
    answer = await services.ecs.list_account_settings(services.ctx, request)
    return {setting.name: setting.value for setting in answer.settings or ()}


async def test_put(services: Services) -> None:
    """A setting is the caller's own unless the request names another principal."""
    assert await put(services, "containerInsights", "enabled") == ecs.Setting(
        name="containerInsights", value="enabled", principal_arn=ROOT, type="user"
    )
    assert await put(services, "containerInsights", "enhanced", USER) == ecs.Setting(
        name="containerInsights", value="enhanced", principal_arn=USER, type="user"
    )
    assert await listed(services) == {"containerInsights": "enabled"}
    assert await listed(services, principalArn=USER) == {"containerInsights": "enhanced"}


async def test_default(services: Services) -> None:
    """The account's default counts for whoever has no value; it is shown as the root's."""
    shown = await put_default(services, "containerInsights", "enabled")
    assert shown is not None
    assert shown.principal_arn == ROOT
    await put(services, "containerInsights", "disabled", USER)
    named = {"name": "containerInsights", "effectiveSettings": True}
    assert await listed(services, **named) == {"containerInsights": "enabled"}
    assert await listed(services, **named, principalArn=USER) == {"containerInsights": "disabled"}
    assert await listed(services) == {}


async def test_effective_settings_are_complete(services: Services) -> None:
    """Every setting has a value that applies, in pages of ten."""
    first = await services.ecs.list_account_settings(
        services.ctx, ecs.ListAccountSettingsRequest(effective_settings=True)
    )
    second = await services.ecs.list_account_settings(
        services.ctx, ecs.ListAccountSettingsRequest(effective_settings=True, next_token=first.next_token)
    )
    names = [setting.name for setting in (first.settings or ()) + (second.settings or ())]
    assert sorted(names, key=str) == sorted(get_args(ecs.SettingName))
    assert (len(first.settings or ()), second.next_token) == (10, None)


async def test_value_filter(services: Services) -> None:
    """Settings by name and value; a value alone says nothing."""
    await put(services, "containerInsights", "enabled")
    assert await listed(services, name="containerInsights", value="enabled") == {"containerInsights": "enabled"}
    assert await listed(services, name="containerInsights", value="disabled") == {}
    with pytest.raises(ecs.InvalidParameterException, match="requires a name"):
        await listed(services, value="enabled")


async def test_delete(services: Services) -> None:
    """What is left after a deletion is what applies from then on; deleting once more is no error."""
    await put_default(services, "containerInsights", "enhanced")
    await put(services, "containerInsights", "disabled")
    for _ in range(2):
        answer = await services.ecs.delete_account_setting(
            services.ctx, ecs.DeleteAccountSettingRequest(name="containerInsights")
        )
        assert answer.setting is not None
        assert answer.setting.value == "enhanced"
    assert await listed(services) == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("taskLongArnFormat", "disabled"),
        ("containerInsights", "on"),
        ("tagResourceAuthorization", "enabled"),
        ("fargateTaskRetirementWaitPeriod", "8"),
        ("guardDutyActivate", "on"),
    ],
)
async def test_values_refused(services: Services, name: str, value: str) -> None:
    """A value that the setting can't have is refused for the caller and for the account."""
    with pytest.raises(ecs.InvalidParameterException, match=name):
        await put(services, name, value)
    with pytest.raises(ecs.InvalidParameterException, match=name):
        await put_default(services, name, value)


@pytest.mark.parametrize("principal", ["ann", "arn:aws:iam::999999999999:root", "arn:aws-cn:iam::123456789012:root"])
async def test_principals_refused(services: Services, principal: str) -> None:
    """A principal is of the caller's account."""
    with pytest.raises(ecs.InvalidParameterException, match="principalArn"):
        await put(services, "containerInsights", "enabled", principal)


async def test_other_caller_does_not_see_mine(services: Services) -> None:
    """The caller's own settings are not another's."""
    await put(services, "containerInsights", "enabled")
    services.ctx = replace(services.ctx, principal=USER)
    assert await listed(services) == {}


async def test_page_size(services: Services) -> None:
    """1 to 10 settings a page."""
    with pytest.raises(ecs.InvalidParameterException, match="between 1 and 10"):
        await listed(services, maxResults=11)
