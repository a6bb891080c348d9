"""The in-task endpoint, called from inside real tasks with busybox's wget."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fixtures.server import ServerProcess, leftovers, until
from fixtures.workload import REST, Workload, shell

pytestmark = pytest.mark.host

URL = "http://169.254.170.2"
ROLE = {"taskRoleArn": "arn:aws:iam::000000000000:role/app"}
ASK = "printf 'GET %s HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n' {} | nc 169.254.170.2 80"
"""A request by hand, for answers that wget does not show."""


@pytest.fixture(scope="module")
def work(server: ServerProcess) -> Workload:
    return Workload(server)


def output(work: Workload, script: str, *, container: dict[str, Any] | None = None, **members: Any) -> list[str]:
    """What a task of one container writes until it ends well."""
    (task,) = work.run(work.register(shell(script, **(container or {})), **members))
    ended = work.wait_one(task, "STOPPED")
    lines = work.output(task)
    assert ended["containers"][0]["exitCode"] == 0, (ended.get("stoppedReason"), lines)
    return lines


def first_lines(work: Workload, task: str, count: int) -> list[str]:
    """What a task that goes on has written, once it is so much."""

    def look() -> list[str] | None:
        found = work.output(task)
        return found[:count] if len(found) >= count else None

    lines: list[str] = until(look, f"{task} has written {count} lines")
    return lines


def answer(lines: list[str]) -> tuple[int, str]:
    """Status and body of a request by hand."""
    return int(lines[0].split()[1]), lines[-1]


def test_metadata_is_what_the_api_says(work: Workload) -> None:
    """The task's own, and equal to what DescribeTasks shows of it; the container's path is its part of that."""
    script = (
        "wget -qO- $ECS_CONTAINER_METADATA_URI_V4/task; echo; wget -qO- $ECS_CONTAINER_METADATA_URI_V4; echo; "
        f"wget -qO- $ECS_CONTAINER_METADATA_URI/task; echo; {REST}"
    )
    (task,) = work.run(work.register(shell(script, cpu=64, memory=128), cpu="512", memory="1024"))
    shown = work.wait_one(task, "RUNNING")
    told, container, old = (json.loads(line) for line in first_lines(work, task, 3))
    (seen,) = shown["containers"]
    details = {d["name"]: d["value"] for d in shown["attachments"][0]["details"]}
    assert (told["TaskARN"], told["Cluster"]) == (task, shown["clusterArn"])
    assert told["Limits"] == {"CPU": 0.5, "Memory": 1024}
    assert told["AvailabilityZone"] == shown["availabilityZone"]
    assert told["Containers"] == [container]
    assert (container["DockerId"], container["ContainerARN"]) == (seen["runtimeId"], seen["containerArn"])
    assert container["ImageID"] == seen["imageDigest"]
    assert container["Limits"] == {"CPU": 64, "Memory": 128}
    (network,) = container["Networks"]
    assert network["IPv4Addresses"] == [details["privateIPv4Address"]]
    assert network["MACAddress"] == details["macAddress"]
    assert network["PrivateDNSName"] == details["privateDnsName"]
    assert container["LogOptions"]["awslogs-stream"] == f"t/c0/{task.rpartition('/')[2]}"
    assert container["Labels"]["com.amazonaws.ecs.task-arn"] == task
    assert old["TaskARN"] == task
    assert "LaunchType" not in old
    work.stop([task])
    work.wait_one(task, "STOPPED")


def test_statistics_are_measured(work: Workload) -> None:
    """A container that is busy has used about as much as it could; what it holds and sends is counted."""
    script = (
        "dd if=/dev/zero of=/dev/null bs=1M 2>/dev/null & sleep 1; "
        "wget -qO- $ECS_CONTAINER_METADATA_URI_V4/task/stats; echo; kill $!"
    )
    (line,) = output(work, script, container={"memory": 64})
    ((runtime_id, told),) = json.loads(line).items()
    assert told["id"] == runtime_id
    used = told["cpu_stats"]["cpu_usage"]["total_usage"] - told["precpu_stats"]["cpu_usage"]["total_usage"]
    passed = told["cpu_stats"]["system_cpu_usage"] - told["precpu_stats"]["system_cpu_usage"]
    assert 0 < used < passed
    assert told["pids_stats"]["current"] >= 3
    assert 1 << 20 < told["memory_stats"]["usage"] <= told["memory_stats"]["limit"] == 64 << 20
    assert told["networks"]["eth0"]["tx_bytes"] > 0


def test_health_is_told_with_its_output(work: Workload) -> None:
    """Status, since when, and what the check wrote."""
    check = {"command": ["CMD-SHELL", "echo fine; test -e /tmp/up"], "interval": 5, "retries": 1}
    script = (
        "touch /tmp/up; for i in $(seq 100); do wget -qO- $ECS_CONTAINER_METADATA_URI_V4 >/tmp/m; "
        "grep -q HEALTHY /tmp/m && break; sleep 0.1; done; cat /tmp/m; echo"
    )
    (line,) = output(work, script, container={"healthCheck": check})
    health = json.loads(line)["Health"]
    assert (health["status"], health["output"].strip()) == ("HEALTHY", "fine")
    assert "statusSince" in health


def test_another_tasks_ids_are_unknown(work: Workload) -> None:
    """Its metadata, its statistics and its credentials: as if there were no such ids."""
    (victim,) = work.run(work.register(shell(f"env | grep -E 'ECS|AWS_C'; {REST}"), **ROLE))
    known = dict(line.split("=", 1) for line in first_lines(work, victim, 4))
    metadata = known["ECS_CONTAINER_METADATA_URI_V4"].removeprefix(URL)
    protection = known["ECS_AGENT_URI"].removeprefix(URL) + "/task-protection/v1/state"
    for path in (metadata, f"{metadata}/task", f"{metadata}/stats", protection):
        status, body = answer(output(work, ASK.format(path), **ROLE))
        assert status == 404
        assert victim.rpartition("/")[2] not in body.replace(metadata.rpartition("/")[2], "")
    path = known["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]
    status, body = answer(output(work, ASK.format(path), **ROLE))
    assert (status, json.loads(body)["code"]) == (400, "InvalidIdInRequest")
    work.stop([victim])
    work.wait_one(victim, "STOPPED")


def test_port_80_is_the_tasks_own(work: Workload) -> None:
    """A web server on all addresses, and the endpoint beside it."""
    script = (
        "mkdir /www; echo mine >/www/index.html; httpd -p 80 -h /www; "
        'wget -qO- http://127.0.0.1/; wget -qO- $ECS_CONTAINER_METADATA_URI_V4 | grep -o \'"Name":"c0"\''
    )
    assert output(work, script) == ["mine", '"Name":"c0"']


def test_nothing_else_is_reached_by_it(work: Workload, server: ServerProcess) -> None:
    """No other port of the address, and the control plane's is as far away as ever."""
    port = server.state.read_identity().endpoint.rpartition(":")[2]
    script = f"for p in {port} 22; do nc -w 1 169.254.170.2 $p </dev/null 2>/dev/null && exit 9; done; exit 0"
    assert output(work, script) == []


def test_a_flood_harms_nobody(work: Workload) -> None:
    """A task that calls without end is refused; the control plane and its neighbour are answered meanwhile."""
    flood = "while :; do wget -qO /dev/null $ECS_CONTAINER_METADATA_URI_V4/task 2>/dev/null; done"
    script = f"trap 'kill $(jobs -p); exit 0' TERM; {' & '.join([flood] * 4)} & wait"
    flooders = work.run(work.register(shell(script), family="flood"), count=3)
    work.wait(flooders, "RUNNING")
    told = json.loads(output(work, "wget -qO- $ECS_CONTAINER_METADATA_URI_V4/task")[0])
    assert told["Family"] == "work"
    assert work.describe(flooders)
    work.stop(flooders)
    work.wait(flooders, "STOPPED")


def test_tags_come_with_the_task(work: Workload) -> None:
    """Where they are asked for, as they are now."""
    script = "wget -qO- $ECS_CONTAINER_METADATA_URI_V4/taskWithTags"
    (task,) = work.run(work.register(shell(script)), tags=[{"key": "team", "value": "blue"}])
    work.wait_one(task, "STOPPED")
    assert json.loads(work.output(task)[0])["TaskTags"] == {"team": "blue"}


def test_protection_through_the_agent_and_the_api(work: Workload) -> None:
    """A task that no service started can't be protected; one without a role may not even ask."""
    status, body = answer(output(work, ASK.format(f"${{ECS_AGENT_URI#{URL}}}/task-protection/v1/state")))
    assert (status, json.loads(body)["error"]["Code"]) == (403, "AccessDeniedException")
    task = work.run_shell("true")
    for told in (
        work.ecs.get_task_protection(cluster="default", tasks=[task]),
        work.ecs.update_task_protection(cluster="default", tasks=[task], protectionEnabled=True),
    ):
        assert told["protectedTasks"] == []
        assert told["failures"] == [{"arn": task, "reason": "TASK_NOT_VALID"}]
    work.wait_one(task, "STOPPED")


@pytest.fixture
def own_server(tmp_path: Path, busybox: Path) -> Iterator[ServerProcess]:
    """A server to be killed."""
    found = ServerProcess(tmp_path / "state").start()
    try:
        found.cli("image", "import", str(busybox), "--tag", "busybox")
        yield found
    finally:
        found.teardown()
    assert leftovers(found) == []


def test_a_task_that_runs_on_finds_it_again(own_server: ServerProcess) -> None:
    """After kill -9 and a new start of the server: the same addresses, the same ids."""
    work = Workload(own_server)
    script = (
        "trap 'exit 0' TERM; while sleep 0.2; do "
        'timeout 2 wget -qO- $ECS_CONTAINER_METADATA_URI_V4 2>/dev/null | grep -o \'"KnownStatus":"RUNNING"\'; done'
    )
    task = work.run_shell(script)
    work.wait_one(task, "RUNNING")
    until(lambda: work.output(task), "it was answered")
    own_server.kill()
    own_server.start()
    count = len(work.output(task))
    until(lambda: len(work.output(task)) > count + 5, "it is answered again")
    work.stop([task])
    work.wait_one(task, "STOPPED")
