"""
Rules for FireLens: a container that routes the others' output, and those whose log driver is awsfirelens.

Source: API reference, FirelensConfiguration and LogConfiguration; the text for a missing plugin is the ECS agent's,
where nothing else is said it is our own.
"""

from __future__ import annotations

from tidegate.api import ecs
from tidegate.model.log_options import FIRELENS_OWN_OPTIONS, MOST_FORWARD_LINES

_OPTIONS = ("enable-ecs-log-metadata", "config-file-type", "config-file-value")
_GENERATED = {"fluentbit": "/fluent-bit/etc/fluent-bit.conf", "fluentd": "/fluentd/etc/fluent.conf"}
_PLUGIN_KEYS = {"fluentbit": "Name", "fluentd": "@type"}


def check_firelens(containers: tuple[ecs.ContainerDefinition, ...]) -> None:
    """Refuse log routers that can't work, and options that they can't have. Raises ClientException."""
    routers = [c for c in containers if c.firelens_configuration is not None]
    if len(routers) > 1:
        names = ", ".join(router.name or "" for router in routers)
        raise ecs.ClientException(f"Only one container can have a firelensConfiguration. These have one: {names}")
    users = [c for c in containers if c.log_configuration and c.log_configuration.log_driver == "awsfirelens"]
    if users and not routers:
        raise ecs.ClientException(
            "When awsfirelens log driver is specified in log configuration, "
            "a firelens configuration object must be specified"
        )
    for router in routers:
        assert router.firelens_configuration is not None
        _check_router(router.firelens_configuration)
        if router in users:
            raise ecs.ClientException(
                f"Container '{router.name}' can't use the awsfirelens log driver, as it has the firelensConfiguration."
            )
        for user in users:
            _check_user(user, router.firelens_configuration.type)


def _check_router(firelens: ecs.FirelensConfiguration) -> None:
    options = firelens.options or {}
    for name, value in options.items():
        if name not in _OPTIONS:
            raise ecs.ClientException(f"Invalid firelensConfiguration option: {name}")
        _check_text(f"firelensConfiguration option {name}", value)
    if options.get("enable-ecs-log-metadata", "true") not in ("true", "false"):
        raise _invalid("enable-ecs-log-metadata", options)
    kind, path = options.get("config-file-type"), options.get("config-file-value")
    if (kind is None) is not (path is None):
        raise ecs.ClientException("config-file-type and config-file-value of firelensConfiguration go together")
    if kind not in (None, "file", "s3"):
        raise _invalid("config-file-type", options)
    if path is not None and (not path or path == _GENERATED[firelens.type]):
        raise _invalid("config-file-value", options)


def _check_user(container: ecs.ContainerDefinition, kind: str) -> None:
    assert container.log_configuration is not None
    options = container.log_configuration.options or {}
    secrets = [secret.name for secret in container.log_configuration.secret_options or ()]
    for name, value in options.items():
        _check_text("log configuration option", name)
        _check_text(f"log configuration option {name}", value)
    for name in secrets:
        _check_text("log configuration option", name)
    limit = options.get("log-driver-buffer-limit", "0")
    if not (limit.isascii() and limit.isdigit() and int(limit[:20]) <= MOST_FORWARD_LINES):
        raise ecs.ClientException(f"Invalid log configuration option log-driver-buffer-limit: {limit}")
    key = _PLUGIN_KEYS[kind]
    if (set(options) - FIRELENS_OWN_OPTIONS or secrets) and not options.get(key):
        raise ecs.ClientException(
            f"unable to apply log options of container {container.name} to firelens config: missing output key {key} "
            f"which is required for firelens configuration of type {kind}"
        )


def _check_text(what: str, value: str) -> None:
    """It becomes a line of the router's configuration."""
    if any(character in value for character in "\r\n\0"):
        raise ecs.ClientException(f"Invalid {what}: it must be one line")


def _invalid(name: str, options: dict[str, str]) -> ecs.ClientException:
    return ecs.ClientException(f"Invalid firelensConfiguration option {name}: {options[name]}")
