"""What stands for EFS is what the options say, and nothing that they might mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.node.volume.efsmap import AccessPoint, BadEfsOption, EfsMap, LocalRoot, NfsRoot, parse_efs_map


def test_roots():
    """One for all file systems, others for single ones; directories and exports."""
    found = parse_efs_map(["/srv/efs", "fs-1=/srv/data", "fs-2=nfs://nas.example/export/two", "fs-3=nfs://[fd00::1]"])
    assert found == EfsMap(
        default=LocalRoot(Path("/srv/efs")),
        systems={
            "fs-1": LocalRoot(Path("/srv/data")),
            "fs-2": NfsRoot("nas.example", "/export/two"),
            "fs-3": NfsRoot("fd00::1", "/"),
        },
    )
    assert parse_efs_map(["nfs://10.0.0.1/all"]).default == NfsRoot("10.0.0.1", "/all")
    assert parse_efs_map([]) == EfsMap()


def test_access_points():
    """With and without an owner."""
    found = parse_efs_map([], ["fsap-1=fs-1:/app", "fsap-2=fs-1:/a/b:1000:1001"])
    assert found.access_points == {
        "fsap-1": AccessPoint("fs-1", "/app"),
        "fsap-2": AccessPoint("fs-1", "/a/b", (1000, 1001)),
    }


@pytest.mark.parametrize(
    "roots",
    [
        ["srv/efs"],
        ["fs-1=srv"],
        ["fs-1="],
        ["data=/srv"],
        ["fs-../x=/srv"],
        ["/a", "/b"],
        ["fs-1=/a", "fs-1=/b"],
        ["nfs://"],
        ["nfs://a b/c"],
        ["nfs://host,sec=none/c"],
        [""],
    ],
)
def test_roots_that_mean_nothing(roots: list[str]):
    """Are named in the error."""
    with pytest.raises(BadEfsOption, match="cannot use"):
        parse_efs_map(roots)


@pytest.mark.parametrize("text", ["fsap-1", "fsap-1=/app", "fsap-1=fs-1", "fsap-1=fs-1:app", "x=fs-1:/app", ""])
def test_access_points_that_mean_nothing(text: str):
    """Likewise."""
    with pytest.raises(BadEfsOption, match="has to look like"):
        parse_efs_map([], [text])
