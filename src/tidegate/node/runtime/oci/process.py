"""What runs first in a container: arguments, environment, user, capabilities and resource limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.model.image import ImageConfig
from tidegate.model.spec import ContainerSpec, Ulimit
from tidegate.node.runtime.oci.capabilities import PlannedCapabilities
from tidegate.node.runtime.oci.host import UNLIMITED, HostFacts
from tidegate.node.runtime.oci.user import ProcessUser
from tidegate.node.runtime.runtime import RuntimeFailure

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
INIT_PATH = "/dev/init"
TERMINAL_SIZE = {"height": 24, "width": 80}
"""Of a container's terminal, which nobody looks at; docker says 0 x 0, which some programs do not bear."""
DEFAULT_NOFILE = Ulimit(name="nofile", soft=65_535, hard=65_535)
"""Fargate's default (Amazon ECS developer guide, resource limits)."""
DEFAULT_CORE = Ulimit(name="core", soft=0, hard=0)
"""No core dumps, which hold a container's secrets and end on the host, unless the task definition asks for them."""


def plan_arguments(container: ContainerSpec, image: ImageConfig) -> list[str]:
    """As docker merges them: an entry point of the task's own drops the image's command. Raises RuntimeFailure."""
    if container.entry_point:
        arguments = [*container.entry_point, *(container.command or ())]
    else:
        arguments = [*image.entry_point, *(container.command or image.command)]
    if not arguments:
        raise RuntimeFailure("create", f"cannot create container {container.name}: no command specified")
    return [INIT_PATH, "--", *arguments] if container.init_process else arguments


def plan_environment(container: ContainerSpec, image: ImageConfig, user: ProcessUser, hostname: str) -> list[str]:
    """Defaults, then the image's, then the task's; a later one of the same name wins in its first one's place."""
    merged = {"PATH": DEFAULT_PATH, "HOSTNAME": hostname, "HOME": user.home}
    if container.terminal:
        merged["TERM"] = "xterm"  # as docker has it
    for entry in image.environment:
        name, separator, value = entry.partition("=")
        if separator and name:
            merged[name] = value
    merged.update(container.environment)
    return [f"{name}={value}" for name, value in merged.items()]


def plan_limits(ulimits: Sequence[Ulimit], host: HostFacts) -> tuple[list[dict[str, Any]], list[str]]:
    """OCI rlimits, and notes on those that this host can't give in full. -1 means unlimited."""
    defaults = {limit.name: limit for limit in (DEFAULT_NOFILE, DEFAULT_CORE)}
    wanted = {**defaults, **{limit.name: limit for limit in ulimits}}
    planned, notes = [], []
    for name, limit in wanted.items():
        soft, hard = (UNLIMITED if value < 0 else value for value in (limit.soft, limit.hard))
        ceiling = host.hard_limits.get(name, UNLIMITED)
        if hard > ceiling and not host.may_raise_limits:
            notes.append(f"ulimit {name}: the hard limit {limit.hard} is held at {ceiling}: no CAP_SYS_RESOURCE here")
            soft, hard = min(soft, ceiling), ceiling
        planned.append({"type": f"RLIMIT_{name.upper()}", "soft": min(soft, hard), "hard": hard})
    return planned, notes


def plan_process(
    container: ContainerSpec,
    image: ImageConfig,
    user: ProcessUser,
    capabilities: PlannedCapabilities,
    environment: Sequence[str],
    limits: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """
    The OCI process.

    no_new_privileges stays off, as on Fargate and in docker by default: images rely on sudo and other set-uid programs,
    and what those can gain is bounded by the container's capabilities.
    """
    names = [f"CAP_{name}" for name in capabilities.kept]
    held: dict[str, Any] = {"bounding": names}
    if user.uid == 0:
        # For others execve(2) would empty these anyway; given ahead, they would leave a user with root's powers.
        held |= {"effective": names, "permitted": names}
    account: dict[str, Any] = {"uid": user.uid, "gid": user.gid}
    if user.groups:
        account["additionalGids"] = list(user.groups)
    terminal = {"terminal": True, "consoleSize": dict(TERMINAL_SIZE)} if container.terminal else {"terminal": False}
    return {
        **terminal,
        "user": account,
        "args": plan_arguments(container, image),
        "env": list(environment),
        "cwd": container.working_directory or image.working_directory or "/",
        "capabilities": held,
        "rlimits": list(limits),
        "noNewPrivileges": False,
    }
