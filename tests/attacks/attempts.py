"""Attacks from inside a task: what is tried, how it must fail, and how many there were."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from fixtures.workload import AWSLOGS, Workload


@dataclass(frozen=True, slots=True)
class Attempt:
    """
    A shell command, run as root in a container. It fails if its exit status is not 0 and its output fits `failure`.

    Whatever it does would do no harm to the host if it succeeded.
    """

    name: str
    command: str
    failure: str


NOT_PERMITTED = "Operation not permitted|Permission denied"
READ_ONLY = "Read-only file system"
NOT_THERE = "No such file or directory|No such device or address|not found"
NO_ANSWER = "timed out|refused|unreachable|not permitted|^$"
"""Of nc: packets that are dropped give nothing at all."""


@dataclass(slots=True)
class Ledger:
    """All attempts of a session, by family; told at its end."""

    tried: dict[str, int] = field(default_factory=dict)
    succeeded: list[str] = field(default_factory=list)

    def enter(self, family: str, name: str, *, is_success: bool) -> None:
        self.tried[family] = self.tried.get(family, 0) + 1
        if is_success:
            self.succeeded.append(f"{family}: {name}")

    @property
    def report(self) -> str:
        total = sum(self.tried.values())
        return f"attacks tried: {total} ({self.tried}), succeeded: {len(self.succeeded)}"


def script_of(attempts: Iterable[Attempt], *, at_once: bool = False) -> str:
    """One script for all: each attempt's number and status, then its output, in one line."""
    lines = []
    for number, attempt in enumerate(attempts):
        out = f"/tmp/out{number}"
        told = f"echo \"@{number} $? $(head -c 400 {out} | tr '\\n' ' ')\""
        lines.append(f"( ( {attempt.command} ) >{out} 2>&1 </dev/null; {told} ){' &' if at_once else ''}")
    return "\n".join(["set +e", *lines, "wait", "echo @end"])


def read_outcomes(lines: Iterable[str]) -> dict[int, tuple[int, str]]:
    """Status and output, by the attempt's number."""
    found = {}
    for line in lines:
        match = re.fullmatch(r"@(\d+) (\d+) ?(.*)", line)
        if match:
            found[int(match[1])] = int(match[2]), match[3]
    return found


def find_successes(attempts: Sequence[Attempt], outcomes: dict[int, tuple[int, str]]) -> Iterator[str]:
    """Attempts that did what they wanted, or failed in another way than they must."""
    for number, attempt in enumerate(attempts):
        status, output = outcomes.get(number, (0, "it never came to it"))
        if status == 0 or not re.search(attempt.failure, output.strip(), re.IGNORECASE):
            yield f"{attempt.name}: exit {status}: {output[:200]}"


def try_all(
    work: Workload,
    ledger: Ledger,
    family: str,
    attempts: Sequence[Attempt],
    control: str = "true",
    *,
    at_once: bool = False,
) -> None:
    """
    All in one container; every one must fail as it says.

    control: a command that does the same where it is allowed, and must succeed. at_once: attempts wait for answers
    that don't come, and need not wait for one another.
    """
    script = f"( {control} ) >/dev/null 2>&1 || exit 1\n{script_of(attempts, at_once=at_once)}"
    container = {"image": "busybox", "command": ["sh", "-c", script], "logConfiguration": AWSLOGS}
    (task,) = work.run(work.register(container))
    work.wait_one(task, "STOPPED", seconds=120)
    lines = work.output(task)
    assert lines[-1:] == ["@end"], f"{lines[-5:]}"
    successes = list(find_successes(attempts, read_outcomes(lines)))
    for attempt in attempts:
        is_success = any(text.startswith(f"{attempt.name}: ") for text in successes)
        ledger.enter(family, attempt.name, is_success=is_success)
    assert not successes, "\n".join(successes)
