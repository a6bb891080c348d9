"""
The configuration of a task's log router (FireLens), planned as data: a pure function of the task.

A router takes records from a socket that the node sends containers' output to, and from port 24224 of the task's own
network; it filters them, adds what ECS tells of the task, includes what its image brings, and has an output for each
container that uses it. Port 8877 is for health checks of the router itself. Secrets are not in it but named: they
are in the router's environment.

Source: ECS agent, FireLens; Developer Guide, "Send Amazon ECS logs to an AWS service or AWS Partner".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from tidegate.model.spec import ROUTER_DIRECTORY, LogRouter, RouterOutput, TaskSpec

PORT: Final = 24224
HEALTH_PORT: Final = 8877
SOCKET: Final = "fluent.sock"
"""In the router's directory, which is a volume of the task."""
CONFIG_PATHS: Final = {"fluentbit": "/fluent-bit/etc/fluent-bit.conf", "fluentd": "/fluentd/etc/fluent.conf"}
_NAME_KEYS: Final = {"fluentbit": "Name", "fluentd": "@type"}
_HEALTH_TAG: Final = "firelens-healthcheck"
_PATTERNS: Final = ("include-pattern", "exclude-pattern")


def plan_router_config(task: TaskSpec, router: LogRouter) -> str:
    """The text of the file that the router is started with."""
    return _plan_fluentbit(task, router) if router.kind == "fluentbit" else _plan_fluentd(task, router)


def _metadata(task: TaskSpec) -> dict[str, str]:
    return {
        "ecs_cluster": task.cluster,
        "ecs_task_arn": task.arn,
        "ecs_task_definition": f"{task.family}:{task.family_revision}",
    }


def _plugin_options(output: RouterOutput, kind: str) -> Iterator[tuple[str, str]]:
    """All but the plugin's name and the patterns, which are filters' here."""
    for key, value in sorted(output.options.items()):
        if key not in (_NAME_KEYS[kind], *_PATTERNS):
            yield key, value
    for key, variable in sorted(output.secrets.items()):
        yield key, f"${{{variable}}}" if kind == "fluentbit" else f"\"#{{ENV['{variable}']}}\""


def _plan_fluentbit(task: TaskSpec, router: LogRouter) -> str:
    blocks = [
        _section("INPUT", {"Name": "tcp", "Listen": "127.0.0.1", "Port": str(HEALTH_PORT), "Tag": _HEALTH_TAG}),
        _section("INPUT", {"Name": "forward", "unix_path": f"{ROUTER_DIRECTORY}/{SOCKET}"}),
        _section("INPUT", {"Name": "forward", "Listen": "127.0.0.1", "Port": str(PORT)}),
    ]
    for output in router.outputs:
        match = f"{output.container}-firelens*"
        for option, word in zip(_PATTERNS, ("Regex", "Exclude"), strict=True):
            if option in output.options:
                blocks.append(
                    _section("FILTER", {"Name": "grep", "Match": match, word: f"log {output.options[option]}"})
                )
    if router.adds_metadata:
        records = [("Record", f"{name} {value}") for name, value in _metadata(task).items()]
        blocks.append(_lines("FILTER", [("Name", "record_modifier"), ("Match", "*"), *records]))
    if router.include:
        blocks.append(f"@INCLUDE {router.include}\n")
    blocks.append(_section("OUTPUT", {"Name": "null", "Match": _HEALTH_TAG}))
    for output in router.outputs:
        if output.options or output.secrets:
            named = [("Name", output.options.get("Name", "")), ("Match", f"{output.container}-firelens*")]
            blocks.append(_lines("OUTPUT", [*named, *_plugin_options(output, "fluentbit")]))
    return "\n".join(blocks)


def _section(kind: str, options: Mapping[str, str]) -> str:
    return _lines(kind, list(options.items()))


def _lines(kind: str, options: list[tuple[str, str]]) -> str:
    return f"[{kind}]\n" + "".join(f"    {key} {value}\n" for key, value in options)


def _plan_fluentd(task: TaskSpec, router: LogRouter) -> str:
    blocks = [
        _element("source", "", [("@type", "unix"), ("path", f"{ROUTER_DIRECTORY}/{SOCKET}")]),
        _element("source", "", [("@type", "forward"), ("bind", "127.0.0.1"), ("port", str(PORT))]),
    ]
    for output in router.outputs:
        match = f"{output.container}-firelens**"
        for option, word in zip(_PATTERNS, ("regexp", "exclude"), strict=True):
            if option in output.options:
                inner = _element(word, "", [("key", "log"), ("pattern", output.options[option])])
                blocks.append(_element("filter", match, [("@type", "grep")], inner))
    if router.adds_metadata:
        inner = _element("record", "", list(_metadata(task).items()))
        blocks.append(_element("filter", "**", [("@type", "record_transformer")], inner))
    if router.include:
        blocks.append(f"@include {router.include}\n")
    for output in router.outputs:
        if output.options or output.secrets:
            named = [("@type", output.options.get("@type", "")), *_plugin_options(output, "fluentd")]
            blocks.append(_element("match", f"{output.container}-firelens**", named))
    return "\n".join(blocks)


def _element(name: str, argument: str, options: list[tuple[str, str]], inner: str = "") -> str:
    head = f"<{name} {argument}>" if argument else f"<{name}>"
    lines = [f"    {key} {value}\n" for key, value in options] + [f"    {line}\n" for line in inner.splitlines()]
    return f"{head}\n{''.join(lines)}</{name}>\n"
