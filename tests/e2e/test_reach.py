"""Ports of a task on this machine, and files out of it and into it."""

from __future__ import annotations

import io
import os
import re
import signal
import socket
import subprocess
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fixtures.server import PROGRAM, ServerProcess, until

pytestmark = pytest.mark.host

SCRIPT = """
trap 'exit 0' TERM
mkdir -p /srv/www && echo served > /srv/www/index.html
httpd -p 127.0.0.1:7001 -h /srv/www
nc -ll -p 7002 -e cat &
sleep 600 & wait
"""


@pytest.fixture(scope="module")
def task(server: ServerProcess) -> Iterator[str]:
    """It serves a page on its loopback alone, and an echo on all its addresses."""
    name = server.cli("run", "busybox", "-d", "--name", "reach", "--", "sh", "-c", SCRIPT).stdout.strip()
    listening = ["exec", name, "--", "sh", "-c", "netstat -ltn | grep -c ':700[12] '"]
    until(lambda: server.cli(*listening, check=False).stdout == "2\n", "it listens")
    yield name
    server.cli("stop", name)


@contextmanager
def forwarded(server: ServerProcess, *arguments: str) -> Iterator[list[int]]:
    """`tidegate forward`: the local ports that it tells."""
    process = subprocess.Popen(
        [*PROGRAM, "forward", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=server.environment,
    )
    assert process.stdout is not None
    try:
        wanted = sum(":" in a or a.isdigit() for a in arguments[1:])
        lines = [process.stdout.readline() for _ in range(wanted)]
        yield [int(re.findall(r":(\d+) leads to port", line)[0]) for line in lines]
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        process.stdout.close()


def fetch(port: int, path: str = "/") -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
        return str(answer.read().decode())


def test_what_listens_on_the_loopback_alone(server: ServerProcess, task: str):
    """A port that the task opens for itself is reached, many times at once; a missing page is the task's own answer."""
    with forwarded(server, task, "0:7001") as (port,):
        assert fetch(port) == "served\n"
        with ThreadPoolExecutor(10) as pool:
            assert set(pool.map(fetch, [port] * 40)) == {"served\n"}
        with pytest.raises(urllib.error.HTTPError, match="404"):
            fetch(port, "/missing")


def test_several_ports_and_bytes_of_any_kind(server: ServerProcess, task: str):
    """Several ports at once; four million bytes there and back unchanged, with the end of each direction."""
    sent = os.urandom(4 << 20)
    with forwarded(server, task, "0:7001", "0:7002") as (page, echo):
        assert fetch(page) == "served\n"
        with socket.create_connection(("127.0.0.1", echo), timeout=30) as connection, ThreadPoolExecutor(1) as pool:
            sending = pool.submit(_send_all, connection, sent)
            got = b""
            while part := connection.recv(1 << 16):
                got += part
            sending.result()
    assert got == sent


def _send_all(connection: socket.socket, data: bytes) -> None:
    connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)


def test_a_port_that_nobody_listens_on(server: ServerProcess, task: str):
    """The connection is closed, the reason is told, and the next one is tried afresh."""
    process = subprocess.Popen(
        [*PROGRAM, "forward", task, "0:7999"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=server.environment
    )
    assert process.stdout is not None
    port = int(re.findall(rb":(\d+) leads", process.stdout.readline())[0])
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            assert connection.recv(10) == b""
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert said.count(b"port 7999: cannot connect to port 7999 of the task: Connection refused") == 2
    assert b"Traceback" not in said


@pytest.mark.parametrize(
    "arguments, code, said",
    [
        (["99999"], 2, "port that is not between 1 and 65535"),
        (["x"], 2, "`x` is not [[ADDRESS:]LOCAL:]PORT"),
        (["1.2.3.4:9:7001"], 1, "cannot listen on 1.2.3.4:9"),
    ],
)
def test_forward_mistakes(server: ServerProcess, task: str, arguments: list[str], code: int, said: str):
    """What is wrong is said in words."""
    done = server.cli("forward", task, *arguments, check=False)
    assert done.returncode == code
    assert said in done.stderr


def inside(server: ServerProcess, task: str, script: str) -> str:
    return server.cli("exec", task, "--", "sh", "-c", script).stdout


def test_files_go_in_and_come_out_as_they_are(server: ServerProcess, task: str, tmp_path: Path):
    """A tree with modes, times, owners, links, hard links and strange names makes the round trip unchanged."""
    tree = tmp_path / "tree"
    (tree / "sub/deep").mkdir(parents=True)
    (tree / "program").write_bytes(os.urandom(300_000))
    (tree / "sub/deep/empty").touch()
    (tree / "sub/ name with\nlines and ü").write_text("x")
    (tree / ("long" * 60)).write_text("y")
    (tree / "link").symlink_to("sub/deep")
    (tree / "dangling").symlink_to("/no/such/place")
    os.link(tree / "program", tree / "sub/hard")
    os.chown(tree / "program", 1234, 4321)
    (tree / "program").chmod(0o4755)
    os.utime(tree / "program", (0, 1_000_000_000))
    (tree / "sub").chmod(0o711)
    server.cli("cp", str(tree), f"{task}:/srv/")
    assert inside(server, task, "stat -c '%a %u %g %Y' /srv/tree/program") == "4755 1234 4321 1000000000\n"
    assert inside(server, task, "readlink /srv/tree/dangling") == "/no/such/place\n"
    assert inside(server, task, "stat -c %h /srv/tree/program") == "2\n"
    server.cli("cp", f"{task}:/srv/tree", str(tmp_path / "back"))
    assert listing(tmp_path / "back") == listing(tree)


def listing(root: Path) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else ""
        mtime = 0 if path.is_symlink() else int(status.st_mtime)
        found[str(path.relative_to(root))] = (
            status.st_mode,
            status.st_uid,
            status.st_gid,
            status.st_nlink,
            mtime,
            content,
        )
    return found


def test_where_it_goes(server: ServerProcess, task: str, tmp_path: Path):
    """Into a directory that is there, else by that name; over what is there; a missing directory is said."""
    one = tmp_path / "one.txt"
    one.write_text("1")
    server.cli("cp", str(one), f"{task}:/tmp/")
    server.cli("cp", str(one), f"{task}:/tmp/two.txt")
    assert inside(server, task, "cat /tmp/one.txt /tmp/two.txt") == "11"
    one.write_text("2")
    server.cli("cp", str(one), f"{task}:/tmp/two.txt")
    assert inside(server, task, "cat /tmp/two.txt") == "2"
    refused = server.cli("cp", str(one), f"{task}:/no/such/place.txt", check=False)
    assert (refused.returncode, "No such file or directory" in refused.stderr) == (1, True)
    refused = server.cli("cp", str(tmp_path / "none"), f"{task}:/tmp", check=False)
    assert (refused.returncode, "No such file or directory" in refused.stderr) == (1, True)
    done = server.cli("cp", f"{task}:/tmp/two.txt", str(tmp_path))
    assert (tmp_path / "two.txt").read_text() == "2"
    assert done.stderr == "copied 1 file, 1 byte\n"
    refused = server.cli("cp", f"{task}:/nothing", str(tmp_path), check=False)
    assert (refused.returncode, "cannot copy /nothing: No such file or directory" in refused.stderr) == (1, True)
    assert server.cli("cp", str(one), str(tmp_path), check=False).returncode == 2
    assert server.cli("cp", str(one), f"{task}:relative", check=False).returncode == 2


def test_streams(server: ServerProcess, task: str, tmp_path: Path):
    """`-` is a tar stream, which other tools read and write."""
    got = server.cli("cp", f"{task}:/srv/www", "-", text=False).stdout
    with tarfile.open(fileobj=io.BytesIO(got)) as archive:
        assert archive.getnames() == ["www", "www/index.html"]
    (tmp_path / "a").write_text("A")
    packed = subprocess.run(["tar", "-C", tmp_path, "-c", "a"], capture_output=True, check=True).stdout
    server.cli("cp", "-", f"{task}:/srv/www", text=False, input=packed)
    assert inside(server, task, "cat /srv/www/a") == "A"
    refused = server.cli("cp", "-", f"{task}:/srv/nowhere", text=False, input=packed, check=False)
    assert refused.returncode == 1


def test_large_and_many(server: ServerProcess, task: str, tmp_path: Path):
    """Fifty megabytes and two thousand small files come through in seconds."""
    (tmp_path / "big").write_bytes(os.urandom(1 << 20) * 50)
    began = time.monotonic()
    server.cli("cp", str(tmp_path / "big"), f"{task}:/tmp/big")
    server.cli("cp", f"{task}:/tmp/big", str(tmp_path / "again"))
    assert (tmp_path / "again").read_bytes() == (tmp_path / "big").read_bytes()
    inside(server, task, "rm /tmp/big; mkdir -p /tmp/many; cd /tmp/many; for i in $(seq 2000); do echo $i > $i; done")
    server.cli("cp", f"{task}:/tmp/many", str(tmp_path / "many"))
    assert len(list((tmp_path / "many").iterdir())) == 2000
    assert time.monotonic() - began < 30


def evil(*entries: tuple[str, bytes, str]) -> bytes:
    """A tar of (name, type, link or content)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, kind, text in entries:
            info = tarfile.TarInfo(name)
            info.type = kind
            if kind == tarfile.REGTYPE:
                info.size = len(text)
            else:
                info.linkname = text
            archive.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


@pytest.mark.parametrize(
    "archive, why",
    [
        (evil(("../out", tarfile.REGTYPE, "x")), "leads out of the directory"),
        (evil(("a/../../out", tarfile.REGTYPE, "x")), "leads out of the directory"),
        (evil(("way", tarfile.SYMTYPE, "/etc"), ("way/out", tarfile.REGTYPE, "x")), "a symbolic link is in the way"),
        (
            evil(("way", tarfile.SYMTYPE, "../../.."), ("way/out", tarfile.REGTYPE, "x")),
            "a symbolic link is in the way",
        ),
        (evil(("hard", tarfile.LNKTYPE, "../../etc/passwd")), "leads out of the directory"),
        (evil(("disk", tarfile.BLKTYPE, "")), "it is a device or a pipe"),
        (evil(("pipe", tarfile.FIFOTYPE, "")), "it is a device or a pipe"),
        (b"no tar at all" * 100, "cannot read the tar"),
        (evil(("ok", tarfile.REGTYPE, "x" * 5000))[:3000], "it ends"),
    ],
)
def test_hostile_archives(server: ServerProcess, task: str, archive: bytes, why: str):
    """What would write elsewhere, or make what is no file, is refused; nothing is written outside of the directory."""
    before = inside(server, task, "mkdir -p /tmp/in; ls / /etc /tmp")
    done = server.cli("cp", "-", f"{task}:/tmp/in", text=False, input=archive, check=False)
    assert done.returncode == 1
    assert why in done.stderr.decode()
    assert inside(server, task, "ls / /etc /tmp") == before


def test_links_in_the_container_lead_nowhere_else(server: ServerProcess, task: str, tmp_path: Path):
    """A link to the host's files is followed within the container; the host's own are out of reach, both ways."""
    canary = tmp_path / "canary"
    canary.write_text("the host's")
    inside(
        server,
        task,
        f"mkdir -p /tmp/l; ln -sfn {canary} /tmp/l/file; ln -sfn {tmp_path} /tmp/l/dir; ln -sfn / /tmp/l/root",
    )
    for path in ("/tmp/l/file", "/tmp/l/dir/canary", f"/tmp/l/root{canary}", f"/../../..{canary}"):
        refused = server.cli("cp", f"{task}:{path}", str(tmp_path / "stolen"), check=False)
        assert refused.returncode == 1
        assert not (tmp_path / "stolen").exists()
    server.cli("cp", f"{task}:/tmp/l/root/etc/passwd", str(tmp_path / "passwd"))
    assert "app:x:1000" in (tmp_path / "passwd").read_text()
    mine = tmp_path / "mine"
    mine.write_text("mine")
    server.cli("cp", str(mine), f"{task}:/tmp/l/dir/x", check=False)
    server.cli("cp", str(mine), f"{task}:/tmp/l/file", check=False)
    assert canary.read_text() == "the host's"
    assert not (tmp_path / "x").exists()


def test_devices_and_what_the_kernel_makes_up(server: ServerProcess, task: str, tmp_path: Path):
    """Devices, pipes and sockets are left out and named; /proc and /sys are no files."""
    inside(server, task, "mkdir -p /tmp/odd; cd /tmp/odd; mknod null c 1 3; mkfifo pipe; echo x > file")
    done = server.cli("cp", f"{task}:/tmp/odd", str(tmp_path / "odd"))
    assert [p.name for p in (tmp_path / "odd").iterdir()] == ["file"]
    assert "left out: odd/null is no file" in done.stderr
    assert "left out: odd/pipe is no file" in done.stderr
    done = server.cli("cp", f"{task}:/", str(tmp_path / "all"))
    assert "left out: root/proc is made up by the kernel" in done.stderr
    assert not (tmp_path / "all/proc").exists()
    assert (tmp_path / "all/etc/passwd").exists()


def test_what_is_read_only_stays_so(server: ServerProcess, run: Any, ecs: Any, tmp_path: Path):
    """A read-only root file system and a read-only volume can't be written from outside either; volumes are seen."""
    rest = "trap 'exit 0' TERM; sleep 600 & wait"
    mounts = [
        {"sourceVolume": "data", "containerPath": "/data"},
        {"sourceVolume": "data", "containerPath": "/fixed", "readOnly": True},
    ]
    one = {"command": ["sh", "-c", rest], "readonlyRootFilesystem": True, "mountPoints": mounts}
    found = run(one, volumes=[{"name": "data"}])
    ecs.get_waiter("tasks_running").wait(tasks=[found["taskArn"]], WaiterConfig={"Delay": 1})
    name = found["taskArn"].rpartition("/")[2]
    mine = tmp_path / "mine"
    mine.write_text("mine")
    for place in ("/etc/mine", "/fixed/mine"):
        refused = server.cli("cp", str(mine), f"{name}:{place}", check=False)
        assert refused.returncode == 1
        assert "Read-only file system" in refused.stderr
    server.cli("cp", str(mine), f"{name}:/data/mine")
    server.cli("cp", f"{name}:/fixed/mine", str(tmp_path / "back"))
    assert (tmp_path / "back").read_text() == "mine"
    ecs.stop_task(task=found["taskArn"])


def test_by_boto3(tidegate: Any, server: ServerProcess, task: str):
    """The operations give sessions of their own kinds."""
    arns = server.client("ecs").list_tasks()["taskArns"]
    arn = next(arn for arn in arns if task in arn)
    assert tidegate.start_forward(task=arn, port=80)["session"]["sessionId"].startswith("tidegate-forward-")
    answer = tidegate.start_copy(task=arn, direction="OUT", path="/etc")
    assert answer["containerName"] == "reach"
    assert answer["session"]["sessionId"].startswith("tidegate-copy-")
    with pytest.raises(tidegate.exceptions.InvalidParameterException, match="is not an absolute one"):
        tidegate.start_copy(task=arn, direction="IN", path="etc")
