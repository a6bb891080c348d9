"""Writes the lock files: exact versions with hashes, one resolution that holds for every Python from 3.11 on."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from devkit.steps import Terminal, run_step

_INDEX = "https://pypi.org/simple"

_LOCKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("requirements-test.lock", ("--extra", "test", "--group", "build", "--group", "demo")),
    ("requirements-demo.lock", ("--constraints", "requirements-test.lock", "--group", "build", "--group", "demo")),
    ("requirements.lock", ("--constraints", "requirements-test.lock", "--group", "build")),
)
"""The largest first: the others take its versions."""


def write_locks(checkout: Path, logs: Path, terminal: Terminal) -> None:
    """
    Resolve pyproject.toml anew. The resolver (uv) lives in an environment that is thrown away.

    Hashes and versions are PyPI's, whatever index this machine is set up to install from. Raises StepFailed.
    """
    with tempfile.TemporaryDirectory(prefix="tidegate-lock-") as directory:
        subprocess.run([sys.executable, "-m", "venv", directory], check=True)
        python = f"{directory}/bin/python"
        run_step("resolver (uv)", [python, "-m", "pip", "install", "uv"], logs / "lock.log", terminal=terminal)
        for name, arguments in _LOCKS:  # each is plain before the next one takes its versions
            run_step(
                name,
                [f"{directory}/bin/uv", "--no-config", "pip", "compile", "--universal", "--python-version", "3.11",
                 "--generate-hashes", "--no-header", "--no-annotate", "--upgrade", "--default-index", _INDEX,
                 *arguments, "--output-file", name, "pyproject.toml"],
                logs / "lock.log",
                terminal=terminal,
                environment=_SILENCED,
            )  # fmt: skip
            (checkout / name).write_text(plan_markers((checkout / name).read_text()))


def plan_markers(lock: str) -> str:
    """
    A lock that a release candidate of Python reads as well: Ubuntu 22.04's python3.11 is 3.11.0rc1.

    pip has `3.11.0rc1 < 3.13` false, because nobody asked for pre-releases, so a marker on `python_full_version` leaves
    the package out; `python_version` is 3.11 there, and means the same at the boundary of a minor release.
    """
    return re.sub(r"python_full_version (<|>=) '(3\.\d+)'", r"python_version \1 '\2'", lock)


_SILENCED = {name: "" for name in os.environ if name.startswith(("UV_", "PIP_")) and "CERT" not in name}
"""Settings of this machine that would leave their mark on the lock files."""
