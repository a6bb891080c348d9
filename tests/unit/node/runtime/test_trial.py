"""Which runtime is used is decided by what works."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from fixtures.containers import missing_for_containers, real_host
from tidegate.kernel.spawn import Spawner
from tidegate.node.runtime import trial
from tidegate.node.runtime.cgroup.probe import read_mounts
from tidegate.node.runtime.probe import NoRuntime, find_toolchain
from tidegate.node.runtime.toolchain import Kind, Toolchain

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.host,
    pytest.mark.skipif(bool(missing_for_containers("crun")), reason="needs crun"),
]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_the_first_that_works_is_taken(tmp_path: Path) -> None:
    """crun is tried by a real container, and nothing of the trial is left."""
    async with real_host(tmp_path, "crun") as host:
        found = await trial.find_runtime(tmp_path, host.parent, host.cgroups, read_mounts())
        found.spawner.close()
        assert (found.tools.kind, found.refused) == ("crun", ())


async def test_what_fails_is_told_and_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crun that is there but fails makes room for runc, and its own reason is kept."""
    if missing := missing_for_containers("runc"):
        pytest.skip(missing)

    def find(kind: Kind) -> Toolchain:
        tools = find_toolchain(kind)
        return dataclasses.replace(tools, runtime=Path("/bin/false")) if kind == "crun" else tools

    monkeypatch.setattr(trial, "find_toolchain", find)
    async with real_host(tmp_path, "crun") as host:
        found = await trial.find_runtime(tmp_path, host.parent, host.cgroups, read_mounts())
        found.spawner.close()
    assert found.tools.kind == "runc"
    assert [line.partition(":")[0] for line in found.refused] == ["crun"]


async def test_none_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any runtime the refusal names each."""

    def find(kind: Kind) -> Toolchain:
        raise NoRuntime(f"{kind} is not installed")

    monkeypatch.setattr(trial, "find_toolchain", find)
    async with real_host(tmp_path, "crun") as host:
        with pytest.raises(NoRuntime, match=r"crun is not installed.*runc is not installed"):
            await trial.find_runtime(tmp_path, host.parent, host.cgroups, read_mounts())


@pytest.mark.skipif(not read_mounts().is_hybrid, reason="needs hybrid control groups")
async def test_crun_needs_the_hidden_mount_on_a_hybrid_host(tmp_path: Path) -> None:
    """Started among all mounts, crun refuses a hybrid host; the trial finds that out and says why."""
    async with real_host(tmp_path, "crun") as host:
        why = await trial.try_runtime(find_toolchain("crun"), Spawner(), tmp_path, host.parent, host.cgroups)
    assert "hybrid" in why
