"""
Task definitions as people have them in production, run as they are.

Each file in `definitions/` is one, with the members and the spellings that real projects use most. Only what can't be
known beforehand is filled in: an image's digest, and the random end of a secret's ARN.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fixtures.server import ServerProcess, leftovers, until

pytestmark = pytest.mark.host

DEFINITIONS = Path(__file__).parent / "definitions"
ACCOUNT, REGION = "123456789012", "eu-north-1"
ENDS_BY_ITSELF = ("units", "hardened", "secrets", "described")
SERVES = ("web", "sidecars")
ONLY_IN_ANSWERS = {
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "registeredBy",
}
"""What describe-task-definition adds; every client takes it away before it registers (AWS's own actions do too)."""


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory, busybox: Path) -> Iterator[ServerProcess]:
    """A fresh server of the account and the region that the definitions name, with their images and secrets."""
    found = ServerProcess(
        tmp_path_factory.mktemp("production") / "state", "--account-id", ACCOUNT, "--region", REGION
    ).start()
    try:
        for image in sorted(_images()):
            found.cli("image", "import", str(busybox), "--tag", image.partition("@")[0])
        ssm = found.client("ssm")
        ssm.put_parameter(Name="/billing/db-password", Value="tide", Type="SecureString")
        ssm.put_parameter(Name="/billing/flags", Value="a,b", Type="StringList")
        yield found
    finally:
        found.teardown()
    assert leftovers(found) == []


def _read(name: str) -> dict[str, Any]:
    definition: dict[str, Any] = json.loads((DEFINITIONS / f"{name}.json").read_text())
    return definition


def _images() -> set[str]:
    return {c["image"] for path in DEFINITIONS.glob("*.json") for c in _read(path.stem)["containerDefinitions"]}


def _filled_in(production: ServerProcess, busybox: Path, name: str) -> dict[str, Any]:
    """The definition, with the digest and the secret's ARN that this server gave."""
    text = (DEFINITIONS / f"{name}.json").read_text()
    if "sha256:DIGEST" in text:
        said = production.cli("image", "import", str(busybox), "--tag", "busybox").stdout
        text = text.replace("sha256:DIGEST", said.split()[-3])
    if "SECRET_ARN" in text:
        secret = json.dumps({"api_key": "gate"})
        made = production.client("secretsmanager").create_secret(Name="billing/api", SecretString=secret)
        text = text.replace("SECRET_ARN", made["ARN"])
    return {k: v for k, v in json.loads(text).items() if k not in ONLY_IN_ANSWERS}


def _run(production: ServerProcess, family: str) -> str:
    ecs = production.client("ecs")
    subnets = [s["SubnetId"] for s in production.client("ec2").describe_subnets()["Subnets"]]
    answer = ecs.run_task(
        taskDefinition=family,
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": subnets, "assignPublicIp": "ENABLED"}},
        propagateTags="TASK_DEFINITION",
        enableECSManagedTags=True,
    )
    assert answer["failures"] == []
    arn: str = answer["tasks"][0]["taskArn"]
    return arn


def _told(production: ServerProcess, task: str) -> str:
    (now,) = production.client("ecs").describe_tasks(tasks=[task])["tasks"]
    containers = [(c["name"], c.get("exitCode"), c.get("reason")) for c in now["containers"]]
    return f"{now['lastStatus']} {now.get('stoppedReason')} {containers}"


@pytest.mark.parametrize("name", ENDS_BY_ITSELF)
def test_a_definition_whose_container_judges_itself(production: ServerProcess, busybox: Path, name: str):
    """Registered by boto3 and run: the container finds all that the definition promises it, and exits with 0."""
    ecs = production.client("ecs")
    family = ecs.register_task_definition(**_filled_in(production, busybox, name))["taskDefinition"]["family"]
    task = _run(production, family)
    until(lambda: _told(production, task).startswith("STOPPED"), f"{name} has ended")

    (last,) = ecs.describe_tasks(tasks=[task])["tasks"]
    assert [c.get("exitCode") for c in last["containers"]] == [0], _told(production, task)
    assert last["stopCode"] == "EssentialContainerExited"


@pytest.mark.parametrize("name", SERVES)
def test_a_definition_that_serves(production: ServerProcess, busybox: Path, name: str, tmp_path: Path):
    """Registered by the aws CLI and run: it becomes HEALTHY, and stops in order."""
    document = tmp_path / f"{name}.json"
    document.write_text(json.dumps(_filled_in(production, busybox, name)))
    exports = production.cli("env").stdout.splitlines()
    environment = os.environ | dict(
        line.removeprefix("export ").split("=", 1) for line in exports if line.startswith("export ")
    )
    subprocess.run(
        [sys.executable, "-m", "awscli", "ecs", "register-task-definition", "--cli-input-json", f"file://{document}"],
        env=environment,
        check=True,
        capture_output=True,
    )
    ecs = production.client("ecs")
    task = _run(production, _read(name)["family"])

    def is_healthy() -> bool:
        (now,) = ecs.describe_tasks(tasks=[task])["tasks"]
        assert now["lastStatus"] not in ("DEPROVISIONING", "STOPPED"), _told(production, task)
        health = {c["name"]: c["healthStatus"] for c in now["containers"]}
        checked = [c["name"] for c in _read(name)["containerDefinitions"] if "healthCheck" in c]
        return now["lastStatus"] == "RUNNING" and all(health[each] == "HEALTHY" for each in checked)

    until(is_healthy, f"{name} is healthy")
    ecs.stop_task(task=task, reason="done")
    until(lambda: _told(production, task).startswith("STOPPED"), f"{name} has stopped")
    (last,) = ecs.describe_tasks(tasks=[task], include=["TAGS"])["tasks"]
    assert all(c["exitCode"] == 0 for c in last["containers"]), _told(production, task)
    assert (last["stopCode"], last["stoppedReason"]) == ("UserInitiated", "done")
    wanted = {(t["key"], t["value"]) for t in _read(name).get("tags", [])}
    assert wanted <= {(t["key"], t["value"]) for t in last["tags"]}
