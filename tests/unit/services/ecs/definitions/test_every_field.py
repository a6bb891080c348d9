"""
No field of a task definition is accepted and then ignored: each binds, which a test holds, or is refused, or is named
in the parity reference as kept without effect.

The fields are read from the API's shapes, so that one that AWS adds has to be given an answer here.
"""

from __future__ import annotations

import ast
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fakes.definitions import ROLE, container, fargate
from tidegate.api import ecs
from tidegate.services.ecs.definitions import unsupported
from tidegate.services.ecs.definitions.acceptance import accept

CHECKOUT = Path(__file__).parents[5]
PARITY = CHECKOUT / "docs" / "reference" / "parity.md"
C = "containerDefinitions"


@dataclass(frozen=True)
class Bound:
    """It does what AWS says; `test` (of `file` below tests/) sees it."""

    file: str
    test: str


@dataclass(frozen=True)
class Refused:
    """Registration refuses it: a definition with these members; `why` is in the message."""

    members: dict[str, Any]
    why: str


@dataclass(frozen=True)
class Kept:
    """It has no effect; the parity reference says so under `row`."""

    row: str


Answer = Bound | Refused | Kept
FIELDS_TEST = Bound("e2e/test_fields.py", "test_row")
SIZES = Bound("e2e/test_fields.py", "test_sizes")
NETWORK = Bound("e2e/test_tasks.py", "test_a_process_with_its_own_address")
HEALTH = Bound("unit/node/agent/test_agent.py", "test_unhealthy")


def refused(why: str, **members: Any) -> Refused:
    return Refused(members, why)


def in_container(why: str, **members: Any) -> Refused:
    return Refused({C: [container(**members)]}, why)


def volume(why: str, **members: Any) -> Refused:
    mounted = container(mountPoints=[{"sourceVolume": "v", "containerPath": "/v"}])
    return Refused({"volumes": [{"name": "v", **members}], C: [mounted]}, why)


FSX = {
    "fileSystemId": "fs-1",
    "rootDirectory": "d",
    "authorizationConfig": {"credentialsParameter": "p", "domain": "d"},
}
TASK_ANSWERS: dict[str, Answer] = {
    "family": Bound("e2e/test_endpoint.py", "test_metadata_is_what_the_api_says"),
    "taskRoleArn": Bound("e2e/test_sdks.py", "test_boto3_finds_the_roles_credentials"),
    "executionRoleArn": Bound("e2e/test_identity.py", "test_an_execution_role_that_may_not_write_logs"),
    "networkMode": NETWORK,
    "requiresCompatibilities": Bound("unit/services/ecs/definitions/test_unsupported.py", "test_saying_no_is_no_use"),
    "cpu": SIZES,
    "memory": SIZES,
    "tags": Bound("e2e/test_endpoint.py", "test_tags_come_with_the_task"),
    "pidMode": Bound("e2e/test_shared_processes.py", "test_containers_see_each_other"),
    "ipcMode": refused("do not support ipcMode", ipcMode="task"),
    "placementConstraints": refused(
        "do not support constraints", placementConstraints=[{"type": "memberOf", "expression": "attribute:a == b"}]
    ),
    "proxyConfiguration": refused("proxyConfiguration", proxyConfiguration={"containerName": "web"}),
    "inferenceAccelerators": refused(
        "inferenceAccelerators", inferenceAccelerators=[{"deviceName": "d", "deviceType": "t"}]
    ),
    "ephemeralStorage": Bound("e2e/test_storage.py", "test_the_size_of_a_disk"),
    "runtimePlatform.cpuArchitecture": Bound("e2e/test_stop_reasons.py", "test_row"),
    "runtimePlatform.operatingSystemFamily": refused(
        "runtimePlatform.operatingSystemFamily",
        runtimePlatform={"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"},
        cpu="1024",
        memory="2048",
    ),
    "enableFaultInjection": refused("enableFaultInjection", enableFaultInjection=True),
    "trustedExecutionConfiguration": refused(
        "trustedExecutionConfiguration", trustedExecutionConfiguration={"isolationMode": "SHARED"}
    ),
    "volumes.name": Bound("e2e/test_tasks.py", "test_shared_volume"),
    "volumes.host": refused("do not support sourcePath", volumes=[{"name": "v", "host": {"sourcePath": "/etc"}}]),
    "volumes.dockerVolumeConfiguration": volume("dockerVolumeConfiguration", dockerVolumeConfiguration={}),
    "volumes.efsVolumeConfiguration": Bound("e2e/test_storage.py", "test_a_file_system_that_outlives_tasks"),
    "volumes.s3filesVolumeConfiguration": volume(
        "s3filesVolumeConfiguration", s3filesVolumeConfiguration={"fileSystemArn": "arn"}
    ),
    "volumes.fsxWindowsFileServerVolumeConfiguration": volume("fsx", fsxWindowsFileServerVolumeConfiguration=FSX),
    "volumes.configuredAtLaunch": volume("configuredAtLaunch", configuredAtLaunch=True),
}
PARTLY = {"logConfiguration.logDriver", "logConfiguration.options", "logConfiguration.secretOptions"}
"""Fields of which some values bind and others are refused."""
CONTAINER_ANSWERS: dict[str, Answer] = {
    "name": Bound("e2e/test_endpoint.py", "test_metadata_is_what_the_api_says"),
    "image": Bound("e2e/test_stop_reasons.py", "test_row"),
    "repositoryCredentials": Bound("e2e/test_secrets.py", "test_a_private_image"),
    "cpu": SIZES,
    "memory": Bound("e2e/test_tasks.py", "test_memory_limit"),
    "memoryReservation": SIZES,
    "links": in_container("Links", links=["db"]),
    "portMappings.containerPort": Bound("e2e/test_tasks.py", "test_published_port"),
    "portMappings.hostPort": in_container("must match", portMappings=[{"containerPort": 80, "hostPort": 81}]),
    "portMappings.protocol": Bound("e2e/test_tasks.py", "test_published_port"),
    "portMappings.containerPortRange": NETWORK,
    "portMappings.name": Kept("`portMappings.name`"),
    "portMappings.appProtocol": Kept("`portMappings.appProtocol`"),
    "essential": Bound("unit/node/agent/test_plan.py", "test_essential_container"),
    "restartPolicy": Bound("e2e/test_restart.py", "test_lives_of_a_container"),
    "entryPoint": FIELDS_TEST,
    "command": FIELDS_TEST,
    "environment": FIELDS_TEST,
    "environmentFiles": Bound("e2e/test_secrets.py", "test_environment_files"),
    "mountPoints": Bound("e2e/test_tasks.py", "test_shared_volume"),
    "volumesFrom": Bound("e2e/test_storage.py", "test_volumes_from"),
    "linuxParameters.capabilities": FIELDS_TEST,
    "linuxParameters.devices": in_container("devices", linuxParameters={"devices": [{"hostPath": "/dev/kvm"}]}),
    "linuxParameters.initProcessEnabled": FIELDS_TEST,
    "linuxParameters.sharedMemorySize": FIELDS_TEST,
    "linuxParameters.tmpfs": FIELDS_TEST,
    "linuxParameters.maxSwap": in_container("maxSwap", linuxParameters={"maxSwap": 100}),
    "linuxParameters.swappiness": in_container("swappiness", linuxParameters={"swappiness": 10}),
    "secrets": Bound("e2e/test_secrets.py", "test_a_task_is_given_its_secrets"),
    "dependsOn": Bound("e2e/test_tasks.py", "test_depends_on_and_health"),
    "startTimeout": Bound("e2e/test_stop_reasons.py", "test_row"),
    "stopTimeout": Bound("e2e/test_tasks.py", "test_stop_timeout"),
    "versionConsistency": Bound("e2e/test_image_versions.py", "test_a_container_that_starts_later"),
    "hostname": in_container("hostname", hostname="h"),
    "user": FIELDS_TEST,
    "workingDirectory": FIELDS_TEST,
    "disableNetworking": in_container("Disable Networking", disableNetworking=True),
    "privileged": in_container("privileged", privileged=True),
    "readonlyRootFilesystem": FIELDS_TEST,
    "dnsServers": in_container("DNS servers", dnsServers=["1.1.1.1"]),
    "dnsSearchDomains": in_container("DNS search domains", dnsSearchDomains=["a.b"]),
    "extraHosts": in_container("Extra hosts", extraHosts=[{"hostname": "h", "ipAddress": "1.1.1.1"}]),
    "dockerSecurityOptions": in_container("dockerSecurityOptions", dockerSecurityOptions=["no-new-privileges"]),
    "interactive": Bound("e2e/test_terminal.py", "test_interactive"),
    "pseudoTerminal": Bound("e2e/test_terminal.py", "test_pseudo_terminal"),
    "dockerLabels": Bound("e2e/test_endpoint.py", "test_metadata_is_what_the_api_says"),
    "ulimits": FIELDS_TEST,
    "logConfiguration.logDriver": Bound("e2e/test_tasks.py", "test_output"),
    "logConfiguration.options": Bound("e2e/test_logs.py", "test_events_of_several_lines"),
    "logConfiguration.secretOptions": Bound("e2e/test_firelens.py", "test_records_reach_the_router"),
    "healthCheck.command": Bound("e2e/test_tasks.py", "test_depends_on_and_health"),
    "healthCheck.interval": HEALTH,
    "healthCheck.timeout": Bound("contract/test_runtime.py", "test_exec_time_limit"),
    "healthCheck.retries": HEALTH,
    "healthCheck.startPeriod": HEALTH,
    "systemControls": FIELDS_TEST,
    "resourceRequirements": in_container("GPU", resourceRequirements=[{"type": "GPU", "value": "1"}]),
    "firelensConfiguration": Bound("e2e/test_firelens.py", "test_records_reach_the_router"),
    "credentialSpecs": in_container("credentialSpecs", credentialSpecs=["credentialspec:arn"]),
}
ANSWERS = TASK_ANSWERS | {f"{C}.{name}": answer for name, answer in CONTAINER_ANSWERS.items()}


def shapes(hint: Any) -> Iterator[type[msgspec.Struct]]:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        yield hint
    for argument in typing.get_args(hint):
        yield from shapes(argument)


def paths(shape: type[msgspec.Struct], prefix: str = "") -> Iterator[str]:
    """Every member at the end of a path, as the API spells it."""
    hints = typing.get_type_hints(shape, include_extras=True)
    for field in msgspec.structs.fields(shape):
        path = prefix + field.encode_name
        below = list(shapes(hints[field.name]))
        if not below:
            yield path
        for each in below:
            yield from paths(each, f"{path}.")


PATHS = sorted(set(paths(ecs.RegisterTaskDefinitionRequest)))


def answer_of(path: str) -> str | None:
    """The longest answered beginning of a path."""
    parts = path.split(".")
    beginnings = [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
    return next((each for each in beginnings if each in ANSWERS), None)


@pytest.mark.parametrize("path", PATHS)
def test_a_field_has_its_answer(path: str) -> None:
    """A field without one would be accepted and forgotten."""
    assert answer_of(path) is not None


def test_no_answer_is_for_nothing() -> None:
    """Each is for a field that the API has."""
    assert {answer_of(path) for path in PATHS} == set(ANSWERS)


@pytest.mark.parametrize("path", [path for path, answer in ANSWERS.items() if isinstance(answer, Bound)])
def test_what_binds_is_tested(path: str) -> None:
    """The test is there, and so is no row that refuses the field."""
    answer = ANSWERS[path]
    assert isinstance(answer, Bound)
    tree = ast.parse((CHECKOUT / "tests" / answer.file).read_text())
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert answer.test in names
    refused_here = {row.field for row in (*unsupported.TASK_FIELDS, *unsupported.CONTAINER_FIELDS)}
    assert path.removeprefix(f"{C}.") not in refused_here - PARTLY


@pytest.mark.parametrize("path", [path for path, answer in ANSWERS.items() if isinstance(answer, Refused)])
def test_what_is_refused(path: str) -> None:
    """Registration says so by name."""
    answer = ANSWERS[path]
    assert isinstance(answer, Refused)
    with pytest.raises(ecs.ClientException) as caught:
        accept(fargate(**{"executionRoleArn": ROLE, **answer.members}))
    assert answer.why in caught.value.message


@pytest.mark.parametrize("path", [path for path, answer in ANSWERS.items() if isinstance(answer, Kept)])
def test_what_is_kept(path: str) -> None:
    """The parity reference names it."""
    answer = ANSWERS[path]
    assert isinstance(answer, Kept)
    assert f"| {answer.row} |" in PARITY.read_text()
