"""
Tidegate's own operations: images, nodes, the launch timeline; those that lead into a task are in `access`.

They reach into the node, so they stand beside the wiring and not among the services.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

from tidegate.api import tidegate
from tidegate.api.shape import Context, ServiceError
from tidegate.engine.engine import Engine
from tidegate.model.image import Image
from tidegate.model.task import Task
from tidegate.node.image.images import ImageError, ImageNotFound, Images
from tidegate.server.access import Access
from tidegate.server.channels.tickets import Tickets
from tidegate.server.insight import Insight, find_task
from tidegate.server.key_rotation import KeyRotation
from tidegate.server.master_keys import MasterKeys
from tidegate.services.ecs.names import task_arn
from tidegate.store.store import Store


class AccessDenied(ServiceError):
    """The caller may not do this, whatever its policies say."""

    code = "AccessDeniedException"
    status = 400


class ControlService:
    """Satisfies the generated tidegate `Api`."""

    def __init__(
        self,
        store: Store,
        images: Images,
        engine: Engine,
        architecture: str,
        runtime: str,
        tickets: Tickets,
        rotation: KeyRotation,
    ) -> None:
        self._store = store
        self._images = images
        self._engine = engine
        self._architecture = architecture
        self._runtime = runtime
        access = Access(store, tickets)
        self.start_exec = access.start_exec
        self.start_forward = access.start_forward
        self.start_copy = access.start_copy
        keys = MasterKeys(rotation)
        self.rotate_master_key = keys.rotate_master_key
        self.describe_master_keys = keys.describe_master_keys
        insight = Insight(store, engine, time.time)
        self.describe_black_box = insight.describe_black_box
        self.explain_task = insight.explain_task

    async def list_images(self, ctx: Context, request: tidegate.ListImagesRequest) -> tidegate.ListImagesResponse:
        """All images, newest first."""
        return tidegate.ListImagesResponse(images=tuple(_summary(image) for image in self._images.list()))

    async def import_image(self, ctx: Context, request: tidegate.ImportImageRequest) -> tidegate.ImportImageResponse:
        """From an archive on this machine."""
        path = _host_path(ctx, request.path)
        if not path.is_file():
            raise tidegate.InvalidParameterException(f"cannot import {path}: there is no such file on the server")
        try:
            image = await self._images.import_archive(path, request.reference)
        except ImageError as error:
            raise tidegate.ImageException(f"cannot import {path}: {error}") from error
        return tidegate.ImportImageResponse(image=_summary(image))

    async def pull_image(self, ctx: Context, request: tidegate.PullImageRequest) -> tidegate.PullImageResponse:
        """From a registry, unless it is here."""
        try:
            image = await self._images.ensure(request.reference, request.architecture or self._architecture)
        except ImageNotFound as error:
            raise tidegate.ImageNotFoundException(str(error)) from error
        except ImageError as error:
            raise tidegate.ImageException(str(error)) from error
        return tidegate.PullImageResponse(image=_summary(image))

    async def export_image(self, ctx: Context, request: tidegate.ExportImageRequest) -> tidegate.ExportImageResponse:
        """To an archive on this machine."""
        kind: Literal["oci", "docker"] = "docker" if request.format == "DOCKER" else "oci"
        path = _host_path(ctx, request.path)
        try:
            await self._images.export_archive(request.reference, path, kind)
        except ImageNotFound as error:
            raise tidegate.ImageNotFoundException(str(error)) from error
        except (ImageError, OSError) as error:
            raise tidegate.ImageException(f"cannot export {request.reference}: {error}") from error
        return tidegate.ExportImageResponse()

    async def remove_image(self, ctx: Context, request: tidegate.RemoveImageRequest) -> tidegate.RemoveImageResponse:
        """Forget a reference."""
        if self._images.find(request.reference) is None:
            raise tidegate.ImageNotFoundException(f"there is no image {request.reference}")
        await self._images.remove(request.reference)
        return tidegate.RemoveImageResponse()

    async def collect_garbage(
        self, ctx: Context, request: tidegate.CollectGarbageRequest
    ) -> tidegate.CollectGarbageResponse:
        """Free what no image and no task uses."""
        in_use = {
            container.image_digest
            for task in self._store.select(Task, "active", "yes")
            for container in task.status.containers
            if container.image_digest
        }
        return tidegate.CollectGarbageResponse(freed_bytes=await self._images.collect_garbage(in_use))

    async def describe_timeline(
        self, ctx: Context, request: tidegate.DescribeTimelineRequest
    ) -> tidegate.DescribeTimelineResponse:
        """Where the time of a launch went."""
        task = find_task(self._store, ctx, request.task)
        return tidegate.DescribeTimelineResponse(
            task_arn=task_arn(ctx, task.cluster, task.id),
            waiting_reason=task.status.waiting_reason or None,
            phases=tuple(
                tidegate.Phase(name=p.name, started_at=p.started_at, milliseconds=p.milliseconds)
                for p in task.status.timeline
            ),
        )

    async def describe_nodes(
        self, ctx: Context, request: tidegate.DescribeNodesRequest
    ) -> tidegate.DescribeNodesResponse:
        """What the engine's nodes have."""
        return tidegate.DescribeNodesResponse(
            nodes=tuple(
                tidegate.Node(
                    id=node.id,
                    availability_zone=node.availability_zone or None,
                    architecture=node.architecture,
                    schedulable=node.schedulable,
                    reason=node.reason or None,
                    total_cpu_units=node.total_cpu_units,
                    total_memory_mib=node.total_memory_mib,
                    free_cpu_units=node.free_cpu_units,
                    free_memory_mib=node.free_memory_mib,
                    runtime=self._runtime,
                    isolation="namespaces",
                )
                for node in await self._engine.nodes()
            )
        )


def _host_path(ctx: Context, text: str) -> Path:
    """
    Of a file of this machine, which the server opens as the machine's root.

    So no policy can give it away: the account's root alone names such files. It is whoever has the state directory.
    """
    if not ctx.principal.endswith(":root"):
        raise AccessDenied(
            f"User: {ctx.principal} is not authorized to read or write files of the server's machine: they are named "
            "by the account's root alone"
        )
    path = Path(text)
    if "\0" in text:
        raise tidegate.InvalidParameterException("cannot use a path with a null character")
    if not path.is_absolute():
        raise tidegate.InvalidParameterException(f"cannot use `{text}`: the path must be absolute")
    return path


def _summary(image: Image) -> tidegate.ImageSummary:
    return tidegate.ImageSummary(
        references=image.references,
        digest=image.digest,
        size_bytes=image.size_bytes,
        created_at=image.created_at,
        architecture=image.config.architecture,
    )
