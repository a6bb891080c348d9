"""FireLens: a log router of the user's takes the others' output, by the Forward protocol."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fixtures.forward import router_tar
from fixtures.python_image import INTERPRETER, python_environment
from fixtures.server import ServerProcess, until
from fixtures.workload import AWSLOGS, Workload

pytestmark = pytest.mark.host
FILES = {"fluentbit": "/fluent-bit/etc/fluent-bit.conf", "fluentd": "/fluentd/etc/fluent.conf"}


@pytest.fixture(scope="module")
def work(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Workload:
    """With an image of a log router."""
    tar = router_tar(tmp_path_factory.mktemp("router") / "router.tar")
    server.cli("image", "import", str(tar), "--tag", "router")
    tar.unlink()
    server.client("ssm").put_parameter(Name="/firelens/password", Value="s3cret", Type="SecureString")
    return Workload(server)


def router(kind: str = "fluentbit", **options: str) -> dict[str, Any]:
    """Prints its configuration and the records that it gets; ends when it is told to, at once."""
    program = f"import signal, sys; sys.argv = ['x', '{FILES[kind]}']; signal.signal(15, lambda *_: sys.exit(0))"
    return {
        "name": "router",
        "image": "router",
        "essential": True,
        "command": [INTERPRETER, "-c", f"{program}; sys.path.insert(0, '/'); import forward; forward.main()"],
        "environment": python_environment(),
        "logConfiguration": AWSLOGS,
        "stopTimeout": 5,
        "firelensConfiguration": {
            "type": kind,
            "options": {name.replace("_", "-"): value for name, value in options.items()},
        },
    }


def app(script: str, options: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    log = {"logDriver": "awsfirelens", "options": options or {}, **more}
    return {"name": "app", "image": "busybox", "command": ["sh", "-c", script], "logConfiguration": log}


def records(work: Workload, task: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in work.output(task, "router") if line.startswith("{")]


def config(work: Workload, task: str) -> list[str]:
    return [line.removeprefix("config|") for line in work.output(task, "router") if line.startswith("config|")]


def test_records_reach_the_router(work: Workload):
    """All lines of both outputs, the last one too, with their origin; the router's configuration has what it needs."""
    script = "echo to $FLUENT_HOST:$FLUENT_PORT; echo oops >&2; seq 1 3000; printf end"
    secret = [{"name": "HTTP_Passwd", "valueFrom": "/firelens/password"}]
    (task,) = work.run(work.register(app(script, {"Name": "http", "Host": "h"}, secretOptions=secret), router()))
    stopped = work.wait_one(task, "STOPPED")

    assert stopped["stoppedReason"] == "Essential container in task exited"
    task_id = task.rpartition("/")[2]
    found = records(work, task)
    texts = [record["log"] for record in found if record["source"] == "stdout"]
    assert texts == ["to 127.0.0.1:24224", *(str(number) for number in range(1, 3001)), "end"]
    assert [record["log"] for record in found if record["source"] == "stderr"] == ["oops"]
    assert {record["tag"] for record in found} == {f"app-firelens-{task_id}"}
    (container,) = [c for c in stopped["containers"] if c["name"] == "app"]
    assert {(r["container_id"], r["container_name"]) for r in found} == {(container["runtimeId"], "app")}
    lines = [line.strip() for line in config(work, task)]
    assert f"Record ecs_task_arn {task}" in lines
    assert "Record ecs_cluster default" in lines
    output = lines[lines.index("Name http") :]
    assert output[1:4] == ["Match app-firelens*", "Host h", "HTTP_Passwd s3cret"]
    definition = work.ecs.describe_task_definition(taskDefinition=stopped["taskDefinitionArn"])["taskDefinition"]
    assert "s3cret" not in json.dumps(definition, default=str)


def test_a_fluentd_router(work: Workload):
    """By its own file and its own socket."""
    (task,) = work.run(work.register(app("seq 1 100"), router("fluentd", enable_ecs_log_metadata="false")))
    work.wait_one(task, "STOPPED")
    assert [record["log"] for record in records(work, task)] == [str(number) for number in range(1, 101)]
    assert not any("ecs_cluster" in line for line in config(work, task))


def test_a_router_with_a_read_only_root(work: Workload):
    """Its socket is in a volume, which it can write to as the user that it runs as."""
    plain = router()
    (task,) = work.run(work.register(app("seq 1 5"), {**plain, "readonlyRootFilesystem": True, "user": "1000:1000"}))
    work.wait_one(task, "STOPPED")
    assert [record["log"] for record in records(work, task)] == ["1", "2", "3", "4", "5"]


def test_a_task_without_its_router_stops(work: Workload):
    """A router that ends, ends the task; who wrote to it is not waited for long."""
    ends = {**router(), "command": [INTERPRETER, "-c", "pass"]}
    (task,) = work.run(work.register({**app("while true; do echo x; sleep 0.1; done"), "stopTimeout": 2}, ends))
    stopped = work.wait_one(task, "STOPPED", seconds=40)
    assert stopped["stopCode"] == "EssentialContainerExited"


def test_refused_with_awss_text(work: Workload):
    """A user of a router that is not there."""
    with pytest.raises(work.ecs.exceptions.ClientException, match="a firelens configuration object must be specified"):
        work.register(app("true"))


def test_the_socket_is_there_while_the_task_runs(work: Workload):
    """And nothing of it is left afterwards."""
    (task,) = work.run(work.register({**app("echo begun; sleep 600"), "stopTimeout": 2}, router()))
    until(lambda: records(work, task), "a record is there")
    work.stop([task])
    work.wait_one(task, "STOPPED")
    work.nothing_left()
