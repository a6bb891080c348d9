"""Configurations are read whatever they leave out, and refused where they are wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fixtures.images import files_tar
from tidegate.model.image import ImageConfig
from tidegate.node.image.document import digest_of
from tidegate.node.image.imageconfig import parse_config, render_config
from tidegate.node.image.images import ImageCorrupt

DIFF_ID = digest_of(files_tar({"a": "b"}))


def test_a_configuration_says_what_a_container_starts_from() -> None:
    """Field by field."""
    raw = config_of(
        {
            "User": "web",
            "Env": ["A=b"],
            "Entrypoint": ["/e"],
            "Cmd": ["c"],
            "WorkingDir": "/w",
            "StopSignal": "SIGQUIT",
            "Volumes": {"/data": {}},
            "Labels": {"l": "1"},
            "ExposedPorts": {"80/tcp": {}},
        }
    )
    assert parse_config(raw) == (
        ImageConfig(
            user="web",
            environment=("A=b",),
            entry_point=("/e",),
            command=("c",),
            working_directory="/w",
            stop_signal="SIGQUIT",
            volumes=("/data",),
            labels={"l": "1"},
        ),
        (DIFF_ID,),
    )


@pytest.mark.parametrize("inner", [None, {}, {"Env": None, "Cmd": None, "Volumes": None, "Labels": None, "User": None}])
def test_what_a_configuration_leaves_out_is_empty(inner: dict[str, Any] | None) -> None:
    """Builders write null as readily as nothing."""
    assert parse_config(config_of(inner))[0] == ImageConfig()


@pytest.mark.parametrize("raw", [b"{", b'{"rootfs": {"diff_ids": ["nonsense"]}}', b'{"config": {"Env": "A=b"}}'])
def test_what_is_no_configuration_is_corrupt(raw: bytes) -> None:
    """Its DiffIDs become file names."""
    with pytest.raises(ImageCorrupt):
        parse_config(raw)


def test_a_configuration_that_is_written_is_read_back() -> None:
    """Nothing is lost on the way."""
    config = ImageConfig(
        architecture="arm64",
        user="1:2",
        environment=("A=b",),
        entry_point=("e",),
        command=("c",),
        working_directory="/w",
        stop_signal="9",
        volumes=("/v",),
        labels={"l": "m"},
    )
    assert parse_config(render_config(config, [DIFF_ID])) == (config, (DIFF_ID,))


def config_of(inner: dict[str, Any] | None) -> bytes:
    root = {"type": "layers", "diff_ids": [DIFF_ID]}
    return json.dumps({"architecture": "amd64", "os": "linux", "config": inner, "rootfs": root}).encode()
