"""Values of secrets are where they belong and nowhere else: looked for by name, everywhere."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fixtures.images import make_image
from fixtures.registry import PASSWORD, USER, missing_for_registry, running_registry
from fixtures.server import ServerProcess, leftovers, until
from fixtures.workload import AWSLOGS, REST, Workload, shell
from tidegate.kernel.process import list_pids, read_cmdline

pytestmark = [
    pytest.mark.host,
    pytest.mark.skipif(bool(missing_for_registry), reason=f"needs {missing_for_registry}"),
]

MARK = f"canary-{secrets.token_hex(8)}"
LOGIN = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
PIECE, OVERLAP = 4 << 20, 256
NEEDLES = [needle.encode() for needle in (MARK, PASSWORD, LOGIN)]


def has_canary(data: bytes) -> bool:
    return any(needle in data for needle in NEEDLES)


@contextmanager
def watched_arguments() -> Iterator[list[str]]:
    """The command lines with a canary that any process has had meanwhile."""
    found: list[str] = []
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.is_set():
            for pid in list_pids():
                line = "\0".join(read_cmdline(pid))
                if has_canary(line.encode()):
                    found.append(line)
            is_over.wait(0.001)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        is_over.set()
        thread.join()


def files_with_canaries(state: Path) -> list[Path]:
    """All below the state directory that hold one; root file systems of containers are their own."""
    found = []
    for directory, names, files in os.walk(state):
        names[:] = [name for name in names if name not in ("rootfs", "upper", "work", "layers", "l", "s3", "netns")]
        for name in files:
            path = Path(directory) / name
            if path.is_file() and not path.is_symlink() and any(map(has_canary, read_data(path))):
                found.append(path)
    return found


def read_data(path: Path) -> Iterator[bytes]:
    """What is written of a file, in pieces that overlap; the holes of a disk image are no data."""
    with path.open("rb") as file:
        at, size = 0, path.stat().st_size
        while at < size:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:
                return
            end = os.lseek(file.fileno(), at, os.SEEK_HOLE)
            yield os.pread(file.fileno(), min(end - at, PIECE) + OVERLAP, at)
            at += min(end - at, PIECE)


def answers(work: Workload, tasks: list[str], definitions: list[str]) -> str:
    """What every operation that describes or lists has to say."""
    ecs, ssm, manager, logs = (work.client(name) for name in ("ecs", "ssm", "secretsmanager", "logs"))
    found: list[Any] = [
        ecs.describe_tasks(tasks=tasks, include=["TAGS"]),
        *(ecs.describe_task_definition(taskDefinition=arn) for arn in definitions),
        ecs.describe_clusters(include=["SETTINGS", "STATISTICS", "TAGS", "CONFIGURATIONS", "ATTACHMENTS"]),
        ssm.describe_parameters(),
        ssm.get_parameter_history(Name="/canary/p"),
        ssm.get_parameters_by_path(Path="/canary"),
        manager.list_secrets(),
        manager.describe_secret(SecretId="canary/db"),
        manager.list_secret_version_ids(SecretId="canary/db"),
        logs.describe_log_groups(),
        logs.describe_log_streams(logGroupName="/tests"),
        logs.filter_log_events(logGroupName="/tests"),
        *(work.server.cli("describe", arn.rpartition("/")[2]).stdout for arn in tasks),
        work.server.cli("ps", "--all").stdout,
    ]
    return str(found)


@pytest.fixture(params=["crun", "runc"])
def work(request: pytest.FixtureRequest, tmp_path: Path, busybox: Path) -> Iterator[Workload]:
    """A server that tells all it does; each runtime keeps copies of its own."""
    if shutil.which(request.param) is None:
        pytest.skip(f"needs {request.param}")
    options = ("--verbose", "--log-format", "json", "--runtime", request.param)
    server = ServerProcess(tmp_path / "state", *options).start()
    try:
        server.cli("image", "import", str(busybox), "--tag", "busybox")
        yield Workload(server)
    finally:
        server.teardown()
    assert leftovers(server) == []


def plant(work: Workload) -> dict[str, Any]:
    """Canaries in every place that a container can be given secrets from: the members of its definition."""
    ssm, manager = work.client("ssm"), work.client("secretsmanager")
    ssm.put_parameter(Name="/canary/p", Value=f"{MARK}-parameter", Type="SecureString")
    database = manager.create_secret(Name="canary/db", SecretString=json.dumps({"password": f"{MARK}-json"}))
    bucket = work.server.state.path / "s3" / "canary"
    bucket.mkdir(parents=True)
    (bucket / "a.env").write_text(f"FILE={MARK}-file\n")
    return {
        "secrets": [
            {"name": "P", "valueFrom": "/canary/p"},
            {"name": "S", "valueFrom": database["ARN"]},
            {"name": "K", "valueFrom": f"{database['ARN']}:password::"},
        ],
        "environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::canary/a.env"}],
    }


def test_values_are_nowhere_else(work: Workload, tmp_path: Path, busybox: Path) -> None:
    """
    In no log line, answer, argument or file, while tasks are launched, run, crash, fail to start and after they are
    gone; but for the configuration of a container that is there: in memory, and root's.
    """
    members = plant(work)
    login = work.client("secretsmanager").create_secret(
        Name="canary/login", SecretString=json.dumps({"username": USER, "password": PASSWORD})
    )["ARN"]
    with running_registry(tmp_path / "registry", with_password=True) as registry, watched_arguments() as seen:
        image = registry.push("team/canary", "v1", make_image([busybox.read_bytes()]))
        health = {"command": ["CMD-SHELL", 'test -n "$P"'], "interval": 5}
        containers = {
            "runs": shell(REST, **members, healthCheck=health),
            "pulls": shell(f'test "$K" = "{MARK[:6]}" ; exit 3', **members, image=image)
            | {"repositoryCredentials": {"credentialsParameter": login}},
            "crashes": shell("ulimit -c; sh -c 'kill -SEGV $$'; exit $?", **members),
            "missing": {"image": "busybox", "command": ["/none"], "logConfiguration": AWSLOGS, **members},
            "wrong": shell("true", **members)
            | {"secrets": [*members["secrets"], {"name": "Z", "valueFrom": f"{_database(work)}:none::"}]},
        }
        definitions = {name: work.register(one, family=name) for name, one in containers.items()}
        tasks = {name: work.run(arn)[0] for name, arn in definitions.items()}
        work.wait_one(tasks["runs"], "RUNNING")
        until(lambda: _health(work, tasks["runs"]) == "HEALTHY", "its environment is whole")
        ended = work.wait([arn for name, arn in tasks.items() if name != "runs"], "STOPPED")
        _see_configuration(work)
        work.stop([tasks["runs"]])
        work.wait_one(tasks["runs"], "STOPPED")
    assert ended[tasks["pulls"]]["containers"][0]["exitCode"] == 3
    assert ended[tasks["crashes"]]["containers"][0]["exitCode"] == 139
    assert work.output(tasks["crashes"])[0] == "0"
    assert "did not contain json key none" in ended[tasks["wrong"]]["stoppedReason"]
    assert seen == []
    assert not has_canary(work.server.log.read_bytes())
    assert not has_canary(answers(work, [*tasks.values()], [*definitions.values()]).encode())
    work.nothing_left()
    assert files_with_canaries(work.server.state.path) == []


def _database(work: Workload) -> str:
    arn: str = work.client("secretsmanager").describe_secret(SecretId="canary/db")["ARN"]
    return arn


def _health(work: Workload, task: str) -> str:
    found: str = work.describe([task])[task]["healthStatus"]
    return found


def _see_configuration(work: Workload) -> None:
    """While a container runs its values are in its configuration: below `run`, in memory, and nobody else's."""
    state = work.server.state
    holding = files_with_canaries(state.path)
    assert holding
    assert {path.relative_to(state.path).parts[0] for path in holding} == {"run"}
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    assert any(f" {state.runtime} " in line and " - tmpfs " in line for line in mounts)
    for path in (*holding, state.runtime, state.path):
        assert path.stat().st_uid == 0
        assert path.stat().st_mode & 0o077 == 0, path


def test_the_server_leaves_no_core(work: Workload) -> None:
    """It has secrets in its memory."""
    assert work.server.process is not None
    limits = Path(f"/proc/{work.server.process.pid}/limits").read_text()
    (line,) = [line for line in limits.splitlines() if line.startswith("Max core file size")]
    assert line.split()[4] == "0"


def test_core_dumps_on_request(work: Workload) -> None:
    """A definition's own ulimit binds; otherwise there are none."""
    ulimits = [{"name": "core", "softLimit": 4096, "hardLimit": 8192}]
    task = work.run(work.register(shell("ulimit -Sc; ulimit -Hc", ulimits=ulimits)))[0]
    work.wait_one(task, "STOPPED")
    assert work.output(task) == ["8", "16"]
    task = work.run(work.register(shell("ulimit -Sc; ulimit -Hc")))[0]
    work.wait_one(task, "STOPPED")
    assert work.output(task) == ["0", "0"]
