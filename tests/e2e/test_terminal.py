"""`pseudoTerminal` and `interactive`: what a container's standard streams are."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.server import ServerProcess, until
from fixtures.workload import REST, Workload, shell

pytestmark = pytest.mark.host

STREAMS = (
    "tty; for n in 0 1 2; do test -t $n && echo $n is a terminal || echo $n is none; done; stty size; echo $TERM; "
)


@pytest.fixture
def work(server: ServerProcess) -> Workload:
    return Workload(server)


def run_to_its_end(work: Workload, container: dict[str, Any]) -> list[str]:
    (task,) = work.run(work.register(container, family="terminal"))
    work.wait_one(task, "STOPPED")
    return work.output(task)


@pytest.mark.parametrize("user", ["root", "app"])
def test_pseudo_terminal(work: Workload, user: str):
    """All three streams are one terminal, with a size and a TERM; what is written to it is in the log."""
    lines = run_to_its_end(work, shell(STREAMS + "echo bad >&2", pseudoTerminal=True, user=user))

    assert [line.rstrip("\r") for line in lines] == [
        *("/dev/pts/0", "0 is a terminal", "1 is a terminal", "2 is a terminal", "24 80", "xterm", "bad"),
    ]


def test_no_terminal(work: Workload):
    """Without it no stream is a terminal, and the input is empty."""
    lines = run_to_its_end(work, shell("test -t 0 && echo a terminal; cat; echo end of the input"))

    assert lines == ["end of the input"]


@pytest.mark.parametrize("with_terminal", [False, True], ids=["pipe", "terminal"])
def test_interactive(work: Workload, with_terminal: bool):
    """The input stays open: who reads it waits, and stops when told to."""
    script = "trap 'exit 0' TERM; echo reads; exec 3<&0; (cat <&3; echo end of the input) & wait"
    (task,) = work.run(work.register(shell(script, interactive=True, pseudoTerminal=with_terminal), family="terminal"))
    until(lambda: work.output(task), "it has begun to read")
    other = work.run_shell("sleep 0.3")
    work.wait_one(other, "STOPPED")
    assert work.describe([task])[task]["lastStatus"] == "RUNNING"
    work.stop([task])
    work.wait_one(task, "STOPPED")

    assert [line.rstrip("\r") for line in work.output(task)] == ["reads"]


def test_health_checks_beside_a_terminal(work: Workload):
    """Commands that are run beside a container with a terminal have none of their own, and work."""
    check = {"command": ["CMD-SHELL", "test ! -t 1"], "interval": 5}
    definition = work.register(shell(REST, pseudoTerminal=True, interactive=True, healthCheck=check), family="terminal")
    (task,) = work.run(definition)
    until(lambda: work.describe([task])[task]["healthStatus"] == "HEALTHY", "it is healthy", 20)
    work.stop([task])
    assert work.wait_one(task, "STOPPED")["containers"][0]["exitCode"] == 0
