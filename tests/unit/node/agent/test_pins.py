"""Tasks of one launch run the same version of an image."""

from __future__ import annotations

import msgspec

from fakes.specs import task_spec
from tidegate.model.spec import ContainerSpec
from tidegate.model.status import ContainerStatus, LastStatus, Observation
from tidegate.node.agent.pins import ImagePins

APP = ContainerSpec(name="app", image="team/app:3")
FREE = ContainerSpec(name="free", image="team/app:3", keeps_image_version=False)
OLD, NEW = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
PINNED = f"docker.io/team/app@{OLD}"


def test_first_one_is_right():
    """The tag means for the whole launch what it meant to the first task; for other launches it is free."""
    pins = ImagePins()
    first, second = (task_spec(APP, launch="one") for _ in range(2))
    other = task_spec(APP, launch="two")
    assert pins.reference(first, APP) == "team/app:3"
    pins.keep(first, APP, OLD)
    pins.keep(second, APP, NEW)

    assert pins.reference(second, APP) == PINNED
    assert pins.reference(other, APP) == "team/app:3"
    assert pins.reference(task_spec(APP), APP) == "team/app:3"


def test_who_opts_out():
    """A container without version consistency goes by the tag, and decides nothing for others."""
    pins = ImagePins()
    task = task_spec(APP, FREE, launch="one")
    pins.keep(task, FREE, NEW)
    assert pins.reference(task, APP) == "team/app:3"
    pins.keep(task, APP, OLD)

    assert pins.reference(task, FREE) == "team/app:3"


def test_architectures_are_apart():
    """The same tag is another image for another architecture."""
    pins = ImagePins()
    task = task_spec(APP, launch="one")
    pins.keep(task, APP, OLD)

    assert pins.reference(msgspec.structs.replace(task, architecture="arm64"), APP) == "team/app:3"


def test_forgotten_with_the_last_task():
    """What nobody runs any more is not kept; what is recalled from a journal is as good as what was seen."""
    pins = ImagePins()
    first, second = (task_spec(APP, launch="one") for _ in range(2))
    status = ContainerStatus(name="app", image_digest=OLD)
    observation = Observation(task=first.id, revision=1, last_status=LastStatus.RUNNING, containers=(status,))
    for task in (first, second):
        pins.recall(task, observation)
    pins.forget(first)
    assert pins.reference(first, APP) == PINNED
    pins.forget(second)

    assert pins.reference(first, APP) == "team/app:3"
