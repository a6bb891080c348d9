"""
Whether a container that has exited is started again: a pure rule, ECS's (its agent's restart tracker).

A container is restarted if it has a restart policy, if its task is not to stop, if its exit code is known and none of
those to be ignored, and if it ran for at least the attempt period since it was last started. Otherwise its exit is
final, and the rule for essential containers applies.
"""

from __future__ import annotations

from tidegate.model.spec import RestartPolicy


def should_restart(
    policy: RestartPolicy | None, *, exit_code: int | None, ran_seconds: float, is_stopping: bool
) -> bool:
    """ran_seconds: from the last start to the exit. is_stopping: the task is."""
    if policy is None or is_stopping or exit_code is None:
        return False
    return exit_code not in policy.ignored_exit_codes and ran_seconds >= policy.attempt_period_seconds
