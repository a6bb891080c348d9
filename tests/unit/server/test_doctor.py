"""What the doctor says of a host."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.kernel.shared_mount import list_mounts_below
from tidegate.server.doctor import examine
from tidegate.server.doctor_host import describe_connections, describe_forwarding, describe_security_modules
from tidegate.server.doctor_trial import try_a_container


@pytest.mark.parametrize("is_on", [True, False])
def test_forwarding_is_everybodys(is_on: bool) -> None:
    """Between two interfaces of the host it is worth a word, whoever switches it on; one has nowhere to forward to."""
    said = describe_forwarding(is_on, ["eth0", "eth1"])
    assert not said.is_well
    assert "forwards between eth0, eth1 as well" in said.found
    assert "firewall" in said.remedy
    assert describe_forwarding(is_on, ["eth0"]).is_well


def test_security_modules() -> None:
    """None is said, and so is that one that is there does nothing for containers."""
    assert "no AppArmor or SELinux" in describe_security_modules(["capability", "landlock"]).found
    assert describe_security_modules(["capability", "apparmor"]).is_well
    assert "no profile" in describe_security_modules(["selinux"]).found


@pytest.mark.parametrize(
    "most, failure, is_well",
    [(262_144, "", True), (None, "", True), (16_384, "", False), (262_144, "Protocol not supported", False)],
)
def test_connections(most: int | None, failure: str, is_well: bool) -> None:
    """A small table is the host's and all tasks'; without its interface, connections outlive their task."""
    said = describe_connections(most, failure)
    assert said.is_well is is_well
    assert bool(said.remedy) is not is_well


@pytest.mark.host
def test_a_container_is_tried() -> None:
    """And nothing of it is left."""
    works, refused = try_a_container()
    assert works in ("crun", "runc"), refused
    assert not any("tidegate-doctor" in point for point in list_mounts_below(Path("/tmp")))
    assert not list(Path("/tmp").glob("tidegate-doctor-*"))


@pytest.mark.host
def test_every_finding_has_its_line(tmp_path: Path) -> None:
    """What is not well has a remedy."""
    found = {finding.subject: finding for finding in examine(tmp_path)}
    assert {"trial", "busybox", "forwarding", "connections", "LSM"} <= found.keys()
    assert all(finding.remedy for finding in found.values() if finding.state != "ok")
