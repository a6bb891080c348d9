"""`versionConsistency`: a tag that moves does not change what a launch runs."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import pytest

from fixtures.nodes import RealNode, logged, real_node, shell
from fixtures.workload import REST
from tidegate.model.spec import Dependency, HealthCheck, TaskSpec
from tidegate.node.image.store import ImageStore
from tidegate.server.statedir import StateDirectory

pytestmark = [pytest.mark.anyio, pytest.mark.host]

SAY = "cat /version 2>/dev/null || echo old; "


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def node(tmp_path: Path, busybox: Path) -> AsyncIterator[RealNode]:
    async with real_node(tmp_path / "state", busybox) as found:
        yield found


@pytest.fixture
def newer(tmp_path: Path, busybox: Path) -> Path:
    """The same root file system with a file in it."""
    path = tmp_path / "newer.tar"
    shutil.copy(busybox, path)
    with tarfile.open(path, "a") as tar:
        info = tarfile.TarInfo("version")
        info.size = 4
        tar.addfile(info, BytesIO(b"new\n"))
    return path


def digests(node: RealNode, task: TaskSpec) -> dict[str, str]:
    observation = next(o for o in node.node.engine.snapshot() if o.task == task.id)
    return {container.name: container.image_digest for container in observation.containers}


async def test_tasks_of_one_launch(node: RealNode, newer: Path):
    """Tasks of one launch run the image that the first of them found; another launch runs what the tag means now."""
    async with node.running():
        tasks = [logged(node.task(shell("app", SAY + REST), launch=launch)) for launch in ("a", "a", "b")]
        free = logged(node.task(shell("app", SAY + REST, keeps_image_version=False), launch="a"))
        await node.run(tasks[0])
        await node.node.images.import_archive(newer, "busybox")
        for task in (*tasks[1:], free):
            await node.run(task)
        for task in (*tasks, free):
            await node.until(task, lambda o: o.started_at is not None)
        seen = [digests(node, task)["app"] for task in (*tasks, free)]
        for task in (*tasks, free):
            await node.stop(task)
        said = [await node.output(task, "app") for task in (*tasks, free)]

    assert said == [["old"], ["old"], ["new"], ["new"]]
    assert seen[0] == seen[1] != seen[2] == seen[3]


@pytest.mark.parametrize("is_kept", [True, False], ids=["enabled", "disabled"])
async def test_a_container_that_starts_later(node: RealNode, newer: Path, is_kept: bool):
    """A container that starts after the tag has moved, and after the server was down, runs what its task began with."""
    check = HealthCheck(command=("test", "-e", "/ready"), interval_seconds=5)
    late = shell(
        "late",
        SAY + REST,
        depends_on=(Dependency(container="app", condition="HEALTHY"),),
        keeps_image_version=is_kept,
    )
    gate = "until [ -e /tmp/go ]; do sleep 0.05; done; touch /ready; "
    async with node.running():
        task = logged(node.task(shell("app", gate + REST, health_check=check), late))
        await node.node.engine.submit(task, None)
        await node.until(task, lambda o: o.containers[0].started_at is not None)
        rootfs = StateDirectory(node.directory).node / "tasks" / task.id / "c-app" / "rootfs"
    store = ImageStore(StateDirectory(node.directory).images)
    async with store.open():
        await store.import_archive(newer, "busybox")
    async with node.running():
        (rootfs / "tmp/go").touch()
        await node.until(task, lambda o: o.started_at is not None)
        seen = digests(node, task)
        await node.stop(task)
        said = await node.output(task, "late")

    assert said == (["old"] if is_kept else ["new"])
    assert (seen["late"] == seen["app"]) == is_kept
