"""Volumes with one source each, and mounts of volumes that are there."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.definitions import container, ec2, fargate, refusal
from tidegate.services.ecs.definitions.acceptance import accept

EFS = {"fileSystemId": "fs-1"}


@pytest.mark.parametrize(
    ("volumes", "message"),
    [
        ([{}], "Volume.name should not be null or empty."),
        ([{"name": "a/b"}], "Volume.name contains invalid characters."),
        ([{"name": "v"}, {"name": "v"}], "Volume names must be unique within a task definition."),
        ([{"name": "v", "host": {}, "efsVolumeConfiguration": EFS}], "Volume 'v' must have only one source."),
        ([{"name": "v", "configuredAtLaunch": True, "host": {}}], "Volume 'v' must have only one source."),
        (
            [{"name": "v", "configuredAtLaunch": True}],
            "Volumes [v] are not referenced by any of the containers",
        ),
        (
            [{"name": name, "configuredAtLaunch": True} for name in "vw"],
            "Only one volume may be configured at launch.",
        ),
        (
            [{"name": "v", "efsVolumeConfiguration": {**EFS, "authorizationConfig": {"iam": "ENABLED"}}}],
            "EFS IAM authorization requires TransitEncryption to be enabled",
        ),
        (
            [{"name": "v", "efsVolumeConfiguration": {**EFS, "authorizationConfig": {"accessPointId": "fsap-1"}}}],
            "EFS access points require TransitEncryption to be enabled",
        ),
        (
            [
                {
                    "name": "v",
                    "efsVolumeConfiguration": {
                        **EFS,
                        "rootDirectory": "/data",
                        "transitEncryption": "ENABLED",
                        "authorizationConfig": {"accessPointId": "fsap-1"},
                    },
                }
            ],
            'When using an EFS access point, the root directory must either be set to "/" or be omitted',
        ),
    ],
)
def test_a_fault_in_a_volume_is_refused(volumes: list[dict[str, Any]], message: str) -> None:
    """One fault, one message, whoever runs the task."""
    assert refusal(ec2(volumes=volumes)) == message


@pytest.mark.parametrize(
    ("mounts", "message"),
    [
        ([{"sourceVolume": "none", "containerPath": "/a"}], "Unknown volume 'none'."),
        ([{"containerPath": "/a"}], "Unknown volume ''."),
        (
            [{"sourceVolume": "v", "containerPath": "a"}],
            "Invalid setting for container 'web'. A mount point's 'containerPath' must be an absolute path.",
        ),
        (
            [{"sourceVolume": "v"}],
            "Invalid setting for container 'web'. A mount point's 'containerPath' must be an absolute path.",
        ),
        (
            [{"sourceVolume": "v", "containerPath": "/a/../../etc"}],
            "Invalid setting for container 'web'. A mount point's 'containerPath' must be an absolute path.",
        ),
        (
            [{"sourceVolume": "v", "containerPath": path} for path in ("/a", "//a/./")],
            "Invalid setting for container 'web'. Duplicate mount point: //a/./",
        ),
    ],
)
def test_a_fault_in_a_mount_is_refused(mounts: list[dict[str, Any]], message: str) -> None:
    """One fault, one message."""
    assert refusal(fargate(container(mountPoints=mounts), volumes=[{"name": "v"}])) == message


def test_one_volume_may_be_mounted_everywhere() -> None:
    """Containers share a volume; one container may mount it twice at different places."""
    mounts = [{"sourceVolume": "v", "containerPath": path, "readOnly": True} for path in ("/a", "/b")]
    containers = [container(name=name, mountPoints=mounts) for name in ("a", "b")]
    accept(fargate(*containers, volumes=[{"name": "v", "host": {}}]))
