"""
Which directory stands for which EFS file system: what `--efs-root` and `--efs-access-point` say, parsed.

    --efs-root /srv/efs                       the file system fs-1 is /srv/efs/fs-1, made at its first use
    --efs-root fs-1=/srv/data                 fs-1 is /srv/data
    --efs-root fs-1=nfs://nas.example/export  fs-1 is an export of an NFS 4.1 server
    --efs-root nfs://nas.example/export       fs-1 is the directory fs-1 of the export, made at its first use
    --efs-access-point fsap-1=fs-1:/app       the access point leads to the directory /app of fs-1
    --efs-access-point fsap-1=fs-1:/app:1000:1000   ... which is made, and that user's, if it is not there
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_FILE_SYSTEM = re.compile(r"fs-[A-Za-z0-9-]{1,64}")
_ACCESS_POINT = re.compile(r"fsap-[A-Za-z0-9-]{1,64}")
_NFS = re.compile(r"nfs://(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?P<export>/[^\0]*)?")
_OWNER = re.compile(r"(?P<directory>/[^\0:]*):(?P<uid>\d{1,10}):(?P<gid>\d{1,10})")


class BadEfsOption(Exception):
    """An option that can't be understood; the message says how it is written."""


@dataclass(frozen=True, slots=True)
class LocalRoot:
    """A directory of this host."""

    path: Path


@dataclass(frozen=True, slots=True)
class NfsRoot:
    """An export of another host."""

    host: str
    export: str


Root = LocalRoot | NfsRoot


@dataclass(frozen=True, slots=True)
class AccessPoint:
    """A directory of a file system. owner: of the directory, if it has to be made; None: it has to be there."""

    file_system: str
    directory: str
    owner: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class EfsMap:
    """default: holds a directory for each file system that has no root of its own."""

    default: Root | None = None
    systems: Mapping[str, Root] = field(default_factory=dict)
    access_points: Mapping[str, AccessPoint] = field(default_factory=dict)


def parse_efs_map(roots: Iterable[str], access_points: Iterable[str] = ()) -> EfsMap:
    """All options of one server. Raises BadEfsOption."""
    default: Root | None = None
    systems: dict[str, Root] = {}
    for text in roots:
        name, separator, place = text.partition("=")
        if not separator:
            if default is not None:
                raise BadEfsOption(f"cannot use `{text}`: there is another EFS root for all file systems already")
            default = _parse_root(text, text)
        elif not _FILE_SYSTEM.fullmatch(name) or name in systems:
            raise BadEfsOption(f"cannot use `{text}`: it has to look like fs-0123=/srv/data, once for a file system")
        else:
            systems[name] = _parse_root(place, text)
    return EfsMap(default, systems, dict(_parse_access_point(text) for text in access_points))


def _parse_root(place: str, text: str) -> Root:
    match = _NFS.fullmatch(place)
    if match is not None:
        return NfsRoot(match["host"].strip("[]"), match["export"] or "/")
    if not place.startswith("/"):
        raise BadEfsOption(f"cannot use `{text}`: an EFS root is an absolute path or nfs://HOST/EXPORT")
    return LocalRoot(Path(place))


def _parse_access_point(text: str) -> tuple[str, AccessPoint]:
    name, _, place = text.partition("=")
    system, _, directory = place.partition(":")
    if not (_ACCESS_POINT.fullmatch(name) and _FILE_SYSTEM.fullmatch(system) and directory.startswith("/")):
        raise BadEfsOption(f"cannot use `{text}`: it has to look like fsap-0123=fs-0123:/directory[:UID:GID]")
    match = _OWNER.fullmatch(directory)
    if match is None:
        return name, AccessPoint(system, directory)
    return name, AccessPoint(system, match["directory"], (int(match["uid"]), int(match["gid"])))
