"""
Which volumes a container mounts where: a pure function of what it asks, its image, and what others have bound.

The rules are docker's, which ECS keeps (Developer Guide, "Bind mounts"): the container's own mount points come before
those taken over from other containers, of which a later one comes before an earlier one; each path that the image
declares a VOLUME and that nothing is mounted on gets an anonymous volume. A volume that is mounted on such a path
begins with what the image has there; all others begin empty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from tidegate.model.spec import ContainerSpec, Mount
from tidegate.node.volume.volumes import Bound, VolumeFailure

MOST_IMAGE_VOLUMES = 64
"""More than any image has; each is a mount of the container."""
_FORBIDDEN = ("/proc", "/sys")


class BadVolume(VolumeFailure):
    """An image declares a volume that no container can have; the message says which."""


@dataclass(frozen=True, slots=True)
class Binding:
    """What a container is to mount."""

    mounts: tuple[Mount, ...]
    anonymous: tuple[str, ...]
    """Names of volumes that are this container's alone, in the image's order."""
    filled: Mapping[str, str]
    """Volumes that begin with what the image has at a path: name -> path."""


def plan_binding(container: ContainerSpec, declared: Sequence[str], sources: Mapping[str, Bound]) -> Binding:
    """
    declared: the image's VOLUMEs. sources: what the containers that `volumes_from` names have bound.

    Raises BadVolume.
    """
    own = {normal_path(mount.path): mount for mount in container.mounts}
    taken: dict[str, Mount] = {}
    for wanted in container.volumes_from:
        for mount in sources[wanted.container].mounts:
            read_only = mount.read_only or wanted.read_only
            taken[normal_path(mount.path)] = Mount(volume=mount.volume, path=mount.path, read_only=read_only)
    paths = _declared_paths(container.name, declared)
    busy = {*own, *taken, *(normal_path(tmpfs.path) for tmpfs in container.tmpfs)}
    anonymous = {path: f"{container.name}:{number}" for number, path in enumerate(paths) if path not in busy}
    made = {path: Mount(volume=name, path=path) for path, name in anonymous.items()}
    filled = {own[path].volume: path for path in paths if path in own}
    filled |= {name: path for path, name in anonymous.items()}
    return Binding(tuple({**taken, **made, **own}.values()), tuple(anonymous.values()), filled)


def normal_path(path: str) -> str:
    """Absolute, without what changes nothing; `..` ends at the root."""
    parts: list[str] = []
    for part in PurePosixPath("/", path).parts[1:]:
        if part == "..":
            parts = parts[:-1]
        else:
            parts.append(part)
    return "/" + "/".join(parts)


def _declared_paths(container: str, declared: Sequence[str]) -> tuple[str, ...]:
    paths = tuple(dict.fromkeys(normal_path(path) for path in declared))
    if len(paths) > MOST_IMAGE_VOLUMES:
        raise BadVolume(f"cannot create container {container}: its image declares {len(paths)} volumes")
    for path in paths:
        if path == "/" or any(path == place or path.startswith(f"{place}/") for place in _FORBIDDEN) or "\0" in path:
            raise BadVolume(f"cannot create container {container}: its image declares the volume {path!r}")
    return paths
