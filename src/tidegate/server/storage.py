"""Which storage tasks get on this host."""

from __future__ import annotations

import os
from functools import partial

import structlog

from tidegate.node.image.budget import Limits
from tidegate.node.volume.disks import TaskDisks
from tidegate.node.volume.efs import EfsVolumes, MountRights
from tidegate.node.volume.efsmap import BadEfsOption, parse_efs_map
from tidegate.node.volume.guard import DiskGuard, read_host
from tidegate.node.volume.probe import NoScratch, choose_scratch
from tidegate.node.volume.scratch import MIB
from tidegate.server.config import Config, ConfigError
from tidegate.server.statedir import StateDirectory

log = structlog.get_logger()


async def make_volumes(config: Config, state: StateDirectory, rights: MountRights) -> TaskDisks:
    """
    The best that works here, or what was named. Raises ConfigError.

    rights: of tasks' roles on EFS file systems.
    """
    try:
        efs = EfsVolumes(state.mounts, parse_efs_map(config.efs_root, config.efs_access_point), rights)
        choice = await choose_scratch(state.scratch, config.scratch)
    except BadEfsOption as error:
        raise ConfigError(str(error)) from error
    except (NoScratch, OSError) as error:
        raise ConfigError(f"{error}. See `tidegate doctor`") from error
    if choice.scratch.kind == "unlimited" and choice.refused:
        log.warning("the disks of tasks are not limited", why="; ".join(choice.refused))
    reserve = find_reserve_bytes(config)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    host = partial(read_host, state.scratch, reserve, memory)
    return TaskDisks(choice.scratch, DiskGuard(choice.scratch, host), efs)


def find_reserve_bytes(config: Config) -> int | None:
    """What was asked for; None: by the size of the disk."""
    return None if config.reserve_disk is None else config.reserve_disk * MIB


def image_limits(config: Config, state: StateDirectory) -> Limits:
    """The default ones, and what images leave of the disk. Raises OSError."""
    return Limits(reserve_bytes=read_host(state.path, find_reserve_bytes(config), 0).reserve_bytes)
