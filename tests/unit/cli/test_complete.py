"""What the shell completes."""

from __future__ import annotations

from tidegate.api import ecs
from tidegate.cli.complete import name_tasks


def task(number: int, family: str, status: str = "RUNNING") -> ecs.Task:
    return ecs.Task(
        task_arn=f"arn:aws:ecs:eu-north-1:123456789012:task/default/{number:032x}"[:-32] + f"{number:x}" * 32,
        task_definition_arn=f"arn:aws:ecs:eu-north-1:123456789012:task-definition/{family}:1",
        last_status=status,
    )


def values(incomplete: str) -> list[str]:
    tasks = [task(1, "web"), task(2, "web"), task(3, "db"), task(4, "db", "STOPPED")]
    return [item.value for item in name_tasks(tasks, incomplete)]


def test_tasks_by_their_ids():
    """All of them where nothing has been typed, each as short as it is shown."""
    assert values("") == ["1" * 12, "2" * 12, "3" * 12, "4" * 12]
    assert values("22") == ["2" * 12]


def test_tasks_by_their_family():
    """Where it means one task: of all that run, one; of one that has stopped, its id is needed."""
    assert values("d") == ["db"]
    assert values("w") == []


def test_help():
    """Beside an id stands whose it is."""
    (item,) = name_tasks([task(4, "db", "STOPPED")], "4")
    assert item.help == "db STOPPED"
