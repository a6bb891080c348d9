"""What an OCI runtime is told to run beside a container's own process, for somebody who talks to it."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from tidegate.kernel.inroot import open_in_root
from tidegate.model.session import ExecRequest, SessionFailure
from tidegate.node.runtime.oci.process import DEFAULT_PATH
from tidegate.node.runtime.oci.user import ProcessUser, find_user
from tidegate.node.runtime.toolbox import PLACE, Toolbox

DEFAULT_TERMINAL = "xterm-256color"


@dataclass(frozen=True, slots=True)
class PlannedExec:
    """process: as OCI has it. needs_toolbox: the command is one of ours, and needs its descriptor."""

    process: dict[str, Any]
    needs_toolbox: bool


def plan_command(own: Mapping[str, Any], request: ExecRequest, root: Path, toolbox: Toolbox) -> PlannedExec:
    """
    The process of a request in a container whose first process is `own`; root: its root file system, as it is now.

    Capabilities, limits and no_new_privileges are the container's; the runtime adds its seccomp profile, namespaces
    and control group. Raises SessionFailure for a command that is nowhere, RuntimeFailure for a user that is not there.
    """
    user = find_user(root, request.user)
    environment = plan_environment(own, request, user)
    directory = request.working_directory or own.get("cwd", "/")
    command, place = request.command[0], None
    if not is_in_container(root, command, environment.get("PATH", DEFAULT_PATH), directory):
        place = toolbox.find(command)
        if place is None:
            raise SessionFailure(_why_missing(command, toolbox), 127)
        environment["PATH"] = f"{environment.get('PATH', DEFAULT_PATH)}:{PLACE}"
    process = {
        **own,
        "terminal": request.terminal is not None,
        "user": _account(user),
        "args": [place or command, *request.command[1:]],
        "env": [f"{name}={value}" for name, value in environment.items()],
        "cwd": directory,
        "capabilities": plan_capabilities(own.get("capabilities") or {}, user),
    }
    if request.terminal is not None:
        process["consoleSize"] = {"height": request.terminal.rows, "width": request.terminal.columns}
    return PlannedExec(process, place is not None)


def plan_environment(own: Mapping[str, Any], request: ExecRequest, user: ProcessUser) -> dict[str, str]:
    """The container's, with the user's own home, a terminal's kind, and what was asked for, which wins."""
    pairs = (entry.partition("=") for entry in own.get("env", ()))
    environment = {name: value for name, _, value in pairs}
    if user.uid != own.get("user", {}).get("uid", 0):
        environment["HOME"] = user.home
    if request.terminal is not None:
        environment["TERM"] = DEFAULT_TERMINAL
    return environment | request.environment


def plan_capabilities(own: Mapping[str, Any], user: ProcessUser) -> dict[str, Any]:
    """As for the container's own process: root holds what the container may have, others get at it by exec alone."""
    bounding = list(own.get("bounding", ()))
    return {"bounding": bounding} | ({"effective": bounding, "permitted": bounding} if user.uid == 0 else {})


def is_in_container(root: Path, command: str, search_path: str, directory: str) -> bool:
    """
    Is it there as a file that can be executed? What can't be looked at counts as there: the runtime tells what it is.
    """
    if "/" in command:
        return _is_program(root, str(PurePosixPath(directory) / command))
    places = (place or "." for place in search_path.split(":"))
    return any(_is_program(root, str(PurePosixPath(directory) / place / command)) for place in places)


def _is_program(root: Path, path: str) -> bool:
    try:
        fd = open_in_root(root, path, os.O_PATH)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    try:
        mode = os.fstat(fd).st_mode
    finally:
        os.close(fd)
    return stat.S_ISREG(mode) and bool(mode & 0o111)


def _account(user: ProcessUser) -> dict[str, Any]:
    account: dict[str, Any] = {"uid": user.uid, "gid": user.gid}
    if user.groups:
        account["additionalGids"] = list(user.groups)
    return account


def _why_missing(command: str, toolbox: Toolbox) -> str:
    if PurePosixPath(command).name in ("sh", "ash") and toolbox.why_not:
        return f"{command}: the container's image has no shell, and {toolbox.why_not}"
    return f"{command}: not found in the container"
