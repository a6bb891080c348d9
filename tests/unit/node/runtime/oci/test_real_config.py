"""Planned configurations as real containers see them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from fakes.specs import network_spec, task_spec
from fixtures.containers import RealHost, missing_for_containers, network_namespace, real_host
from tidegate.model.image import ImageConfig
from tidegate.model.spec import ContainerSpec, Mount, Tmpfs, Ulimit
from tidegate.node.runtime.cgroup.probe import read_mounts
from tidegate.node.runtime.oci.config import Site, plan_config
from tidegate.node.runtime.oci.host import read_host_facts
from tidegate.node.runtime.oci.user import find_user
from tidegate.node.runtime.probe import find_toolchain

pytestmark = [pytest.mark.anyio, pytest.mark.host]
IMAGE = ImageConfig(environment=("PATH=/bin", "FROM=image"))
NETWORK = network_spec(address="10.64.0.10")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["crun", "runc"])
async def host(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RealHost]:
    if missing := missing_for_containers(request.param):
        pytest.skip(missing)
    async with real_host(tmp_path, request.param) as made:
        yield made


async def run(
    host: RealHost, script: str, *, user: str = "", volumes: Mapping[str, Path] | None = None, **more: Any
) -> tuple[int, str]:
    """Run a shell script in a container with a planned configuration; its exit code and stdout."""
    bundle = host.bundle()
    rootfs = host.directory / "rootfs"
    container = ContainerSpec(name="app", image="busybox", command=("sh", "-c", script), user=user or None, **more)
    task = task_spec(container, network=NETWORK)
    facts = read_host_facts(find_toolchain(host.kind), read_mounts())
    with network_namespace(host.directory) as namespace:
        site = Site(rootfs, bundle.cgroup, namespace, find_user(rootfs, user), volumes=volumes or {})
        planned = plan_config(task, container, IMAGE, site, facts)
        made = await host.runtime.create(bundle, planned.config)
        try:
            await made.start()
            ended = await made.wait()
        finally:
            await made.remove()
    return ended.code, host.output_text(bundle)


async def test_environment_user_and_home(host: RealHost) -> None:
    """A named user runs with its own ids, groups, home and the merged environment."""
    script = "id -u; id -g; id -G; echo $HOME $FROM $OWN $HOSTNAME; pwd"
    code, output = await run(host, script, user="web", environment={"OWN": "1"}, working_directory="/data")
    assert (code, output.split("\n")) == (
        0,
        ["1000", "1000", "1000 2000", "/data image 1 ip-10-64-0-10.ec2.internal", "/data"],
    )


async def test_limits_are_seen(host: RealHost) -> None:
    """Descriptor limit, shared memory size, memory limit and tmpfs are what was planned."""
    _, output = await run(
        host,
        "ulimit -n; df -m /dev/shm | tail -1; df -m /cache | tail -1; cat /proc/self/cgroup | grep -c tidegate",
        tmpfs=(Tmpfs(path="/cache", size_mib=5),),
        shared_memory_mib=7,
        ulimits=(Ulimit(name="nofile", soft=1000, hard=1000),),
    )
    lines = output.split("\n")
    assert lines[0] == "1000"
    assert lines[1].split()[1] == "7"
    assert lines[2].split()[1] == "5"


async def test_root_is_kept_from_the_host(host: RealHost) -> None:
    """Root in a container can't mount, change kernel settings, or see what is masked."""
    script = (
        "exec 2>/dev/null; mount -t tmpfs x /tmp; echo $?; echo 1 > /proc/sys/kernel/panic; echo $?;"
        " cat /proc/kcore | wc -c; cat /proc/timer_list | wc -c"
    )
    _, output = await run(host, script)
    lines = [line for line in output.split("\n") if line.isdigit()]
    assert lines == ["1", "1", "0", "0"], output


async def test_readonly_root_and_volumes(host: RealHost) -> None:
    """With a read-only root only volumes that are not read-only can be written to."""
    volume = host.directory / "volume"
    volume.mkdir()
    mounts = (Mount(volume="v", path="/data/rw"), Mount(volume="v", path="/data/ro", read_only=True))
    (host.directory / "rootfs/data/rw").mkdir()
    (host.directory / "rootfs/data/ro").mkdir()
    script = "exec 2>/dev/null; touch /x; echo $?; touch /data/ro/x; echo $?; touch /data/rw/x; echo $?"
    _, output = await run(host, script, readonly_root=True, mounts=mounts, volumes={"v": volume})
    assert [line for line in output.split("\n") if line.isdigit()] == ["1", "1", "0"], output
    assert (volume / "x").exists()


async def test_init_process(host: RealHost) -> None:
    """With an init process, the command is not process 1, and its exit code comes through."""
    code, output = await run(host, "echo $$; exit 7", init_process=True)
    assert code == 7
    assert output != "1"


async def test_working_directory_is_made(host: RealHost) -> None:
    """A working directory that the image does not have is made, as docker does."""
    code, output = await run(host, "pwd", working_directory="/srv/new")
    assert (code, output) == (0, "/srv/new")


async def test_seccomp_and_capabilities_bind(host: RealHost) -> None:
    """The filter is on, and the bounding set is docker's default less what the task drops."""
    _, output = await run(
        host, "grep -E 'Seccomp:|CapBnd|CapInh|NoNewPrivs' /proc/self/status", capabilities_drop=("NET_RAW",)
    )
    values = dict(line.split(":\t") for line in output.split("\n"))
    assert values["Seccomp"] == "2"
    assert int(values["CapBnd"], 16) == 0xA80405FB & ~0x100000000 & ~(1 << 13)
    assert values["CapInh"] == "0" * 16
    assert json.loads(values["NoNewPrivs"]) == 0
