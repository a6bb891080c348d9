"""Valid calls of ECS, rich enough that every rule has something to be broken in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from conformance.bad_calls.world import ARN, ROLE, World

Parameters = dict[str, Any]
Seed = Callable[[World], Parameters]

TAGS = [{"key": "team", "value": "blue"}, {"key": "stage", "value": "test"}]
LOG = {
    "logDriver": "awslogs",
    "options": {
        "awslogs-group": "/app/web",
        "awslogs-region": "eu-north-1",
        "awslogs-stream-prefix": "web",
        "awslogs-create-group": "true",
        "mode": "non-blocking",
        "max-buffer-size": "1m",
    },
}
WEB = {
    "name": "web",
    "image": "registry.example.com/web:1.27",
    "cpu": 64,
    "memory": 256,
    "memoryReservation": 128,
    "essential": True,
    "portMappings": [{"containerPort": 80, "hostPort": 80, "protocol": "tcp", "name": "http", "appProtocol": "http"}],
    "entryPoint": ["/entry"],
    "command": ["serve", "--now"],
    "environment": [{"name": "STAGE", "value": "test"}, {"name": "LEVEL", "value": "info"}],
    "mountPoints": [{"sourceVolume": "shared", "containerPath": "/data", "readOnly": False}],
    "dependsOn": [{"containerName": "setup", "condition": "SUCCESS"}],
    "startTimeout": 30,
    "stopTimeout": 30,
    "workingDirectory": "/srv",
    "user": "1000:1000",
    "readonlyRootFilesystem": True,
    "dockerLabels": {"part": "front"},
    "ulimits": [{"name": "nofile", "softLimit": 1024, "hardLimit": 2048}],
    "healthCheck": {
        "command": ["CMD-SHELL", "true"],
        "interval": 30,
        "timeout": 5,
        "retries": 3,
        "startPeriod": 10,
    },
    "systemControls": [{"namespace": "net.core.somaxconn", "value": "1024"}],
    "linuxParameters": {
        "initProcessEnabled": True,
        "capabilities": {"add": ["SYS_PTRACE"], "drop": ["NET_RAW"]},
    },
    "logConfiguration": LOG,
    "versionConsistency": "enabled",
    "restartPolicy": {"enabled": False, "ignoredExitCodes": [0], "restartAttemptPeriod": 60},
}
SETUP = {"name": "setup", "image": "busybox:1", "essential": False, "logConfiguration": LOG}
FARGATE = {
    "family": "new",
    "taskRoleArn": ROLE,
    "executionRoleArn": ROLE,
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "cpu": "256",
    "memory": "512",
    "runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"},
    "volumes": [{"name": "shared", "host": {}}],
    "containerDefinitions": [WEB, SETUP],
    "tags": TAGS,
}
BRIDGE = {
    "family": "new-bridge",
    "executionRoleArn": ROLE,
    "networkMode": "bridge",
    "requiresCompatibilities": ["EC2"],
    "placementConstraints": [{"type": "memberOf", "expression": "attribute:ecs.os-type == linux"}],
    "ipcMode": "none",
    "pidMode": "host",
    "volumes": [
        {"name": "host", "host": {"sourcePath": "/srv"}},
        {"name": "docker", "dockerVolumeConfiguration": {"scope": "task", "driver": "local"}},
        {
            "name": "efs",
            "efsVolumeConfiguration": {
                "fileSystemId": "fs-12345678",
                "transitEncryption": "ENABLED",
                "transitEncryptionPort": 2999,
                "authorizationConfig": {"accessPointId": "fsap-1234567890abcdef0", "iam": "ENABLED"},
            },
        },
    ],
    "containerDefinitions": [
        {
            "name": "main",
            "image": "busybox:1",
            "memory": 64,
            "memoryReservation": 32,
            "hostname": "main",
            "links": ["side:s"],
            "privileged": False,
            "dnsServers": ["10.0.0.2"],
            "extraHosts": [{"hostname": "db", "ipAddress": "10.0.0.9"}],
            "dockerSecurityOptions": ["no-new-privileges"],
            "volumesFrom": [{"sourceContainer": "side", "readOnly": True}],
            "mountPoints": [{"sourceVolume": "host", "containerPath": "/srv"}],
            "resourceRequirements": [{"type": "GPU", "value": "1"}],
            "linuxParameters": {
                "devices": [{"hostPath": "/dev/fuse", "permissions": ["read"]}],
                "sharedMemorySize": 64,
                "maxSwap": 64,
                "swappiness": 60,
                "tmpfs": [{"containerPath": "/tmp", "size": 16, "mountOptions": ["noexec"]}],
            },
            "secrets": [{"name": "KEY", "valueFrom": "arn:aws:ssm:eu-north-1:123456789012:parameter/key"}],
            "environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::bucket/app.env"}],
        },
        {"name": "side", "image": "busybox:1", "memory": 32, "essential": False},
    ],
}
OVERRIDES = {
    "cpu": "512",
    "memory": "1024",
    "taskRoleArn": ROLE,
    "executionRoleArn": ROLE,
    "containerOverrides": [
        {
            "name": "web",
            "command": ["other"],
            "environment": [{"name": "A", "value": "b"}],
            "cpu": 32,
            "memory": 128,
            "memoryReservation": 64,
        }
    ],
}


def _run_task(world: World) -> Parameters:
    return {
        "cluster": "default",
        "taskDefinition": "app",
        "count": 1,
        "launchType": "FARGATE",
        "platformVersion": "1.4.0",
        "networkConfiguration": {
            "awsvpcConfiguration": {
                "subnets": [world.subnet],
                "securityGroups": [world.group],
                "assignPublicIp": "DISABLED",
            }
        },
        "overrides": OVERRIDES,
        "group": "family:mine",
        "startedBy": "me",
        "propagateTags": "TASK_DEFINITION",
        "enableECSManagedTags": True,
        "tags": TAGS,
        "clientToken": "a-token",
    }


def _run_on_providers(world: World) -> Parameters:
    strategy = [{"capacityProvider": "FARGATE", "base": 1, "weight": 1}]
    return {"cluster": "fargate", "taskDefinition": "app:2", "capacityProviderStrategy": strategy} | {
        "networkConfiguration": world.network
    }


CLUSTER = {
    "clusterName": "new",
    "tags": TAGS,
    "settings": [{"name": "containerInsights", "value": "enabled"}],
    "configuration": {"executeCommandConfiguration": {"logging": "DEFAULT"}},
    "capacityProviders": ["FARGATE", "FARGATE_SPOT"],
    "defaultCapacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1, "base": 0}],
}
SETTINGS = [{"name": "containerInsights", "value": "disabled"}]
ATTRIBUTE = {"targetType": "container-instance", "targetId": f"{ARN}:container-instance/default/{'a' * 32}"}

SEEDS: Mapping[str, tuple[Seed, ...]] = {
    "CreateCluster": (lambda _: CLUSTER,),
    "DescribeClusters": (lambda _: {"clusters": ["default", f"{ARN}:cluster/blue"], "include": ["TAGS", "SETTINGS"]},),
    "ListClusters": (lambda _: {"maxResults": 10},),
    "UpdateCluster": (lambda _: {"cluster": "blue", "settings": SETTINGS, "configuration": CLUSTER["configuration"]},),
    "PutClusterCapacityProviders": (
        lambda _: {
            "cluster": "blue",
            "capacityProviders": CLUSTER["capacityProviders"],
            "defaultCapacityProviderStrategy": CLUSTER["defaultCapacityProviderStrategy"],
        },
    ),
    "DeleteCluster": (lambda _: {"cluster": "blue"},),
    "UpdateClusterSettings": (lambda _: {"cluster": "blue", "settings": SETTINGS},),
    "RegisterTaskDefinition": (lambda _: FARGATE, lambda _: BRIDGE),
    "DeregisterTaskDefinition": (lambda _: {"taskDefinition": "app:2"},),
    "DescribeTaskDefinition": (lambda _: {"taskDefinition": "app:2", "include": ["TAGS"]},),
    "ListTaskDefinitions": (lambda _: {"familyPrefix": "app", "status": "ACTIVE", "sort": "ASC", "maxResults": 10},),
    "DeleteTaskDefinitions": (lambda _: {"taskDefinitions": ["old:1", f"{ARN}:task-definition/old:2"]},),
    "ListTaskDefinitionFamilies": (lambda _: {"familyPrefix": "a", "status": "ALL", "maxResults": 10},),
    "RunTask": (_run_task, _run_on_providers),
    "ExecuteCommand": (
        lambda world: {
            "cluster": "default",
            "task": world.task,
            "container": "web",
            "command": "sh -c 'exit 3'",
            "interactive": True,
        },
    ),
    "StopTask": (lambda world: {"cluster": "default", "task": world.task, "reason": "no more"},),
    "DescribeTasks": (
        lambda world: {"cluster": "default", "tasks": [world.task, world.task_arn], "include": ["TAGS"]},
    ),
    "ListTasks": (
        lambda _: {
            "cluster": "default",
            "family": "app",
            "desiredStatus": "RUNNING",
            "launchType": "FARGATE",
            "maxResults": 10,
        },
        lambda _: {"cluster": "default", "startedBy": "me"},
    ),
    "GetTaskProtection": (lambda world: {"cluster": "default", "tasks": [world.task, world.task_arn]},),
    "UpdateTaskProtection": (
        lambda world: {
            "cluster": "default",
            "tasks": [world.task],
            "protectionEnabled": True,
            "expiresInMinutes": 60,
        },
    ),
    "TagResource": (lambda world: {"resourceArn": world.task_arn, "tags": TAGS},),
    "UntagResource": (lambda world: {"resourceArn": f"{ARN}:cluster/blue", "tagKeys": ["team"]},),
    "ListTagsForResource": (lambda _: {"resourceArn": f"{ARN}:task-definition/app:2"},),
    "PutAccountSetting": (lambda _: {"name": "containerInsights", "value": "enhanced", "principalArn": ROLE},),
    "PutAccountSettingDefault": (lambda _: {"name": "containerInsights", "value": "enabled"},),
    "ListAccountSettings": (
        lambda _: {
            "name": "containerInsights",
            "value": "enabled",
            "principalArn": ROLE,
            "effectiveSettings": True,
            "maxResults": 5,
        },
    ),
    "DeleteAccountSetting": (lambda _: {"name": "containerInsights", "principalArn": ROLE},),
    "ListAttributes": (
        lambda _: {
            "cluster": "default",
            "targetType": "container-instance",
            "attributeName": "a",
            "attributeValue": "b",
            "maxResults": 10,
        },
    ),
    "PutAttributes": (lambda _: {"cluster": "default", "attributes": [{"name": "a", "value": "b", **ATTRIBUTE}]},),
    "DeleteAttributes": (lambda _: {"cluster": "default", "attributes": [{"name": "a", **ATTRIBUTE}]},),
    "DiscoverPollEndpoint": (lambda _: {"cluster": "default", "containerInstance": ATTRIBUTE["targetId"]},),
}
REFUSED = {
    "PutAttributes": "TargetNotFoundException",
    "DeleteAttributes": "TargetNotFoundException",
    "DiscoverPollEndpoint": "ClientException",
}
"""What is refused as it is, because there are no container instances: whatever is wrong is told before that."""
