"""Makes a container ready for its first instruction: root file system, files, configuration, runtime."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import structlog

from tidegate.model.spec import ROUTER_VOLUME, TaskSpec
from tidegate.node.agent.parts import LaunchRequest, PhaseTimer
from tidegate.node.image.images import Images
from tidegate.node.output.router import CONFIG_PATHS, plan_router_config
from tidegate.node.runtime.bundle import CONFIG
from tidegate.node.runtime.oci.config import Site, in_process_namespace, plan_config, plan_hostname
from tidegate.node.runtime.oci.holder import plan_holder
from tidegate.node.runtime.oci.host import HostFacts
from tidegate.node.runtime.oci.user import find_user
from tidegate.node.runtime.runtime import Bundle, Container, Runtime, RuntimeFailure
from tidegate.node.volume.volumes import Volumes

log = structlog.get_logger()


class HostLauncher:
    """Launches with this host's image store and runtime. resolver: the lines of a task's resolv.conf."""

    def __init__(
        self, runtime: Runtime, images: Images, volumes: Volumes, host: HostFacts, resolver: Sequence[str]
    ) -> None:
        self._runtime = runtime
        self._images = images
        self._volumes = volumes
        self._host = host
        self._resolver = resolver
        self._said: set[str] = set()

    async def create(self, request: LaunchRequest, phase: PhaseTimer) -> Container:
        """See `parts.Launcher`."""
        name = request.container.name
        written = self._volumes.written(request.task, name)
        async with phase(f"rootfs {name}"):
            rootfs = await self._images.mount_rootfs(request.image, request.bundle.directory, written)
            bound = await self._volumes.bind(request.task, request.container, request.image, rootfs)
            user = find_user(rootfs, request.container.user or request.image.config.user)
            files = self._write_files(request, written, user.uid, user.gid)
        site = Site(
            rootfs=rootfs,
            cgroup=request.bundle.cgroup,
            network_namespace=request.network_namespace,
            user=user,
            files=files,
            volumes={volume: Path(place) for volume, place in bound.places.items()},
            process_namespace=request.process_namespace,
        )
        container = msgspec.structs.replace(request.container, mounts=bound.mounts)
        planned = plan_config(request.task, container, request.image.config, site, self._host)
        self._say_once(planned.notes)
        async with phase(f"create {name}"):
            return await self._create(request.bundle, planned.config)

    async def hold_processes(self, bundle: Bundle, network_namespace: Path) -> Container:
        """See `parts.Launcher`."""
        rootfs = bundle.directory / "rootfs"
        rootfs.mkdir(exist_ok=True)
        return await self._runtime.create(bundle, plan_holder(rootfs, bundle.cgroup, network_namespace, self._host))

    async def create_again(self, bundle: Bundle, process_namespace: Path | None) -> Container:
        """See `parts.Launcher`."""
        config = msgspec.json.decode((bundle.directory / CONFIG).read_bytes())
        return await self._create(bundle, in_process_namespace(config, process_namespace))

    async def _create(self, bundle: Bundle, config: Mapping[str, Any]) -> Container:
        """Names the program where the runtime only says what is wrong with it."""
        program = config["process"]["args"][0]
        try:
            return await self._runtime.create(bundle, config)
        except RuntimeFailure as failure:
            if failure.step != "start" or program in str(failure):
                raise
            raise RuntimeFailure("start", f'exec: "{program}": {failure}') from failure

    def _say_once(self, notes: Sequence[str]) -> None:
        """What this host can't give in full is the same for every container: one line is enough."""
        for note in notes:
            if note not in self._said:
                self._said.add(note)
                log.warning("containers get less than they ask for on this host", what=note)

    def _write_files(self, request: LaunchRequest, written: Path, uid: int, gid: int) -> Mapping[str, Path]:
        """
        Files that the container finds in its own places. A log router has to write to its directory.

        They lie on the task's disk: the container may write to them.
        """
        planned = {f"/etc/{name}": text for name, text in plan_files(request.task, self._resolver).items()}
        router = request.container.router
        if router is not None:
            planned[CONFIG_PATHS[router.kind]] = plan_router_config(request.task, router)
            os.chown(self._volumes.place(request.task, ROUTER_VOLUME), uid, gid)
        files = {}
        for name, text in planned.items():
            path = written / name[1:].replace("/", "-")
            path.write_text(text)
            path.chmod(0o644)
            files[name] = path
        return files


def plan_files(task: TaskSpec, resolver: Sequence[str]) -> dict[str, str]:
    """resolv.conf, hosts and hostname, as a container of the task sees them in /etc."""
    hostname = plan_hostname(task)
    short = hostname.partition(".")[0]
    hosts = (
        f"127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n{task.network.address} {hostname} {short}\n"
    )
    return {
        "resolv.conf": "".join(f"{line}\n" for line in resolver),
        "hosts": hosts,
        "hostname": f"{hostname}\n",
    }
