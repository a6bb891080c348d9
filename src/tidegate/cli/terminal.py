"""The user's own terminal: raw while a remote one is shown in it, and as it was before, whatever happens."""

from __future__ import annotations

import os
import signal
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

from tidegate.model.session import TerminalSize


def is_terminal() -> bool:
    """Somebody types, and somebody looks."""
    return os.isatty(sys.stdin.fileno()) and os.isatty(sys.stdout.fileno())


def read_size() -> TerminalSize:
    """Of the terminal on standard output; the usual one where it doesn't know its own."""
    try:
        size = os.get_terminal_size(sys.stdout.fileno())
    except OSError:
        return TerminalSize()
    return TerminalSize(size.lines or 24, size.columns or 80)


@contextmanager
def raw_terminal() -> Iterator[None]:
    """Every key goes through as it is, Ctrl-C as well; restored when left, and when we are told to end."""
    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)

    def give_back(number: int, _: object) -> None:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    kept = {number: signal.signal(number, give_back) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        tty.setraw(fd)
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
        for number, handler in kept.items():
            signal.signal(number, handler)
