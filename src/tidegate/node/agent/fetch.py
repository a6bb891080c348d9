"""Has the images of a task's containers: each once, those that are here already at no cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import anyio

from tidegate.model.image import Image
from tidegate.model.spec import TaskSpec
from tidegate.node.agent.container import ContainerRun
from tidegate.node.agent.parts import Parts
from tidegate.node.agent.pins import ImagePins
from tidegate.node.agent.reasons import pull_reason
from tidegate.node.agent.record import TaskRecord
from tidegate.node.image.images import ImageError
from tidegate.node.volume.volumes import VolumeFailure


class ImageFetch:
    """For one task. Containers hear of their image, or end with the reason."""

    def __init__(self, task: TaskSpec, parts: Parts, record: TaskRecord, pins: ImagePins) -> None:
        self._task, self._parts, self._record, self._pins = task, parts, record, pins

    async def run(self, containers: Iterable[ContainerRun]) -> None:
        """Return when each has its image, or has ended."""
        groups: dict[tuple[object, ...], list[ContainerRun]] = {}
        for container in containers:
            # What is told apart here may be the same image: it is fetched once all the same, by the image store.
            key = (container.spec.image, container.login, container.spec.keeps_image_version)
            groups.setdefault(key, []).append(container)
        async with anyio.create_task_group() as group:
            for members in groups.values():
                group.start_soon(self._fetch, members)

    async def _fetch(self, containers: Sequence[ContainerRun]) -> None:
        first = containers[0]
        if self._record.observation.pull_started_at is None:
            self._record.note(pull_started_at=self._parts.now())
        try:
            image = await self._have(first)
            self._parts.volumes.admit(self._task, image)
        except (ImageError, VolumeFailure) as error:
            for container in containers:
                container.give_up(None, pull_reason(error))
            return
        self._pins.keep(self._task, first.spec, image.digest)
        self._record.note(pull_stopped_at=self._parts.now())
        for container in containers:
            container.image_is_ready(image)

    async def _have(self, container: ContainerRun) -> Image:
        while True:
            reference = self._pins.reference(self._task, container.spec)
            image = await self._have_by(reference, container)
            wanted = self._pins.reference(self._task, container.spec)
            if wanted == reference or wanted.endswith(f"@{image.digest}"):
                return image
            # Another task of the launch was first, and the tag has moved since.

    async def _have_by(self, reference: str, container: ContainerRun) -> Image:
        images, architecture = self._parts.images, self._task.architecture
        found = images.find(reference, architecture)
        if found is not None:
            return found
        self._record.say()  # it may take a while
        async with self._record.phase(f"pull {container.spec.image}"):
            return await images.ensure(reference, architecture, login=container.login)
