"""What `tidegate doctor` says of the host as a place between tasks and everything else: pure, of what was read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tidegate.kernel.conntrack import Conntrack
from tidegate.node.network.names import BRIDGE_PREFIX

FEWEST_CONNECTIONS = 65_536
_SYS, _PROC = Path("/sys"), Path("/proc")


@dataclass(frozen=True, slots=True)
class Said:
    """is_well: nothing to do about it."""

    is_well: bool
    found: str
    remedy: str = ""


def describe_forwarding(is_on: bool, interfaces: Sequence[str]) -> Said:
    """
    Forwarding is one switch for all of the host's interfaces; tasks need it on.

    interfaces: those of the host that lead somewhere, without loopback and our bridges.
    """
    state = "on" if is_on else "off; the server switches it on"
    if len(interfaces) < 2:
        return Said(True, f"{state}: tasks need it")
    return Said(
        False,
        f"{state}: tasks need it, and the host forwards between {', '.join(interfaces)} as well then",
        "if it is no router, let its firewall drop what is forwarded between them",
    )


def describe_security_modules(names: Sequence[str]) -> Said:
    """names: the security modules that the kernel runs."""
    known = [name for name in names if name in ("apparmor", "selinux")]
    if known:
        return Said(
            True, f"{', '.join(known)}; containers are given no profile: seccomp, capabilities and namespaces hold them"
        )
    return Said(
        False,
        "no AppArmor or SELinux: seccomp, capabilities and namespaces hold containers",
        "boot a kernel with one of them for another line of defence",
    )


def describe_connections(most: int | None, failure: str) -> Said:
    """most: what the kernel's table of connections holds, None if it isn't loaded; failure: of its interface."""
    if failure:
        return Said(False, f"connections of ended tasks can't be forgotten: {failure}", "modprobe nf_conntrack_netlink")
    if most is not None and most < FEWEST_CONNECTIONS:
        remedy = f"sysctl -w net.netfilter.nf_conntrack_max={FEWEST_CONNECTIONS * 4}"
        return Said(False, f"the kernel's table holds {most} connections, of all tasks and the host together", remedy)
    return Said(True, "not loaded yet" if most is None else f"the kernel's table holds {most} connections")


def read_forwarding() -> Said:
    """Of this host."""
    is_on = (_PROC / "sys/net/ipv4/ip_forward").read_text().strip() == "1"
    names = (path.name for path in (_SYS / "class/net").iterdir() if path.is_dir())
    return describe_forwarding(is_on, sorted(name for name in names if _leads_somewhere(name)))


def read_security_modules() -> Said:
    """Of this host."""
    listed = _read(_SYS / "kernel/security/lsm").strip().split(",")
    switched = {"apparmor": _SYS / "module/apparmor/parameters/enabled", "selinux": _SYS / "fs/selinux/enforce"}
    return describe_security_modules([*listed, *_switched_on(switched)])


def read_connections() -> Said:
    """Of this host."""
    text = _read(_PROC / "sys/net/netfilter/nf_conntrack_max").strip()
    failure = ""
    try:
        Conntrack().close()
    except OSError as error:
        failure = str(error)
    return describe_connections(int(text) if text else None, failure)


def _switched_on(files: Mapping[str, Path]) -> list[str]:
    return [name for name, path in files.items() if _read(path).strip() in ("Y", "0", "1")]


def _leads_somewhere(name: str) -> bool:
    """A link of the host's own: not the loopback, a bridge of ours, or the other end of somebody's namespace."""
    if name == "lo" or name.startswith(BRIDGE_PREFIX):
        return False
    device = _SYS / "class/net" / name
    return (device / "device").exists() or (device / "bridge").exists()


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
