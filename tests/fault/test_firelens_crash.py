"""The server is killed while it sends output to a log router."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from fault.conftest import NewServer
from fixtures.forward import router_tar
from fixtures.python_image import INTERPRETER, python_environment
from fixtures.server import until
from fixtures.workload import AWSLOGS

pytestmark = [pytest.mark.fault, pytest.mark.host]
CONFIG = "/fluent-bit/etc/fluent-bit.conf"
COUNT = "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo $i; [ $((i % 50)) -eq 0 ] && sleep 0.1; done; echo end"


def test_every_line_reaches_the_router(new_server: NewServer, tmp_path: Path):
    """In order; what was on its way at a kill may come twice, whole chunks of it, and nothing else does."""
    work = new_server()
    work.server.cli("image", "import", str(router_tar(tmp_path / "router.tar")), "--tag", "router")
    app = {
        "name": "app",
        "image": "busybox",
        "command": ["sh", "-c", COUNT],
        "logConfiguration": {"logDriver": "awsfirelens", "options": {"mode": "blocking"}},
    }
    router = {
        "name": "router",
        "image": "router",
        "command": [INTERPRETER, "/forward.py", CONFIG],
        "environment": python_environment(),
        "logConfiguration": AWSLOGS,
        "stopTimeout": 2,
        "firelensConfiguration": {"type": "fluentbit"},
    }
    (task,) = work.run(work.register(app, router))

    def texts() -> list[str]:
        return [json.loads(line)["log"] for line in work.output(task, "router") if line.startswith("{")]

    kills = 3
    for kill in range(kills):
        until(lambda kill=kill: len(texts()) > (kill + 1) * 500, "lines arrive")
        work.server.kill()
        work.server.start()
    ended = work.wait_one(task, "STOPPED", seconds=120)

    assert {c["name"]: c["exitCode"] for c in ended["containers"]}["app"] == 0
    found = texts()
    assert list(dict.fromkeys(found)) == [*(str(number) for number in range(1, 3001)), "end"]
    assert max(Counter(found).values()) <= 2
    assert len(found) - 3001 <= kills * 1500, "no more than what was on its way"
