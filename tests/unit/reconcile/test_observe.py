"""What observations make of a task's status."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tidegate.model.status import ContainerStatus, LastStatus, Observation, TaskStatus
from tidegate.reconcile.observe import apply_observation

STATUS = TaskStatus(
    last_status=LastStatus.PENDING, created_at=1.0, containers=(ContainerStatus(name="a"), ContainerStatus(name="b"))
)

observations = st.builds(
    Observation,
    task=st.just("t"),
    revision=st.integers(1, 9),
    last_status=st.sampled_from([s for s in LastStatus if s is not LastStatus.PROVISIONING]),
    started_at=st.none() | st.floats(2, 9),
    stop_code=st.none() | st.just("UserInitiated"),
    containers=st.just((ContainerStatus(name="b", state="RUNNING"),)),
)


@given(st.lists(observations, max_size=12))
def test_replays_and_reordering_are_harmless(seen: list[Observation]):
    """The state never goes back, what is STOPPED stays so, and an observation that comes again changes nothing."""
    status = STATUS
    for observation in seen:
        after = apply_observation(status, observation)
        assert after.last_status.rank >= status.last_status.rank
        assert apply_observation(after, observation) is after
        if status.started_at is not None:
            assert after.started_at == status.started_at
        if status.last_status is LastStatus.STOPPED:
            assert after is status
        status = after


def test_containers_are_merged_by_name():
    """Containers keep their order; those that the engine does not mention stay as they are."""
    seen = Observation(
        task="t", revision=1, last_status=LastStatus.RUNNING, containers=(ContainerStatus(name="b", state="RUNNING"),)
    )

    assert [(c.name, c.state) for c in apply_observation(STATUS, seen).containers] == [
        ("a", "PENDING"),
        ("b", "RUNNING"),
    ]


def test_a_stop_code_means_stopping():
    """Once the engine has a reason to stop, the desired status is STOPPED; a code that was there before stays."""
    seen = Observation(
        task="t",
        revision=1,
        last_status=LastStatus.STOPPING,
        stop_code="EssentialContainerExited",
        stopped_reason="Essential container in task exited",
    )
    after = apply_observation(STATUS, seen)

    assert (after.desired_status, after.stop_code) == ("STOPPED", "EssentialContainerExited")
