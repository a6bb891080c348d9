"""
Rules for what a container asks of the Linux kernel: capabilities, limits, sysctls, memory file systems.

Source: API reference, LinuxParameters, KernelCapabilities, Tmpfs, Ulimit and SystemControl.
"""

from __future__ import annotations

import re

from tidegate.api import ecs


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


CAPABILITIES = _words(
    "ALL AUDIT_CONTROL AUDIT_WRITE BLOCK_SUSPEND CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID IPC_LOCK IPC_OWNER "
    "KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW SETFCAP "
    "SETGID SETPCAP SETUID SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO "
    "SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG SYSLOG WAKE_ALARM"
)
MOUNT_OPTIONS = _words(
    "defaults ro rw suid nosuid dev nodev exec noexec sync async dirsync remount mand nomand atime noatime diratime "
    "nodiratime bind rbind unbindable runbindable private rprivate shared rshared slave rslave relatime norelatime "
    "strictatime nostrictatime mode uid gid nr_inodes nr_blocks mpol"
)
UNLIMITED = -1

_IPC_CONTROLS = _words(
    "kernel.msgmax kernel.msgmnb kernel.msgmni kernel.sem kernel.shmall kernel.shmmax kernel.shmmni "
    "kernel.shm_rmid_forced"
)
_CONTROL = re.compile(r"(?P<space>net|fs\.mqueue)(\.[A-Za-z0-9_-]+)+")
_OPTION = re.compile(r"(?P<name>[a-z_]+)(=[A-Za-z0-9:,._-]+)?")


def check_linux(definition: ecs.TaskDefinition) -> None:
    """Refuse what no Linux host could do. Raises ClientException."""
    for container in definition.container_definitions or ():
        setting = f"Invalid setting for container '{container.name}'."
        if container.linux_parameters is not None:
            _check_parameters(container.linux_parameters, setting)
        _check_ulimits(container.ulimits or (), setting)
        _check_controls(container.system_controls or (), definition, setting)


def _check_parameters(parameters: ecs.LinuxParameters, setting: str) -> None:
    capabilities = parameters.capabilities or ecs.KernelCapabilities()
    for name in (*(capabilities.add or ()), *(capabilities.drop or ())):
        if name not in CAPABILITIES:
            raise ecs.ClientException(f"{setting} '{name}' is not a Linux capability.")
    if parameters.shared_memory_size is not None and parameters.shared_memory_size <= 0:
        raise ecs.ClientException(f"{setting} 'sharedMemorySize' must be greater than 0.")
    if parameters.swappiness is not None and not 0 <= parameters.swappiness <= 100:
        raise ecs.ClientException(f"{setting} 'swappiness' must be between 0 and 100.")
    if parameters.max_swap is not None and parameters.max_swap < 0:
        raise ecs.ClientException(f"{setting} 'maxSwap' must not be negative.")
    for tmpfs in parameters.tmpfs or ():
        _check_tmpfs(tmpfs, setting)


def _check_tmpfs(tmpfs: ecs.Tmpfs, setting: str) -> None:
    path = tmpfs.container_path
    if not path.startswith("/") or "\0" in path or ".." in path.split("/"):
        raise ecs.ClientException(f"{setting} A tmpfs' 'containerPath' must be an absolute path.")
    if tmpfs.size <= 0:
        raise ecs.ClientException(f"{setting} A tmpfs' 'size' must be greater than 0.")
    for option in tmpfs.mount_options or ():
        match = _OPTION.fullmatch(option)
        if match is None or match["name"] not in MOUNT_OPTIONS:
            raise ecs.ClientException(f"{setting} '{option}' is not a mount option of a tmpfs.")


def _check_ulimits(ulimits: tuple[ecs.Ulimit, ...], setting: str) -> None:
    names = set()
    for ulimit in ulimits:
        soft, hard = ulimit.soft_limit, ulimit.hard_limit
        if ulimit.name in names:
            raise ecs.ClientException(f"{setting} The ulimit {ulimit.name} is set more than once.")
        if min(soft, hard) < UNLIMITED:
            raise ecs.ClientException(f"{setting} The ulimit {ulimit.name} must not be negative.")
        if hard != UNLIMITED and (soft == UNLIMITED or soft > hard):
            raise ecs.ClientException(f"Soft limit exceeds hard limit for ulimit {ulimit.name}")
        names.add(ulimit.name)


def _check_controls(controls: tuple[ecs.SystemControl, ...], definition: ecs.TaskDefinition, setting: str) -> None:
    for control in controls:
        name = control.namespace or ""
        match = _CONTROL.fullmatch(name)
        if match is None and name not in _IPC_CONTROLS:
            raise ecs.ClientException(f"{setting} '{name}' is not a namespaced kernel parameter that can be set.")
        if not control.value or "\0" in control.value:
            raise ecs.ClientException(f"{setting} The kernel parameter '{name}' needs a value.")
        is_network = match is not None and match["space"] == "net"
        if is_network and definition.network_mode == "host":
            raise ecs.ClientException(f"{setting} '{name}' is not supported when networkMode=host.")
        if not is_network and definition.ipc_mode == "host":
            raise ecs.ClientException(f"{setting} '{name}' is not supported when ipcMode=host.")
