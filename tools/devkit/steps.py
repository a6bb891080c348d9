"""Runs the long steps of `./dev`: output to a log file, a sign of life on the terminal, the log's tail on failure."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TAIL_LINES = 25
_HEARTBEAT_SECONDS = 10.0
_POLL_SECONDS = 0.2


class StepFailed(Exception):
    """A step could not be done; the message says why and what to do about it."""


@dataclass(frozen=True)
class Terminal:
    """Where progress goes: rewritten in place on a terminal, a line now and then elsewhere (CI logs)."""

    is_live: bool

    @classmethod
    def detect(cls) -> Terminal:
        """A live terminal only if somebody looks at it."""
        return cls(is_live=sys.stderr.isatty() and os.environ.get("CI", "") in ("", "false", "0"))

    def say(self, text: str) -> None:
        """A line that stays."""
        print(("\r\033[K" if self.is_live else "") + text, file=sys.stderr, flush=True)

    def tick(self, text: str) -> None:
        """A line that the next one replaces, cut to the terminal's width."""
        width = os.get_terminal_size(sys.stderr.fileno()).columns if self.is_live else 100
        print(f"\r\033[K{text[: max(20, width - 1)]}", end="", file=sys.stderr, flush=True)


def run_step(
    label: str, arguments: Sequence[str], log: Path, *, terminal: Terminal, environment: Mapping[str, str] | None = None
) -> None:
    """
    Run a program and show that it lives. Raises StepFailed with the tail of its output.

    environment: added to ours. The program has no standard input, so it can't wait for an answer.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    if not terminal.is_live:
        terminal.say(f"{label} ...")
    with log.open("wb") as output:
        try:
            child = subprocess.Popen(
                list(arguments),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
            )
        except OSError as error:
            raise StepFailed(f"cannot run {arguments[0]}: {error.strerror}") from error
    try:
        status = _watch(child, label, log, terminal, started)
    except BaseException:
        child.terminate()
        child.wait()
        raise
    if status != 0:
        raise StepFailed(f"cannot finish `{label}`: {arguments[0]} ended with {status}\n{tail(log)}")
    terminal.say(f"{label}: done in {time.monotonic() - started:.1f} s")


def _watch(child: subprocess.Popen[bytes], label: str, log: Path, terminal: Terminal, started: float) -> int:
    """Wait for the child; every so often show how long it has taken and what it said last."""
    next_beat = started + _HEARTBEAT_SECONDS
    while True:
        try:
            return child.wait(timeout=_POLL_SECONDS)
        except subprocess.TimeoutExpired:
            now = time.monotonic()
        if terminal.is_live:
            terminal.tick(f"{label}: {now - started:.0f} s  {last_line(log)}")
        elif now >= next_beat:
            terminal.say(f"  {now - started:.0f} s: {last_line(log)[:110]}")
            next_beat = now + _HEARTBEAT_SECONDS


def last_line(log: Path) -> str:
    """The last complete-looking line of a growing file, without control characters."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 2000))
        lines = file.read().decode(errors="replace").replace("\r", "\n").split("\n")
    text = next((line for line in reversed(lines) if line.strip()), "")
    return "".join(char for char in text if char.isprintable()).strip()


def tail(log: Path, count: int = TAIL_LINES) -> str:
    """The last lines of a log, indented, with its name for the rest."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 20_000))
        lines = file.read().decode(errors="replace").splitlines()[-count:]
    return "\n".join([f"  | {line}" for line in lines] + [f"  (all of it: {log})"])
