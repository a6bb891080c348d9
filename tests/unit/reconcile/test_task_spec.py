"""From a task's record and its definition to what an engine runs."""

from __future__ import annotations

from typing import Any

import msgspec

from tidegate.api import ecs
from tidegate.model.spec import ContainerSpec, Dependency, EfsVolume, LogTarget, RestartPolicy, TaskSpec, VolumesFrom
from tidegate.model.status import Interface, LastStatus, TaskStatus
from tidegate.model.task import Task, TaskDefinition
from tidegate.reconcile.task_spec import build_task_spec

INTERFACE = Interface(
    id="eni-1",
    attachment="a",
    subnet="subnet-1",
    vpc="vpc-1",
    availability_zone="eu-north-1a",
    address="10.64.0.9",
    prefix_length=20,
    gateway="10.64.0.1",
    mac="02:74:0a:40:00:09",
    security_groups=("sg-1",),
)


def build(container: dict[str, Any], overrides: dict[str, Any] | None = None, **members: Any) -> TaskSpec:
    spec = msgspec.convert(
        {
            "cpu": "256",
            "memory": "512",
            "containerDefinitions": [{"name": "app", "image": "app:1", **container}],
            **members,
        },
        ecs.TaskDefinition,
    )
    task = Task(
        id="f" * 32,
        cluster="default",
        definition="app:3",
        group="family:app",
        request=msgspec.convert({"taskDefinition": "app:3", "overrides": overrides or {}}, ecs.RunTaskRequest),
        container_ids={"app": "u"},
        status=TaskStatus(last_status=LastStatus.PENDING, created_at=1.0),
    )
    revision = TaskDefinition(family="app", number=3, spec=spec)
    return build_task_spec(task, revision, INTERFACE, "123456789012", "eu-north-1")


def only(spec: TaskSpec) -> ContainerSpec:
    (container,) = spec.containers
    return container


def test_restart_policy():
    """A policy binds when it is enabled; its period is 300 seconds unless it says otherwise."""
    assert only(build({"restartPolicy": {"enabled": False, "ignoredExitCodes": [1]}})).restart_policy is None
    assert only(build({"restartPolicy": {"enabled": True}})).restart_policy == RestartPolicy(attempt_period_seconds=300)
    policy = {"enabled": True, "ignoredExitCodes": [0, 3], "restartAttemptPeriod": 60}
    assert only(build({"restartPolicy": policy})).restart_policy == RestartPolicy(
        ignored_exit_codes=(0, 3), attempt_period_seconds=60
    )


def test_defaults():
    """A container that says nothing is essential, has 30 seconds to stop, and Fargate's environment."""
    container = only(build({}))

    assert container.essential
    assert container.stop_timeout_seconds == 30
    assert container.environment["AWS_EXECUTION_ENV"] == "AWS_ECS_FARGATE"
    assert container.environment["AWS_REGION"] == "eu-north-1"
    assert (container.entry_point, container.command) == (None, None), "as the image says"


def test_overrides():
    """The request's overrides win: size, command replaced, environment merged by name."""
    overrides = {
        "cpu": "1024",
        "memory": "2048",
        "containerOverrides": [
            {"name": "app", "command": ["b"], "environment": [{"name": "B", "value": "2"}], "memory": 300}
        ],
    }
    environment = [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}]
    spec = build({"command": ["a"], "environment": environment, "memory": 100}, overrides)

    assert (spec.cpu_units, spec.memory_mib) == (1024, 2048)
    assert only(spec).command == ("b",)
    assert (only(spec).environment["A"], only(spec).environment["B"]) == ("1", "2")
    assert only(spec).memory_mib == 300


def test_health_check_commands():
    """CMD is an argument list, CMD-SHELL goes to the container's shell, NONE switches the check off."""
    assert only(build({"healthCheck": {"command": ["CMD", "x", "-y"]}})).health_check.command == ("x", "-y")  # type: ignore[union-attr]
    shell = only(build({"healthCheck": {"command": ["CMD-SHELL", "x || y"], "interval": 7}})).health_check
    assert shell is not None
    assert (shell.command, shell.interval_seconds) == (("/bin/sh", "-c", "x || y"), 7)
    assert only(build({"healthCheck": {"command": ["NONE"]}})).health_check is None


def test_log_stream():
    """prefix/container/task, as awslogs names it."""
    options = {
        "awslogs-group": "/g",
        "awslogs-region": "r",
        "awslogs-stream-prefix": "p",
        "awslogs-create-group": "true",
    }
    container = only(build({"logConfiguration": {"logDriver": "awslogs", "options": options}}))

    assert container.log == LogTarget(group="/g", stream=f"p/app/{'f' * 32}", create_group=True)
    assert container.log_driver == "awslogs"
    assert container.log_options == {
        "awslogs-group": "/g",
        "awslogs-region": "r",
        "awslogs-create-group": "true",
        "awslogs-stream": f"p/app/{'f' * 32}",
    }


def test_a_container_carries_its_names():
    """Its ARN, and ECS's labels, in place of the user's by the same names."""
    task = build({"dockerLabels": {"team": "blue", "com.amazonaws.ecs.task-arn": "mine"}})
    container = only(task)

    assert container.arn == f"arn:aws:ecs:eu-north-1:123456789012:container/default/{'f' * 32}/u"
    assert task.arn == f"arn:aws:ecs:eu-north-1:123456789012:task/default/{'f' * 32}"
    assert container.labels == {
        "team": "blue",
        "com.amazonaws.ecs.cluster": "arn:aws:ecs:eu-north-1:123456789012:cluster/default",
        "com.amazonaws.ecs.container-name": "app",
        "com.amazonaws.ecs.task-arn": task.arn,
        "com.amazonaws.ecs.task-definition-family": "app",
        "com.amazonaws.ecs.task-definition-version": "3",
    }
    assert (task.group, task.service, task.availability_zone) == ("family:app", "", "eu-north-1a")


def test_the_rest_of_a_container():
    """Every member that binds arrives where the node looks for it."""
    container = only(
        build(
            {
                "dependsOn": [{"containerName": "db", "condition": "HEALTHY"}],
                "linuxParameters": {
                    "initProcessEnabled": True,
                    "capabilities": {"add": ["SYS_PTRACE"], "drop": ["ALL"]},
                    "sharedMemorySize": 128,
                    "tmpfs": [{"containerPath": "/t", "size": 16, "mountOptions": ["noexec"]}],
                },
                "ulimits": [{"name": "nofile", "softLimit": 1, "hardLimit": 2}],
                "mountPoints": [{"sourceVolume": "v", "containerPath": "/v", "readOnly": True}],
                "systemControls": [{"namespace": "net.core.somaxconn", "value": "1024"}],
                "startTimeout": 9,
                "stopTimeout": 8,
                "user": "web",
            },
            volumes=[{"name": "v", "host": {}}],
        )
    )

    assert container.depends_on == (Dependency(container="db", condition="HEALTHY"),)
    assert container.init_process
    assert (container.capabilities_add, container.capabilities_drop) == (("SYS_PTRACE",), ("ALL",))
    assert container.shared_memory_mib == 128
    assert [(t.path, t.size_mib, t.options) for t in container.tmpfs] == [("/t", 16, ("noexec",))]
    assert [(u.name, u.soft, u.hard) for u in container.ulimits] == [("nofile", 1, 2)]
    assert [(m.volume, m.path, m.read_only) for m in container.mounts] == [("v", "/v", True)]
    assert container.sysctls == {"net.core.somaxconn": "1024"}
    assert (container.start_timeout_seconds, container.stop_timeout_seconds, container.user) == (9, 8, "web")


def test_network():
    """The interface that the reconciler gave, with the name that AWS gives such an address."""
    network = build({}).network

    assert (network.address, network.gateway, network.mac) == ("10.64.0.9", "10.64.0.1", INTERFACE.mac)
    assert network.hostname == "ip-10-64-0-9.eu-north-1.compute.internal"
    assert network.security_groups == ("sg-1",)


def test_what_is_fetched_at_launch():
    """The spec names it: secrets, files, a login, options of the log driver. An override's files replace."""
    members = {
        "secrets": [{"name": "S", "valueFrom": "/a/b"}],
        "environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::b/a.env"}],
        "repositoryCredentials": {"credentialsParameter": "hub"},
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {"awslogs-group": "g"},
            "secretOptions": [{"name": "token", "valueFrom": "t"}],
        },
    }
    found = only(build(members))
    assert (found.secrets, found.log_secrets) == ({"S": "/a/b"}, {"token": "t"})
    assert (found.environment_files, found.repository_credentials) == (("arn:aws:s3:::b/a.env",), "hub")
    other = {"name": "app", "environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::b/b.env"}]}
    assert only(build(members, {"containerOverrides": [other]})).environment_files == ("arn:aws:s3:::b/b.env",)
    none = {"name": "app", "environmentFiles": []}
    assert only(build(members, {"containerOverrides": [none]})).environment_files == ()


def test_ephemeral_storage():
    """20 GiB, or what the definition says, or what the request says instead."""
    assert build({}).ephemeral_storage_gib == 20
    large = {"ephemeralStorage": {"sizeInGiB": 50}}
    assert build({}, **large).ephemeral_storage_gib == 50
    assert build({}, {"ephemeralStorage": {"sizeInGiB": 21}}, **large).ephemeral_storage_gib == 21


def test_volumes_from():
    """Taking volumes over makes a container wait until the other has been created."""
    container = only(build({"volumesFrom": [{"sourceContainer": "db", "readOnly": True}, {"sourceContainer": "db"}]}))
    assert container.volumes_from == (VolumesFrom(container="db", read_only=True), VolumesFrom(container="db"))
    assert container.depends_on == (Dependency(container="db", condition="CREATE"),)


def test_volumes():
    """Empty ones by name; those of EFS with what is to be mounted."""
    efs = {
        "fileSystemId": "fs-1",
        "transitEncryption": "ENABLED",
        "authorizationConfig": {"accessPointId": "fsap-1", "iam": "ENABLED"},
    }
    plain = {"fileSystemId": "fs-2", "rootDirectory": "/app"}
    volumes = [
        {"name": "data", "host": {}},
        {"name": "shared", "efsVolumeConfiguration": efs},
        {"name": "app", "efsVolumeConfiguration": plain},
    ]
    found = build({}, volumes=volumes)
    assert found.volumes == ("data",)
    assert found.efs_volumes == (
        EfsVolume(name="shared", file_system="fs-1", access_point="fsap-1", checks_iam=True),
        EfsVolume(name="app", file_system="fs-2", directory="/app"),
    )
