"""
Failpoints: places where a test lets a step fail, dawdle, or be the last thing that this process does.

    hit("runtime.create", error)            in the code, before the step; `await reach(...)` where it may take time
    TIDEGATE_FAILPOINTS=/path tidegate server    reads /path, and again whenever that has changed

The file has a line for each failpoint that is to do something, a chain of terms of which each lasts for its count:

    network.attach = 1*off->2*error(no room)->off
    image.mount = delay(200)
    journal.write = 1*crash

    off             the step is done
    error(TEXT)     it fails, with the error that it would raise, and TEXT
    delay(MS)       it is done so much later
    crash           SIGKILL to this process, right there

Each hit of a failpoint that has a line is written to `<file>.hits` before anything is done about it, so a chain goes on
where it was after a crash. Whoever may set a server's environment may do anything with it: nothing else switches this
on, and where it is off a failpoint is one look at a variable.
"""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import anyio
import structlog

VARIABLE = "TIDEGATE_FAILPOINTS"
MakeError = Callable[[str], Exception]

_LINE = re.compile(r"(?P<name>[a-z]+(\.[a-z]+)+)\s*=\s*(?P<terms>.+)")
_TERM = re.compile(r"(?:(?P<count>\d+)\*)?(?P<kind>off|crash|error|delay)(?:\((?P<value>[^()]*)\))?")
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Term:
    """What happens, for `count` hits; None: for ever."""

    kind: str
    value: str = ""
    count: int | None = None


class _Armed:
    """The file, what it says now, and what was hit since it says so."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._hits = Path(f"{file}.hits")
        self._lock = threading.Lock()
        self._version = ""
        self._plan: Mapping[str, tuple[Term, ...]] = {}
        self._counts: dict[str, int] = {}

    def take(self, name: str) -> Term | None:
        """What is to happen now; the hit is on record."""
        with self._lock:
            self._refresh()
            terms = self._plan.get(name)
            if terms is None:
                return None
            count = self._counts.get(name, 0)
            self._counts[name] = count + 1
            fd = os.open(self._hits, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.write(fd, f"{self._version} {name}\n".encode())
            finally:
                os.close(fd)
            return find_term(terms, count)

    def _refresh(self) -> None:
        try:
            found = os.stat(self._file)
            version = f"{found.st_ino}-{found.st_mtime_ns}"
            if version == self._version:
                return
            plan = parse(self._file.read_text())
        except (OSError, ValueError) as error:
            log.warning("cannot read the failpoints; they are off", why=str(error))
            version, plan = "", {}
        self._version, self._plan = version, plan
        self._counts = {}
        for line in self._hits.read_text().splitlines() if self._hits.exists() else ():
            hit_version, _, name = line.partition(" ")
            if hit_version == version:
                self._counts[name] = self._counts.get(name, 0) + 1


_armed: _Armed | None = None


def arm(file: Path | None) -> None:
    """Heed the file from now on; None: nothing any more."""
    global _armed
    _armed = None if file is None else _Armed(file)


def arm_by_environment() -> None:
    """As the process was told at its start."""
    if file := os.environ.get(VARIABLE):
        log.warning("failpoints are on: this server fails on purpose", file=file)
        arm(Path(file))


def hit(name: str, error: MakeError = OSError) -> None:
    """Before a step. Raises what `error` makes, if that is to happen."""
    if _armed is not None and (term := _armed.take(name)) is not None:
        if term.kind == "delay":
            time.sleep(_seconds(term))
        _act(term, error)


async def reach(name: str, error: MakeError = OSError) -> None:
    """The same where others may go on meanwhile."""
    if _armed is not None and (term := _armed.take(name)) is not None:
        if term.kind == "delay":
            await anyio.sleep(_seconds(term))
        _act(term, error)


def parse(text: str) -> dict[str, tuple[Term, ...]]:
    """The lines of a file. Raises ValueError."""
    plan = {}
    for line in filter(None, (each.strip() for each in text.splitlines())):
        found = _LINE.fullmatch(line)
        if found is None:
            raise ValueError(f"{line!r} is not NAME = TERM->TERM")
        plan[found["name"]] = tuple(_parse_term(term.strip()) for term in found["terms"].split("->"))
    return plan


def find_term(terms: tuple[Term, ...], count: int) -> Term:
    """Which of them is on after so many hits; `off` when all are used up."""
    for term in terms:
        if term.count is None or count < term.count:
            return term
        count -= term.count
    return Term("off")


def _parse_term(text: str) -> Term:
    found = _TERM.fullmatch(text)
    if found is None or (found["value"] is None) == (found["kind"] in ("error", "delay")):
        raise ValueError(f"{text!r} is not [COUNT*]off, error(TEXT), delay(MILLISECONDS) or crash")
    if found["kind"] == "delay" and not found["value"].isdigit():
        raise ValueError(f"{text!r} is no delay in milliseconds")
    return Term(found["kind"], found["value"] or "", int(found["count"]) if found["count"] else None)


def _seconds(term: Term) -> float:
    return int(term.value) / 1000


def _act(term: Term, error: MakeError) -> None:
    if term.kind == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    if term.kind == "error":
        raise error(term.value)
