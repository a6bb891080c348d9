"""What a task may write, and where: its disk, its volumes, its image's volumes."""

from __future__ import annotations

import base64
import json
import os
import platform
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fixtures.images import make_image, member, tar_of, write_oci_archive
from fixtures.rootfs import exit_with_euid
from fixtures.server import ServerProcess, until

pytestmark = pytest.mark.host

Tasks = Callable[..., dict[str, Any]]
GIB = 1 << 30
REST = "trap 'exit 0' TERM; sleep 600 & wait"
LOGS = {
    "logDriver": "awslogs",
    "options": {
        "awslogs-group": "/storage",
        "awslogs-region": "us-east-1",
        "awslogs-stream-prefix": "t",
        "awslogs-create-group": "true",
    },
}


def shell(script: str, **more: Any) -> dict[str, Any]:
    return {"command": ["sh", "-c", script], "logConfiguration": LOGS, **more}


def mounted(volume: str, path: str, **more: Any) -> dict[str, Any]:
    return {"mountPoints": [{"sourceVolume": volume, "containerPath": path, **more}]}


def after(name: str) -> dict[str, Any]:
    return {"dependsOn": [{"containerName": name, "condition": "SUCCESS"}]}


@pytest.fixture
def ended(ecs: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Wait until a task is STOPPED: its description."""

    def wait(task: dict[str, Any]) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            (now,) = ecs.describe_tasks(tasks=[task["taskArn"]])["tasks"]
            return now if now["lastStatus"] == "STOPPED" else None

        found: dict[str, Any] = until(look, "the task is STOPPED")
        return found

    return wait


@pytest.fixture
def lines(server: ServerProcess) -> Callable[..., list[str]]:
    """What a container wrote."""

    def read(task: dict[str, Any], container: str = "c0") -> list[str]:
        stream = f"t/{container}/{task['taskArn'].rpartition('/')[2]}"
        logs = server.client("logs")
        try:
            events = logs.get_log_events(logGroupName="/storage", logStreamName=stream, startFromHead=True)["events"]
        except logs.exceptions.ResourceNotFoundException:
            return []  # it has not written yet
        return [event["message"] for event in events]

    return read


@pytest.fixture(scope="module")
def seeded(server: ServerProcess, busybox: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image that declares volumes: /seed has a file of the user app, /empty is not there."""
    top = tar_of(
        [
            member("seed", b"5", mode=0o750, uid=1000, gid=1000),
            (member("seed/file", uid=1000, gid=1000), b"from the image\n"),
        ]
    )
    image = make_image([busybox.read_bytes(), top], config={"Volumes": {"/seed": {}, "/empty": {}}})
    archive = write_oci_archive(image, tmp_path_factory.mktemp("seeded") / "seeded.tar")
    server.cli("image", "import", str(archive), "--tag", "seeded")
    yield "seeded"
    server.cli("image", "rm", "seeded")


def test_a_full_disk_is_the_tasks_own(run: Tasks, ended: Any, lines: Any, ecs: Any, server: ServerProcess):
    """A task that overfills its disk gets ENOSPC, in its volumes too; its neighbour and the host do not."""
    free = os.statvfs(server.state.path)
    script = (
        "fallocate -l 19000000000 /big || exit 9; dd if=/dev/zero of=/rest bs=1M count=4000 2>&1 | grep -v records;"
        "dd if=/dev/zero of=/data/x bs=1M count=9 2>/dev/null || echo volume full; sleep 1"
    )
    full = run(shell(script, **mounted("data", "/data")), volumes=[{"name": "data"}])
    until(lambda: "volume full" in lines(full), "the disk is full")
    neighbour = run(shell("dd if=/dev/zero of=/file bs=1M count=50 2>/dev/null && sync && exit 4; exit 1"))
    assert ended(neighbour)["containers"][0]["exitCode"] == 4
    assert ended(full)["stopCode"] == "EssentialContainerExited"
    assert [line for line in lines(full) if "No space left" in line] != []
    now = os.statvfs(server.state.path)
    assert (free.f_bfree - now.f_bfree) * free.f_frsize < 8 * GIB
    until(lambda: not list(server.state.scratch.glob("*.img")), "the disks are gone")


def test_files_of_ours_count_as_well(run: Tasks, ended: Any, lines: Any, server: ServerProcess):
    """What a container may write to besides its own lies on its disk too: no way leads to the host's."""
    fills = "; ".join(
        f"fallocate -l 32000000000 /etc/{name} 2>/dev/null && echo beyond {name}"
        for name in ("hosts", "hostname", "resolv.conf")
    )
    task = run(shell(f"{fills}; df -k /etc/hosts | tail -1"))
    ended(task)
    (found,) = lines(task)
    assert int(found.split()[1]) < 21 * 2**20


def test_the_size_of_a_disk(run: Tasks, ended: Any, lines: Any):
    """20 GiB less the images by default; what the definition says; what RunTask says instead. Described as it is."""
    script = shell("df -k /tmp | tail -1 | awk '{print $4}'")
    cases: list[tuple[dict[str, Any], int]] = [
        ({}, 20),
        ({"ephemeralStorage": {"sizeInGiB": 30}}, 30),
        ({"ephemeralStorage": {"sizeInGiB": 30}, "overrides": {"ephemeralStorage": {"sizeInGiB": 200}}}, 200),
    ]
    tasks = [(run(script, **options), size) for options, size in cases]
    for task, size in tasks:
        described = ended(task)
        assert described["ephemeralStorage"] == described["fargateEphemeralStorage"] == {"sizeInGiB": size}
        (free_kib,) = map(int, lines(task))
        assert size * GIB - 64 * 2**20 < free_kib * 1024 < size * GIB


def test_what_the_endpoint_says_of_a_disk(run: Tasks, ended: Any, lines: Any):
    """EphemeralStorageMetrics are measured: what was written counts before it is on the disk, and so do the images."""
    script = (
        "look() { wget -q -O - $ECS_CONTAINER_METADATA_URI_V4/task; echo; };"
        "look; dd if=/dev/zero of=/file bs=1M count=100 2>/dev/null; look"
    )
    task = run(shell(script))
    ended(task)
    before, after = (json.loads(line)["EphemeralStorageMetrics"] for line in lines(task))
    assert before["Reserved"] == after["Reserved"] == 20496
    assert 0 < before["Utilized"] < 20
    assert 99 <= after["Utilized"] - before["Utilized"] <= 101


def test_a_volume_is_empty_and_roots(run: Tasks, ended: Any, lines: Any):
    """0755, as on Fargate; shared by containers; read-only where a container says so."""
    task = run(
        shell("cat /there/word; touch /there/x 2>&1", **mounted("data", "/there", readOnly=True), **after("c1")),
        shell(
            "stat -c '%a %u:%g' /data; ls -A /data; echo tide >/data/word", essential=False, **mounted("data", "/data")
        ),
        volumes=[{"name": "data"}],
    )
    ended(task)
    assert lines(task, "c1") == ["755 0:0"]
    assert lines(task)[0] == "tide"
    assert "Read-only file system" in lines(task)[1]


def test_volumes_of_an_image(run: Tasks, ended: Any, lines: Any, seeded: str):
    """They begin with the image's files, owners and modes, and can be written to below a read-only root."""
    look = "stat -c '%a %u:%g' /seed /seed/file; cat /seed/file; touch /seed/x /empty/x && echo wrote; touch /x 2>&1"
    task = run(
        shell(look, image=seeded, readonlyRootFilesystem=True),
        shell(look, image=seeded, essential=False, **mounted("mine", "/seed")),
        volumes=[{"name": "mine"}],
    )
    ended(task)
    assert lines(task)[:4] == ["750 1000:1000", "644 1000:1000", "from the image", "wrote"]
    assert "Read-only file system" in lines(task)[4]
    assert lines(task, "c1") == ["750 1000:1000", "644 1000:1000", "from the image", "wrote"]


def test_volumes_from(run: Tasks, ended: Any, lines: Any, seeded: str):
    """A container takes over what another one mounts, its image's volumes too; it is created after it."""
    task = run(
        shell(
            "cat /data/word /seed/file; touch /data/x 2>&1",
            volumesFrom=[{"sourceContainer": "c1", "readOnly": True}],
            **after("c1"),
        ),
        shell("echo tide >/data/word", image=seeded, essential=False, **mounted("data", "/data")),
        volumes=[{"name": "data"}],
    )
    ended(task)
    assert lines(task)[:2] == ["tide", "from the image"]
    assert "Read-only file system" in lines(task)[2]


def test_volumes_from_a_container_that_can_not_be_made(run: Tasks, ended: Any):
    """The one that waits for it never runs, with the reason."""
    task = run(
        shell("exit 0", volumesFrom=[{"sourceContainer": "c1"}]),
        {"command": ["/no/such/program"], "essential": False},
    )
    described = ended(task)
    assert described["stopCode"] == "TaskFailedToStart"
    assert "cannot reach CREATE: it did not start" in described["containers"][0]["reason"]


def test_a_device_of_an_image_opens_nothing(
    run: Tasks, ended: Any, lines: Any, server: ServerProcess, busybox: Path, tmp_path: Path
):
    """An image may bring the host's disk as a device; a container of it can neither read nor write it."""
    number = os.stat(server.state.path).st_dev
    device = member("disk", tarfile.BLKTYPE, devmajor=os.major(number), devminor=os.minor(number), mode=0o666)
    image = make_image([busybox.read_bytes(), tar_of([device])])
    server.cli("image", "import", str(write_oci_archive(image, tmp_path / "device.tar")), "--tag", "device")
    look = "test -b /disk && echo there; dd if=/disk of=/dev/null count=1 2>&1 | head -1; echo x 2>&1 >/disk || echo no"
    task = run(shell(look, image="device"))
    ended(task)
    server.cli("image", "rm", "device")
    found = lines(task)
    assert found[0] == "there"
    assert "Operation not permitted" in found[1]
    assert "no" in found


def efs(name: str, file_system: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "efsVolumeConfiguration": {"fileSystemId": file_system, **more}}


def test_a_file_system_that_outlives_tasks(run: Tasks, ended: Any, lines: Any, efs_root: Path):
    """What one task writes to EFS the next one reads; what is deleted with a task is not deleted there."""
    ended(run(shell("echo tide >/mnt/word; mkdir /mnt/in", **mounted("e", "/mnt")), volumes=[efs("e", "fs-10")]))
    assert (efs_root / "fs-10/word").read_text() == "tide\n"
    inner = efs("e", "fs-10", rootDirectory="/in")
    task = run(
        shell("cat /whole/word; touch /whole/x 2>&1; touch /in/y && ls /in", **two_mounts("whole", "e")),
        volumes=[efs("whole", "fs-10"), inner],
    )
    ended(task)
    assert lines(task)[0] == "tide"
    assert "Read-only file system" in lines(task)[1]
    assert lines(task)[2] == "y"
    assert (efs_root / "fs-10/in/y").exists()


def two_mounts(whole: str, inner: str) -> dict[str, Any]:
    return {
        "mountPoints": [
            {"sourceVolume": whole, "containerPath": "/whole", "readOnly": True},
            {"sourceVolume": inner, "containerPath": "/in"},
        ]
    }


def test_a_file_system_is_no_way_out(run: Tasks, ended: Any, lines: Any, efs_root: Path):
    """A link that a task has put into a file system leads the next task nowhere but into that file system."""
    (efs_root / "secret").mkdir(exist_ok=True)
    links = f"ln -s {efs_root}/secret /mnt/a; ln -s ../../secret /mnt/b; mkdir /mnt/secret; touch /mnt/secret/own"
    ended(run(shell(links, **mounted("e", "/mnt")), volumes=[efs("e", "fs-11")]))
    for directory, found in (("/a", None), ("/b", ["own"]), ("/../../secret", ["own"])):
        task = run(shell("ls /mnt", **mounted("e", "/mnt")), volumes=[efs("e", "fs-11", rootDirectory=directory)])
        described = ended(task)
        if found is None:
            assert described["stopCode"] == "TaskFailedToStart"
            assert described["stoppedReason"].startswith(
                "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: "
                "b'mount.nfs4: mounting fs-11.efs.us-east-1.amazonaws.com:/a failed, reason given by server: "
                "No such file or directory' : unsuccessful EFS utils command execution; code: 32"
            )
        else:
            assert lines(task) == found


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the program is made for x86_64")
def test_set_user_id_and_devices_in_a_root_file_system(run: Tasks, ended: Any, lines: Any):
    """Work as they do in any container: the disk under it takes nothing away."""
    program = base64.b64encode(exit_with_euid()).decode()
    script = (
        f"echo {program} | base64 -d >/bin/euid; chmod 4755 /bin/euid; su app -c /bin/euid && echo root;"
        "mknod /tmp/null c 1 3 && echo x >/tmp/null && echo device"
    )
    task = run(shell(script))
    ended(task)
    assert lines(task) == ["root", "device"]
