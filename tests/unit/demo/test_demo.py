"""The demo's parts that can be judged without running it; `./dev demo` runs it."""

from __future__ import annotations

import importlib
import json
import socket
from pathlib import Path
from types import ModuleType

import pytest

from devkit.steps import StepFailed
from fakes.definitions import decode
from tidegate.services.ecs.definitions.acceptance import accept

DEMO = Path(__file__).resolve().parents[3] / "demo"
DEFINITION = json.loads((DEMO / "task-definition.json").read_text())
TASK = {
    "lastStatus": "ACTIVATING",
    "stopCode": "EssentialContainerExited",
    "stoppedReason": "Essential container in task exited",
    "tags": [{"key": "tidegate:publish", "value": "18080:80/tcp"}],
    "containers": [
        {"name": "db", "lastStatus": "RUNNING", "healthStatus": "HEALTHY"},
        {"name": "web", "lastStatus": "PENDING", "healthStatus": "UNKNOWN", "exitCode": 3, "reason": "because"},
    ],
}


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """demo/task.py, imported as demo/run.py does it."""
    monkeypatch.syspath_prepend(str(DEMO))
    return importlib.import_module("task")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """demo/server.py."""
    monkeypatch.syspath_prepend(str(DEMO))
    return importlib.import_module("server")


def test_the_definition_is_one_that_fargate_takes() -> None:
    """Registration accepts it for Fargate as it is."""
    accepted = accept(decode(DEFINITION))
    assert "FARGATE" in (accepted.compatibilities or ())


def test_the_definitions_images_are_those_that_are_built() -> None:
    """Every image it names has a recipe."""
    named = {container["image"] for container in DEFINITION["containerDefinitions"]}
    built = {f"localhost/demo-{path.parent.name}:latest" for path in DEMO.glob("images/*/*.toml")}
    assert named == built


def test_every_container_is_checked_and_waits_for_what_it_needs() -> None:
    """nginx -> web -> db, each HEALTHY before the next one starts."""
    containers = {container["name"]: container for container in DEFINITION["containerDefinitions"]}
    assert all("healthCheck" in container for container in containers.values())
    waits = {name: [d["containerName"] for d in c.get("dependsOn", [])] for name, c in containers.items()}
    assert waits == {"nginx": ["web"], "web": ["db"], "db": []}


def test_progress_is_one_line(task: ModuleType) -> None:
    """The task's state, then each container's health where it is known, else its state."""
    assert task.describe_progress(TASK).split() == ["ACTIVATING", "db:", "HEALTHY", "web:", "PENDING"]


def test_an_end_is_explained_container_by_container(task: ModuleType) -> None:
    """Exit codes and reasons are shown."""
    text = task.explain_end(TASK)
    assert text.startswith("EssentialContainerExited: Essential container in task exited")
    assert "web: PENDING, exit code 3 because" in text


def test_the_published_port_is_found_again(task: ModuleType) -> None:
    """A second run of the demo talks to the task of the first one."""
    assert task.published_port(TASK) == 18080
    assert task.published_port({**TASK, "tags": []}) is None


def test_a_taken_port_is_passed_over(server: ModuleType) -> None:
    """Somebody else's server is no obstacle; if all are taken, they are named."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(StepFailed, match=f"{taken} are taken"):
            server.find_free_port([taken])
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            number = free.getsockname()[1]
        assert server.find_free_port([taken, number]) == number
