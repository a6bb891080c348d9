"""Control groups limit, count, kill and go away; version 2 on a made-up directory tree."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from fakes.specs import task_spec
from tidegate.model.spec import ContainerSpec
from tidegate.node.runtime.cgroup.cgroups import CgroupFailure, Cgroups, Limits, remove_group
from tidegate.node.runtime.cgroup.probe import find_cgroups, read_mounts
from tidegate.node.runtime.cgroup.tasks import PidLimits, TaskCgroups, plan_pid_limits
from tidegate.node.runtime.cgroup.v1 import CgroupsV1
from tidegate.node.runtime.cgroup.v2 import CgroupsV2, shares_to_weight

pytestmark = pytest.mark.anyio
MIB = 1 << 20
V2_FILES = (
    "cgroup.procs",
    "cgroup.subtree_control",
    "cpu.weight",
    "cpu.max",
    "cpu.max.burst",
    "memory.max",
    "pids.max",
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def test_quota_is_a_share_of_the_period() -> None:
    """1024 units are one core; no units are no limit; a sliver is what the kernel takes at least."""
    assert [Limits(cpu_units=units).cpu_quota_microseconds for units in (256, 1024, 4096, 1)] == [
        25_000,
        100_000,
        400_000,
        1_000,
    ]
    assert Limits().cpu_quota_microseconds is None


def test_shares_become_weights() -> None:
    """The ends of version 1's scale are those of version 2's."""
    assert [shares_to_weight(shares) for shares in (0, 2, 1024, 262_144, 1 << 30)] == [1, 1, 39, 10_000, 10_000]


def mountinfo(*mounts: tuple[str, str, str]) -> str:
    return "".join(
        f"30 20 0:{n} / {point} rw - {kind} x {options}\n" for n, (point, kind, options) in enumerate(mounts)
    )


def test_mounts_are_told_apart(tmp_path: Path) -> None:
    """Version 1, hybrid and version 2 are known by what is mounted; a part of a hierarchy does not count."""
    file = tmp_path / "mountinfo"
    v1 = ("/cg/cpu", "cgroup", "rw,cpu,cpuacct"), ("/cg/memory", "cgroup", "rw,memory")
    file.write_text(mountinfo(*v1))
    found = read_mounts(file)
    assert (found.v1["cpuacct"], found.v2, found.is_hybrid) == (Path("/cg/cpu"), None, False)
    file.write_text(mountinfo(*v1, ("/cg/unified", "cgroup2", "rw")))
    assert read_mounts(file).is_hybrid
    file.write_text(mountinfo(("/cg", "cgroup2", "rw")))
    assert (read_mounts(file).v1, read_mounts(file).v2) == ({}, Path("/cg"))
    file.write_text("30 20 0:1 /docker/x /cg rw - cgroup2 x rw\n")
    with pytest.raises(CgroupFailure, match="no cgroup file system"):
        find_cgroups(read_mounts(file))


def test_version_1_without_its_controllers_is_refused() -> None:
    """What is missing is named."""
    with pytest.raises(CgroupFailure, match="cpu, pids"):
        CgroupsV1({"memory": Path("/x")})


class TreeV2(CgroupsV2):
    """Makes the files that the kernel would, as ordinary ones; each write replaces the content."""

    def create(self, path: str, limits: Limits) -> None:
        directory = self._mount
        for part in Path(path.lstrip("/")).parts:
            directory = directory / part
            directory.mkdir(exist_ok=True)
            for name in V2_FILES:
                (directory / name).touch()
        super().create(path, limits)


@pytest.fixture
def tree(tmp_path: Path) -> TreeV2:
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    (tmp_path / "cgroup.subtree_control").touch()
    return TreeV2(tmp_path)


def test_version_2_limits(tree: TreeV2, tmp_path: Path) -> None:
    """The files of version 2 get the values that the kernel documents."""
    tree.create("/a/b", Limits(cpu_units=512, memory_mib=64, pids=100))
    values = {name: (tmp_path / "a/b" / name).read_text() for name in V2_FILES}
    assert values["cpu.max"] == "50000 100000"
    assert values["cpu.max.burst"] == "50000"
    assert values["memory.max"] == str(64 * MIB)
    assert values["pids.max"] == "100"
    assert (tmp_path / "a/cgroup.subtree_control").read_text().startswith("+")


def test_version_2_reads(tree: TreeV2, tmp_path: Path) -> None:
    """Usage, kills and the limit that binds are read from the group and its parents."""
    tree.create("/a/b", Limits(memory_mib=64))
    tree.create("/a", Limits(memory_mib=32))
    group = tmp_path / "a/b"
    (group / "cpu.stat").write_text("usage_usec 10\nuser_usec 7\nsystem_usec 3\nthrottled_usec 2\n")
    (group / "memory.current").write_text("5000\n")
    (group / "memory.stat").write_text("anon 1\ninactive_file 4096\n")
    (group / "pids.current").write_text("3\n")
    (group / "memory.events.local").write_text("oom 2\noom_kill 1\n")
    usage = tree.usage("/a/b")
    assert usage is not None
    assert (usage.cpu_nanoseconds, usage.throttled_nanoseconds, usage.memory_bytes) == (10_000, 2_000, 5_000)
    assert (usage.memory_cache_bytes, usage.memory_limit_bytes, usage.pids) == (4096, 32 * MIB, 3)
    assert tree.oom_kills("/a/b") == 1
    assert tree.usage("/gone") is None
    assert tree.oom_kills("/gone") == 0


def test_version_2_without_controllers_is_refused(tmp_path: Path) -> None:
    """A hybrid host's version 2 has none that limit tasks."""
    (tmp_path / "cgroup.controllers").write_text("hugetlb\n")
    with pytest.raises(CgroupFailure, match="cpu, memory, pids"):
        CgroupsV2(tmp_path)


@pytest.fixture
def real() -> Iterator[tuple[Cgroups, str]]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    cgroups, path = find_cgroups(), f"/tidegate-test-{uuid.uuid4().hex[:8]}"
    yield cgroups, path
    anyio.run(remove_group, cgroups, path)
    assert not cgroups.exists(path)


def join(path: str, *command: str) -> subprocess.Popen[bytes]:
    """A process that puts itself into the group before it runs the command."""
    mounts = read_mounts()
    directories = [*mounts.v1.values()] if "memory" in mounts.v1 else [mounts.v2]
    files = [f"{directory}{path}/cgroup.procs" for directory in directories if Path(f"{directory}{path}").exists()]
    script = 'for file in $FILES; do echo $$ > $file; done; exec "$@"'
    return subprocess.Popen(["sh", "-c", script, "sh", *command], env={**os.environ, "FILES": " ".join(files)})


@pytest.mark.host
async def test_a_real_group_limits_and_counts(real: tuple[Cgroups, str]) -> None:
    """What is set can be read back, twice set is once set, and a lower limit can be raised again."""
    cgroups, path = real
    for memory in (64, 32, 128):
        cgroups.create(f"{path}/t", Limits(cpu_units=256, memory_mib=memory, pids=10))
        usage = cgroups.usage(f"{path}/t")
        assert usage is not None
        assert usage.memory_limit_bytes == memory * MIB
    assert cgroups.list(path) == {"t"}


@pytest.mark.host
async def test_a_real_group_is_emptied_and_removed(real: tuple[Cgroups, str]) -> None:
    """Everything in a group and below it is killed; a group with processes is removed all the same."""
    cgroups, path = real
    cgroups.create(f"{path}/t/c", Limits())
    child = join(f"{path}/t/c", "sh", "-c", "sleep 100 & sleep 100 & wait")
    with anyio.fail_after(10):
        while len(cgroups.pids(path)) < 3:  # noqa: ASYNC110 - another process is awaited
            await anyio.sleep(0.005)
    # Its parent is this test: without being collected it would stay in the group.
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.to_thread.run_sync, child.wait)
        await remove_group(cgroups, path)
    assert not cgroups.exists(path)
    await remove_group(cgroups, path)


@pytest.mark.host
async def test_a_tasks_groups(real: tuple[Cgroups, str]) -> None:
    """A task's group has the task's limits; a teardown takes all tasks' groups."""
    cgroups, path = real
    tasks = TaskCgroups(cgroups, path.removeprefix("/tidegate-"))
    spec = task_spec(ContainerSpec(name="app", image="x"))
    await tasks.create(spec)
    usage = tasks.usage(spec.id)
    assert usage is not None
    assert usage.memory_limit_bytes == 512 * MIB
    assert tasks.tasks() == {spec.id}
    assert tasks.container_path(spec.id, "app") == f"{path}/{spec.id}/app"
    await tasks.remove(spec.id)
    assert tasks.tasks() == set()
    await tasks.create(spec)
    await tasks.remove_all()
    assert not cgroups.exists(path)


@pytest.mark.parametrize(
    ("pid_max", "task", "all_tasks"), [(4096, 1024, 3072), (32_768, 4096, 24_576), (4_194_304, 16_384, 3_145_728)]
)
def test_limits_on_processes(pid_max: int, task: int, all_tasks: int) -> None:
    """A task has its share of what the host can number, and all tasks leave the host a quarter."""
    assert plan_pid_limits(pid_max) == PidLimits(task, all_tasks)
