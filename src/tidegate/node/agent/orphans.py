"""
What is left on the host of tasks that nobody knows any more: a directory that lost its specification, a control group
or a network interface without a directory. None of it is ever used again, so it is taken away at the start.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

import structlog

from tidegate.node.agent.journal import BUNDLE_PREFIX, Journal
from tidegate.node.agent.parts import Parts
from tidegate.node.runtime.runtime import Bundle

log = structlog.get_logger()


async def remove_orphans(parts: Parts, directories: Collection[Path], known: Collection[str]) -> None:
    """
    Take away the tasks in `directories`, and all that the host has of tasks that are not `known`.

    What can't be taken away now is tried again at the next start.
    """
    for directory in directories:
        try:
            await _remove_directory(parts, directory)
        except Exception as error:  # of any part; the others go on
            log.warning("cannot take away what is left of a task", directory=str(directory), why=str(error))
    for task in sorted((parts.network.attached() | parts.cgroups.tasks()) - set(known)):
        log.warning("taking away what is left of a task that nobody knows", task=task)
        try:
            await parts.cgroups.remove(task)
            await parts.network.detach(task)
        except Exception as error:  # as above
            log.warning("cannot take away what is left of a task", task=task, why=str(error))


async def _remove_directory(parts: Parts, directory: Path) -> None:
    task = directory.name
    for entry in os.listdir(directory):
        if not entry.startswith(BUNDLE_PREFIX):
            continue
        name, place = entry.removeprefix(BUNDLE_PREFIX), directory / entry
        bundle = Bundle(f"{task}-{name}", place, parts.cgroups.container_path(task, name))
        found = await parts.runtime.recover(bundle)
        if found is not None:
            await found[0].remove()
        parts.runtime.forget(bundle)
        await parts.images.unmount_rootfs(place, keep_written=True)
    Journal(directory).remove()
