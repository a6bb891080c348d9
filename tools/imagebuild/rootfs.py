"""Makes a root file system out of Debian packages: mmdebstrap installs, then files are copied in and commands run."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from devkit.steps import StepFailed, Terminal, run_step
from imagebuild.recipe import CopiedFile, Recipe

_ALWAYS_EXCLUDED = (
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
)
_LEFTOVERS = (
    "var/cache/*",
    "var/lib/apt/lists/*",
    "var/lib/dpkg/*-old",
    "var/log/*.log",
    "var/log/apt/*",
    "etc/ssl/private/*.key",
    "etc/resolv.conf",
    "etc/hostname",
)
"""What installing leaves behind that differs from run to run, from machine to machine, or should be nobody's."""

_COMPONENTS = ("main", "universe", "restricted")
_TRANSPORT = re.compile(r'Acquire::(http|https|ftp|Check-Valid-Until|Check-Date|Retries|ForceIPv4)\b[^"\s]* ".+";')
_SETUP_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/root"}


@dataclass(frozen=True)
class Host:
    """The distribution that images are taken from."""

    suite: str
    """Its code name, e.g. bookworm."""
    sources: tuple[str, ...]
    """apt sources in one-line form: the host's own, so that mirrors stay in use."""
    transport: str
    """apt configuration: proxies, certificates, date checks."""

    @classmethod
    def detect(cls, suite: str = "") -> Host:
        """
        This machine. Raises StepFailed if it isn't Debian or Ubuntu.

        suite: another release of the same distribution, taken from the same mirrors.
        """
        release = platform.freedesktop_os_release()
        own = release.get("VERSION_CODENAME", "")
        sources = plan_sources(_output("apt-get", "indextargets", "Created-By: Packages"), own, suite or own)
        if not own or not sources:
            raise StepFailed(
                f"cannot find the package sources of this distribution ({release.get('PRETTY_NAME', 'unknown')}).\n"
                "  Images are built from the host's own apt sources: see that /etc/apt/sources.list* names `main`."
            )
        return cls(suite or own, sources, plan_transport(_output("apt-config", "dump")))


def plan_sources(index_targets: str, own: str, suite: str) -> tuple[str, ...]:
    """
    The distribution's own sources among apt's index targets (deb822 stanzas); other vendors' are left out.

    own, suite: code names, of the host's release and of the wanted one; updates and security count as well.
    """
    releases = {f"{own}{part}": f"{suite}{part}" for part in ("", "-updates", "-security")}
    lines: dict[str, None] = {}
    for stanza in index_targets.split("\n\n"):
        entry = dict(line.split(": ", 1) for line in stanza.splitlines() if ": " in line)
        if entry.get("Release") not in releases or entry.get("Component") not in _COMPONENTS:
            continue
        if entry.get("Origin", "Debian") not in ("Debian", "Ubuntu"):
            continue
        signed_by = entry.get("Signed-By", "")
        option = f"[signed-by={signed_by}] " if signed_by.startswith("/") else ""
        lines[f"deb {option}{entry['Repo-URI']} {releases[entry['Release']]} {entry['Component']}"] = None
    return tuple(lines)


def plan_transport(apt_configuration: str) -> str:
    """What of `apt-config dump` says how archives are reached."""
    return "".join(f"{line}\n" for line in apt_configuration.splitlines() if _TRANSPORT.fullmatch(line))


def _output(*arguments: str) -> str:
    try:
        return subprocess.run(
            arguments, capture_output=True, text=True, check=True, env={**os.environ, "LC_ALL": "C"}
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise StepFailed(f"cannot ask apt for its configuration: {error}") from error


def plan_mmdebstrap(recipe: Recipe, host: Host, root: Path, transport: Path) -> list[str]:
    """
    The argument list. unshare gives it mounts of its own, so that none is left over however it ends.

    transport: a file with `host.transport`.
    """
    excluded = [*_ALWAYS_EXCLUDED, *(f"path-exclude={pattern}" for pattern in recipe.exclude)]
    return [
        *("unshare", "--mount", "--propagation", "private"),
        *("mmdebstrap", "--mode=root", "--format=directory", f"--variant={recipe.variant}"),
        f"--include={','.join(recipe.packages)}",
        *(f"--dpkgopt={option}" for option in excluded),
        '--aptopt=Acquire::Languages "none"',
        '--aptopt=APT::Install-Recommends "false"',
        f"--aptopt={transport}",
        host.suite,
        str(root),
        *host.sources,
    ]


def make_rootfs(recipe: Recipe, host: Host, root: Path, logs: Path, epoch: int, terminal: Terminal) -> None:
    """Fill `root`, which must not exist, as the recipe says. Raises StepFailed."""
    if os.geteuid() != 0:
        raise StepFailed("cannot install packages into an image: only root may")
    if shutil.which("mmdebstrap") is None:
        raise StepFailed("cannot build images: mmdebstrap is missing.\n  Install it: apt-get install mmdebstrap")
    transport = root.with_name(f"{root.name}.apt.conf")
    transport.write_text(host.transport)
    run_step(
        f"image {recipe.name}: {' '.join(recipe.packages)}",
        plan_mmdebstrap(recipe, host, root, transport),
        logs / f"image-{recipe.name}.log",
        terminal=terminal,
        environment={"SOURCE_DATE_EPOCH": str(epoch), "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"},
    )
    for file in recipe.files:
        copy_into(root, file)
    for command in recipe.setup:
        _run_inside(root, command)
    _remove_leftovers(root, _LEFTOVERS)


def copy_into(root: Path, file: CopiedFile) -> None:
    """Copy one file in. Raises StepFailed if a symbolic link in the image leads out of it."""
    target = root / file.target.lstrip("/")
    inside = Path(os.path.realpath(target.parent))
    if not inside.is_relative_to(root.resolve()) or target.is_symlink():
        raise StepFailed(f"cannot copy to {file.target}: a symbolic link in the image leads elsewhere")
    inside.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file.source, target)
    target.chmod(file.mode)


def _run_inside(root: Path, command: Sequence[str]) -> None:
    done = subprocess.run(
        ["chroot", str(root), *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=_SETUP_ENVIRONMENT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise StepFailed(f"cannot run {' '.join(command)} in the image: it ended with {done.returncode}\n{done.stdout}")


def _remove_leftovers(root: Path, patterns: Iterable[str]) -> None:
    for pattern in patterns:
        for path in root.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
