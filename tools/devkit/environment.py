"""The virtual environment in `.venv`: made from the lock files, every package checked against its hash."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from devkit.packages import Package, Profile, ensure_packages
from devkit.steps import StepFailed, Terminal, run_step

LOCKS: dict[Profile, str] = {
    "setup": "requirements.lock",
    "demo": "requirements-demo.lock",
    "test": "requirements-test.lock",
}
"""The test lock holds all that the demo lock holds, and that one all of the first, in the same versions."""

_COVERS: dict[Profile, tuple[Profile, ...]] = {
    "setup": ("setup", "demo", "test"),
    "demo": ("demo", "test"),
    "test": ("test",),
}


def python_in(checkout: Path) -> Path:
    """The interpreter of the virtual environment."""
    return checkout / ".venv" / "bin" / "python"


def ensure_environment(checkout: Path, profile: Profile, logs: Path, terminal: Terminal) -> None:
    """Make `.venv` hold what `profile` needs. Quick when it does already. Raises StepFailed."""
    if not _works(python_in(checkout)):
        _create(checkout, logs, terminal)
    if any(_stamp(checkout, other).exists() for other in _COVERS[profile]):
        return
    pip = [str(python_in(checkout)), "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
    try:
        run_step(
            f"Python packages ({LOCKS[profile]})",
            [*pip, "--require-hashes", "--requirement", str(checkout / LOCKS[profile])],
            logs / "pip.log",
            terminal=terminal,
        )
    except StepFailed as error:
        raise StepFailed(f"{error}\n  Is the Python package index in reach (network, proxy, PIP_INDEX_URL)?") from error
    run_step(
        "tidegate itself (editable)",
        [*pip, "--no-deps", "--no-build-isolation", "--no-index", "--editable", str(checkout)],
        logs / "pip-editable.log",
        terminal=terminal,
    )
    stamp = _stamp(checkout, profile)
    for old in stamp.parent.glob(f".installed-{profile}-*"):
        old.unlink()
    stamp.touch()


def _stamp(checkout: Path, profile: Profile) -> Path:
    """Its name holds all that an installation depends on; if it is there, the installation is as it should be."""
    digest = hashlib.sha256()
    for name in (LOCKS[profile], "pyproject.toml"):
        digest.update((checkout / name).read_bytes())
    digest.update(os.fsencode(checkout))
    return checkout / ".venv" / f".installed-{profile}-{digest.hexdigest()[:16]}"


def _works(python: Path) -> bool:
    """Is there an interpreter of at least 3.11 that has pip? (An environment that was moved or half made hasn't.)"""
    check = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    try:
        return subprocess.run([str(python), "-c", check], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _create(checkout: Path, logs: Path, terminal: Terminal) -> None:
    """A new environment, on the interpreter that runs this; Debian keeps the module for it in a package of its own."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if (
        subprocess.run([sys.executable, "-c", "import venv, ensurepip"], capture_output=True, check=False).returncode
        != 0
    ):
        ensure_packages([Package(f"python{version}-venv")], logs / "apt.log", terminal)
    run_step(
        f"virtual environment (.venv, Python {version})",
        [sys.executable, "-m", "venv", "--clear", str(checkout / ".venv")],
        logs / "venv.log",
        terminal=terminal,
    )
