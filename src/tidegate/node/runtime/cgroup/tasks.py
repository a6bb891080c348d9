"""The groups of one server's tasks: `/tidegate-<instance>/<task>`, and below each those of its containers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tidegate.kernel import failpoint
from tidegate.model.container_name import host_name
from tidegate.model.counters import GroupCounters
from tidegate.model.spec import TaskSpec
from tidegate.node.runtime.cgroup.cgroups import Cgroups, Limits, Usage, remove_group

MOST_TASK_PIDS, LEAST_TASK_PIDS = 16_384, 1_024


@dataclass(frozen=True, slots=True)
class PidLimits:
    """Processes and threads that tasks may have: a fork bomb ends here, and not at the host's limit."""

    task: int
    """One task, all its containers together."""
    all_tasks: int


def plan_pid_limits(pid_max: int) -> PidLimits:
    """For a host that numbers so many: an eighth a task, from 1,024 to 16,384; three quarters for all of them."""
    return PidLimits(max(LEAST_TASK_PIDS, min(MOST_TASK_PIDS, pid_max // 8)), pid_max * 3 // 4)


def read_pid_max(proc: Path = Path("/proc")) -> int:
    """How many processes and threads the host can number."""
    return int((proc / "sys/kernel/pid_max").read_text())


class TaskCgroups:
    """instance: tells this server from others on the same machine."""

    def __init__(self, cgroups: Cgroups, instance: str, pids: PidLimits | None = None) -> None:
        self._cgroups = cgroups
        self._pids = pids or plan_pid_limits(read_pid_max())
        self._is_parent_limited = False
        self.parent = f"/tidegate-{instance}"

    async def create(self, task: TaskSpec) -> None:
        """Make the task's group with its limits, or set them again. Raises CgroupFailure."""
        await failpoint.reach("cgroup.create")
        if not self._is_parent_limited:
            self._cgroups.create(self.parent, Limits(pids=self._pids.all_tasks))
            self._is_parent_limited = True
        limits = Limits(cpu_units=task.cpu_units, memory_mib=task.memory_mib, pids=self._pids.task)
        self._cgroups.create(self.task_path(task.id), limits)

    async def remove(self, task: str) -> None:
        """Kill all that runs in it and take it away with all below. Idempotent. Raises CgroupFailure."""
        await failpoint.reach("cgroup.remove")
        await remove_group(self._cgroups, self.task_path(task))

    async def remove_all(self) -> None:
        """Take everything of this server away, after a teardown or a crash. Idempotent. Raises CgroupFailure."""
        await remove_group(self._cgroups, self.parent)

    def tasks(self) -> set[str]:
        """The ids of the tasks that have a group."""
        return self._cgroups.list(self.parent)

    def usage(self, task: str, container: str | None = None) -> Usage | None:
        """Of a task or one of its containers; None if it is gone."""
        return self._cgroups.usage(self.container_path(task, container) if container else self.task_path(task))

    def counters(self, task: str, container: str | None = None) -> GroupCounters | None:
        """What was counted of a task or of one of its containers; None if it is gone."""
        return self._cgroups.counters(self.container_path(task, container) if container else self.task_path(task))

    def oom_kills(self, task: str, container: str | None = None) -> int:
        """How many processes of the group itself were killed for want of memory."""
        return self._cgroups.oom_kills(self.container_path(task, container) if container else self.task_path(task))

    def task_path(self, task: str) -> str:
        """The task's group, below the root of the hierarchy."""
        return f"{self.parent}/{task}"

    def container_path(self, task: str, container: str) -> str:
        """Where the runtime puts a container's group."""
        return f"{self.parent}/{task}/{host_name(container)}"
