"""
Which image a tag meant when a launch first used it: all tasks of one launch run the same one, even if the tag moves.

ECS calls it version consistency, and does it for services; here what one RunTask call started is a launch as well. What
is known is in the tasks' journals (their containers' image digests), so it is known again after a restart.
"""

from __future__ import annotations

from tidegate.model.spec import ContainerSpec, TaskSpec
from tidegate.model.status import Observation
from tidegate.node.image.reference import parse_reference


class ImagePins:
    """Digests by launch, name and architecture; forgotten with the last task of the launch."""

    def __init__(self) -> None:
        self._digests: dict[str, dict[tuple[str, str], str]] = {}
        self._tasks: dict[str, set[str]] = {}

    def recall(self, task: TaskSpec, observation: Observation) -> None:
        """Take in what a task's containers run."""
        digests = {status.name: status.image_digest for status in observation.containers}
        for container in task.containers:
            if digest := digests.get(container.name):
                self.keep(task, container, digest)

    def reference(self, task: TaskSpec, container: ContainerSpec) -> str:
        """What the container's image is asked for by: its name, or the digest that it had before. Raises ImageError."""
        known = self._digests.get(_launch(task), {}).get((container.image, task.architecture))
        if known is None or not container.keeps_image_version:
            return container.image
        return str(parse_reference(container.image).with_digest(known))

    def keep(self, task: TaskSpec, container: ContainerSpec, digest: str) -> None:
        """The container's image is this one; the first to say so of a launch is right."""
        if container.keeps_image_version:
            launch = _launch(task)
            self._tasks.setdefault(launch, set()).add(task.id)
            self._digests.setdefault(launch, {}).setdefault((container.image, task.architecture), digest)

    def forget(self, task: TaskSpec) -> None:
        """The task is gone."""
        launch = _launch(task)
        tasks = self._tasks.get(launch, set())
        tasks.discard(task.id)
        if not tasks:
            self._tasks.pop(launch, None)
            self._digests.pop(launch, None)


def _launch(task: TaskSpec) -> str:
    return task.launch or task.id
