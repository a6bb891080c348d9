"""A real server, with an image that has nothing but busybox."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fixtures.rootfs import busybox_tar
from fixtures.server import ServerProcess, leftovers

TaskRunner = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def busybox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tar of a root file system that has nothing but busybox."""
    return busybox_tar(tmp_path_factory.mktemp("busybox") / "busybox.tar")


@pytest.fixture(scope="session")
def efs_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server has the files of EFS: `fs-1/` of the file system fs-1."""
    return tmp_path_factory.mktemp("efs")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, busybox: Path, efs_root: Path) -> Iterator[ServerProcess]:
    """A server with the image `busybox`; shared by the tests, which must not depend on each other."""
    found = ServerProcess(tmp_path_factory.mktemp("e2e") / "state", "--efs-root", str(efs_root)).start()
    try:
        found.cli("image", "import", str(busybox), "--tag", "busybox")
        yield found
    finally:
        found.teardown()
    assert leftovers(found) == []


@pytest.fixture(scope="session")
def ecs(server: ServerProcess) -> Any:
    return server.client("ecs")


@pytest.fixture(scope="session")
def tidegate(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A boto3 client of Tidegate's own API."""
    return server.own_client(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def network(server: ServerProcess) -> dict[str, Any]:
    """A networkConfiguration that names the default subnets."""
    subnets = server.client("ec2").describe_subnets()["Subnets"]
    return {"awsvpcConfiguration": {"subnets": [s["SubnetId"] for s in subnets]}}


@pytest.fixture
def run(server: ServerProcess, ecs: Any, network: dict[str, Any], request: pytest.FixtureRequest) -> TaskRunner:
    """Register a definition of the given containers and run it: the task."""
    family = "".join(c if c.isalnum() else "-" for c in request.node.name)[:200]

    def run(*containers: dict[str, Any], count: int = 1, **options: Any) -> dict[str, Any]:
        task = {k: options.pop(k) for k in ("cpu", "memory", "volumes", "pidMode", "ephemeralStorage") if k in options}
        definition = ecs.register_task_definition(
            family=family,
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            executionRoleArn="arn:aws:iam::000000000000:role/execution",
            containerDefinitions=[{"image": "busybox", "name": f"c{i}", **c} for i, c in enumerate(containers)],
            **{"cpu": "256", "memory": "512", **task},
        )["taskDefinition"]["taskDefinitionArn"]
        answer = ecs.run_task(
            taskDefinition=definition,
            launchType="FARGATE",
            networkConfiguration=options.pop("networkConfiguration", network),
            count=count,
            **options,
        )
        assert answer["failures"] == []
        return answer["tasks"][0] if count == 1 else answer["tasks"]

    return run
