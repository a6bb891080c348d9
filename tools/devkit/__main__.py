"""The subcommands of `./dev`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from devkit.environment import ensure_environment, python_in
from devkit.lock import write_locks
from devkit.packages import PACKAGES, Profile, ensure_packages
from devkit.steps import StepFailed, Terminal

CHECKOUT = Path(__file__).resolve().parents[2]
LOGS = CHECKOUT / ".cache" / "dev"

HELP = """\
usage: ./dev COMMAND

  setup          install what Tidegate needs: Debian packages, .venv; then use .venv/bin/tidegate
  demo           set up, start a server, run nginx -> web app -> PostgreSQL as one task, send it a request
  demo --down    stop all of that and remove it
  test [ARGS]    lint, types, import contracts, generated code, then the whole test suite (ARGS go to pytest)
  lint           the checks of `test` without the test suite
  bench [ARGS]   measure, print a table and JSON
  lock           write requirements*.lock anew from pyproject.toml
  help           this

Logs of the steps are in .cache/dev. TIDEGATE_PYTHON names the interpreter for a new .venv."""

CHECKS: tuple[tuple[str, ...], ...] = (
    ("ruff", "check"),
    ("ruff", "format", "--check"),
    ("mypy",),
    ("lint-imports",),
    ("python", "tools/generate_api.py", "--check"),
)


def install(profile: Profile) -> None:
    """Debian packages and the virtual environment for `profile`."""
    terminal = Terminal.detect()
    ensure_packages(PACKAGES[profile], LOGS / "apt.log", terminal)
    ensure_environment(CHECKOUT, profile, LOGS, terminal)


def run(program: str, *arguments: str, tools: bool = False) -> int:
    """
    Run a program of the virtual environment, its output straight to ours.

    tools: it imports what is in tools/.
    """
    environment = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
    }
    if tools:
        environment["PYTHONPATH"] = str(CHECKOUT / "tools")
    path = python_in(CHECKOUT).with_name(program)
    return subprocess.run([str(path), *arguments], cwd=CHECKOUT, env=environment, check=False).returncode


def setup(arguments: Sequence[str]) -> int:
    """Install, and say how to go on."""
    install("setup")
    print("ready: .venv/bin/tidegate --help")
    return 0


def demo(arguments: Sequence[str]) -> int:
    """The classic trio as one task."""
    if os.geteuid() != 0:
        raise StepFailed("cannot run the demo: real containers need root.\n  Run it as root: sudo ./dev demo")
    install("demo")
    return run("python", "demo/run.py", *arguments, tools=True)


def lint(arguments: Sequence[str]) -> int:
    """Each check, stopping at none, so that one run tells all."""
    install("test")
    failed = []
    for command in CHECKS:
        print(f"--- {' '.join(command)}", flush=True)
        if run(*command) != 0:
            failed.append(" ".join(command))
    if failed:
        print(f"dev: these checks failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def test(arguments: Sequence[str]) -> int:
    """Checks, then tests; tests run even if a check failed, and either failing fails the whole."""
    if os.geteuid() != 0:
        print("warning: not root: tests that start real containers will fail or be skipped", file=sys.stderr)
    status = lint(())
    print("--- pytest", flush=True)
    return run("python", "-m", "pytest", *arguments) or status


def bench(arguments: Sequence[str]) -> int:
    """The measurements in bench/."""
    install("test")
    return run("python", "-m", "bench", *arguments)


def lock(arguments: Sequence[str]) -> int:
    """New lock files."""
    write_locks(CHECKOUT, LOGS, Terminal.detect())
    return 0


def show_help(arguments: Sequence[str]) -> int:
    """What there is."""
    print(HELP)
    return 0


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "setup": setup,
    "demo": demo,
    "test": test,
    "lint": lint,
    "bench": bench,
    "lock": lock,
    "help": show_help,
    "--help": show_help,
    "-h": show_help,
}


def main(arguments: Sequence[str]) -> int:
    """The exit status of the command in `arguments`."""
    name, *rest = arguments or ["help"]
    if name not in COMMANDS:
        print(f"dev: there is no command `{name}`\n\n{HELP}", file=sys.stderr)
        return 2
    try:
        return COMMANDS[name](rest)
    except StepFailed as error:
        print(f"dev: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\ndev: interrupted; what is done is kept, and the same command goes on from there", file=sys.stderr)
        return 130
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
