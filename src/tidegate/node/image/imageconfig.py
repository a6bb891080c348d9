"""An image's configuration (OCI image specification, config.md): what containers start from, and from which layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from tidegate.model.image import ImageConfig
from tidegate.node.image.document import ARCHITECTURES, decode, is_digest
from tidegate.node.image.images import ImageCorrupt

OCI_CONFIG = "application/vnd.oci.image.config.v1+json"


class _Inner(msgspec.Struct, frozen=True):
    user: str | None = msgspec.field(default=None, name="User")
    env: tuple[str, ...] | None = msgspec.field(default=None, name="Env")
    entry_point: tuple[str, ...] | None = msgspec.field(default=None, name="Entrypoint")
    command: tuple[str, ...] | None = msgspec.field(default=None, name="Cmd")
    working_directory: str | None = msgspec.field(default=None, name="WorkingDir")
    stop_signal: str | None = msgspec.field(default=None, name="StopSignal")
    volumes: dict[str, Any] | None = msgspec.field(default=None, name="Volumes")
    labels: dict[str, str] | None = msgspec.field(default=None, name="Labels")


class _RootFs(msgspec.Struct, frozen=True):
    diff_ids: tuple[str, ...] = ()


class _Config(msgspec.Struct, frozen=True):
    architecture: str = ""
    os: str = "linux"
    config: _Inner | None = None
    rootfs: _RootFs = _RootFs()


def parse_config(raw: bytes) -> tuple[ImageConfig, tuple[str, ...]]:
    """What containers start from, and the layers' DiffIDs. Raises ImageCorrupt."""
    outer = decode(raw, _Config, "configuration")
    inner = outer.config or _Inner()
    if not all(is_digest(diff_id) for diff_id in outer.rootfs.diff_ids):
        raise ImageCorrupt("cannot read the image's configuration: a layer has no valid DiffID")
    names = {theirs: ours for ours, theirs in ARCHITECTURES.items()}
    config = ImageConfig(
        architecture=names.get(outer.architecture, outer.architecture),
        user=inner.user or "",
        environment=inner.env or (),
        entry_point=inner.entry_point or (),
        command=inner.command or (),
        working_directory=inner.working_directory or "",
        stop_signal=inner.stop_signal or "",
        volumes=tuple(inner.volumes or ()),
        labels=inner.labels or {},
    )
    return config, outer.rootfs.diff_ids


def render_config(config: ImageConfig, diff_ids: Sequence[str]) -> bytes:
    """The OCI configuration of an image made here: the same for the same input."""
    inner = _Inner(
        user=config.user or None,
        env=config.environment or None,
        entry_point=config.entry_point or None,
        command=config.command or None,
        working_directory=config.working_directory or None,
        stop_signal=config.stop_signal or None,
        volumes={path: {} for path in config.volumes} or None,
        labels=config.labels or None,
    )
    known = {key: value for key, value in msgspec.to_builtins(inner).items() if value is not None}
    return msgspec.json.encode(
        {
            "architecture": ARCHITECTURES.get(config.architecture, config.architecture),
            "os": "linux",
            "config": known,
            "rootfs": {"type": "layers", "diff_ids": list(diff_ids)},
        }
    )
