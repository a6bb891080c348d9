"""Which Debian packages are needed for what, and how those that are missing get installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from devkit.steps import StepFailed, Terminal, run_step

Profile = Literal["setup", "demo", "test"]

_LOCK_WAIT_SECONDS = 600
_POLICY = Path("/usr/sbin/policy-rc.d")
_LISTS = Path("/var/lib/apt/lists")


@dataclass(frozen=True)
class Package:
    """A Debian package. without: what is lost where the distribution hasn't got it; empty: it is a must."""

    name: str
    without: str = ""


RUN_TIME = (
    Package("conmon"),
    Package("crun", without="containers start with runc, which takes about twice as long"),
    Package("runc", without="no second runtime where crun can't run"),
    Package("libnftables1"),
    Package("nftables"),
    Package("skopeo"),
    Package("busybox-static", without="tidegate exec gives no shell where the image has none"),
    Package("e2fsprogs", without="the disks of tasks are not limited, and ephemeralStorage is refused"),
    Package("catatonit", without="initProcessEnabled is refused"),
    Package("ca-certificates"),
)
IMAGE_BUILDING = (Package("mmdebstrap"),)
TESTING = (
    Package("docker-registry", without="tests that pull from a registry are skipped"),
    Package("erofs-utils", without="the check of our erofs files by fsck.erofs is skipped"),
    Package("iproute2"),
    Package("wrk", without="the benchmark of DescribeTasks is skipped"),
)

PACKAGES: dict[Profile, tuple[Package, ...]] = {
    "setup": RUN_TIME,
    "demo": RUN_TIME + IMAGE_BUILDING,
    "test": RUN_TIME + IMAGE_BUILDING + TESTING,
}


def find_missing(names: Iterable[str]) -> list[str]:
    """Those packages that dpkg does not have fully installed, in the order given."""
    wanted = list(names)
    found = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Package}\t${db:Status-Status}\n", *wanted],
        capture_output=True,
        text=True,
        check=False,
    )
    installed = {line.split("\t")[0] for line in found.stdout.splitlines() if line.endswith("\tinstalled")}
    return [name for name in wanted if name not in installed]


def find_available(names: Iterable[str]) -> set[str]:
    """Those packages that apt could install, going by its lists."""
    return {name for name in names if "Candidate: (none)" not in (policy := _policy(name)) and "Candidate:" in policy}


def _policy(name: str) -> str:
    return subprocess.run(
        ["apt-cache", "policy", name], capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"}
    ).stdout


def ensure_packages(packages: Iterable[Package], log: Path, terminal: Terminal) -> None:
    """Install what is missing. Raises StepFailed if a package that is a must can't be had."""
    by_name = {package.name: package for package in packages}
    absent = [tool for tool in ("dpkg-query", "apt-get", "apt-cache") if shutil.which(tool) is None]
    if absent:
        raise StepFailed(
            f"cannot look for packages: this is not a Debian or Ubuntu machine with apt (no {', '.join(absent)}).\n"
            f"  Install these by hand: {' '.join(by_name)}"
        )
    missing = find_missing(by_name)
    if not missing:
        return
    if os.geteuid() != 0:
        raise StepFailed(
            f"cannot install {', '.join(missing)}: only root may.\n  Run it as root, or first: "
            f"sudo apt-get install -y {' '.join(missing)}"
        )
    available = find_available(missing)
    if _is_stale() or available != set(missing):
        _update_lists(log, terminal)
        available = find_available(missing)
    _report_unavailable([by_name[name] for name in missing if name not in available], terminal)
    _install([name for name in missing if name in available], log, terminal)


def _report_unavailable(packages: list[Package], terminal: Terminal) -> None:
    musts = [package.name for package in packages if not package.without]
    if musts:
        raise StepFailed(
            f"cannot install {', '.join(musts)}: apt knows no such package.\n  On Ubuntu: add-apt-repository universe. "
            "On Debian: see that /etc/apt/sources.list* names `main` of your release."
        )
    for package in packages:
        terminal.say(f"warning: this distribution has no {package.name}: {package.without}")


def _is_stale() -> bool:
    """Are apt's lists absent or older than a day, so that they may name versions that are gone?"""
    dates = [path.stat().st_mtime for path in _LISTS.glob("*_Packages*")]
    return not dates or time.time() - max(dates) > 86_400


def _update_lists(log: Path, terminal: Terminal) -> None:
    """apt-get update, patient with another apt at work: it has no option to wait for the lock on the lists."""
    deadline = time.monotonic() + _LOCK_WAIT_SECONDS
    while True:
        try:
            return run_step(
                "package lists (apt-get update)", ["apt-get", "update", *_APT_OPTIONS], log, terminal=terminal
            )
        except StepFailed as error:
            if "Could not get lock" not in str(error):
                raise StepFailed(
                    f"{error}\n  Is the network up, and do /etc/apt/sources.list* fit this machine?"
                ) from error
            if time.monotonic() > deadline:
                raise
            terminal.say("another apt is running; trying again in 5 s")
            time.sleep(5)


_APT_OPTIONS = ("--quiet", "-o", f"DPkg::Lock::Timeout={_LOCK_WAIT_SECONDS}", "-o", "Acquire::Retries=3")


def _install(names: list[str], log: Path, terminal: Terminal) -> None:
    if not names:
        return
    terminal.say(f"packages that are missing: {' '.join(names)}")
    with _no_services_started():
        try:
            run_step(
                f"{len(names)} packages (apt-get install)",
                ["apt-get", "install", "--yes", "--no-install-recommends", *_APT_OPTIONS, *names],
                log,
                terminal=terminal,
                environment={"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_MODE": "l"},
            )
        except StepFailed as error:
            raise StepFailed(f"{error}\n  Is the network up? Does `apt-get --fix-broken install` help?") from error
    if "docker-registry" in names and Path("/run/systemd/system").is_dir():
        subprocess.run(["systemctl", "disable", "--quiet", "docker-registry"], check=False)


@contextmanager
def _no_services_started() -> Iterator[None]:
    """Keep packages from starting a service (docker-registry on port 5000): tests start their own on a free port."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink(missing_ok=True)
