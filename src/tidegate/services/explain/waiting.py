"""Rules for tasks that have not stopped: those that wait, start, run, and are stopping."""

from __future__ import annotations

from tidegate.model.amount import show_bytes
from tidegate.model.status import LastStatus
from tidegate.services.explain.facts import (
    ContainerFacts,
    Explanation,
    Facts,
    Rule,
    output_evidence,
    probe_evidence,
    span,
)

_NEAR = 0.95
"""Of a memory limit: what a task that is about to be killed has used."""


def _no_room(facts: Facts) -> Explanation:
    size = f"{facts.definition.cpu} CPU units and {facts.definition.memory} MiB"
    return Explanation(
        rule="no-room",
        headline="It waits for room.",
        cause=f"The task asks for {size}, and no node can take it now. It starts by itself as soon as one can.",
        evidence=tuple(part.strip() for part in facts.status.waiting_reason.split(";") if part.strip()),
        remedies=(
            "Stop tasks that are not needed (tidegate ps, tidegate stop TASK).",
            "Or ask for less: `cpu` and `memory` of the task definition, or of RunTask's overrides.",
        ),
    )


def _just_begun(facts: Facts) -> Explanation:
    waited = span(facts.now - facts.status.created_at)
    return Explanation(
        rule="just-begun",
        headline="It has just begun.",
        cause=f"The task was accepted {waited} ago; it is being given a place and an address.",
        remedies=("Look again in a moment.",),
        is_problem=facts.now - facts.status.created_at > 30,
    )


def _pulling(facts: Facts) -> Explanation:
    began = facts.status.pull_started_at or facts.now
    images = tuple(dict.fromkeys(c.definition.image or "" for c in facts.containers if not c.status.image_digest))
    return Explanation(
        rule="pulling",
        headline="Its images are being pulled.",
        cause=f"Containers start when their images are here; that has been going on for {span(facts.now - began)}.",
        evidence=tuple(f"on the way: {image}" for image in images),
        remedies=("Wait; or pull the image before: tidegate image pull IMAGE.",),
        is_problem=False,
    )


def _blocked(facts: Facts) -> list[tuple[ContainerFacts, str]]:
    known = {c.name: c for c in facts.containers}
    return [
        (container, f"{container.name} waits until {d.container_name} is {d.condition}")
        for container in facts.containers
        if container.status.state == "PENDING"
        for d in container.definition.depends_on or ()
        if d.container_name in known and not _is_met(known[d.container_name], d.condition)
    ]


def _is_met(container: ContainerFacts, condition: str) -> bool:
    status = container.status
    match condition:
        case "HEALTHY":
            return status.health == "HEALTHY"
        case "COMPLETE":
            return container.has_ended
        case "SUCCESS":
            return status.exit_code == 0
        case _:
            return status.started_at is not None


def _waits_for_dependency(facts: Facts) -> Explanation:
    blocked = _blocked(facts)
    awaited = {d.container_name for c, _ in blocked for d in c.definition.depends_on or ()}
    evidence = [text for _, text in blocked]
    for container in facts.containers:
        if container.name in awaited and container.status.state == "RUNNING":
            evidence += [f"{container.name} is {container.status.health}", *probe_evidence(container)]
    return Explanation(
        rule="waits-for-dependency",
        headline="A container waits for another one.",
        cause="Containers are started in the order that `dependsOn` gives, and one has not come so far yet.",
        evidence=tuple(evidence),
        remedies=(
            "If it never comes so far, look at what it waits for: tidegate logs TASK -c CONTAINER.",
            "A `startTimeout` on the container that is waited for ends the wait.",
        ),
        is_problem=facts.now - facts.status.created_at > 60,
    )


def _starting(facts: Facts) -> Explanation:
    waited = span(facts.now - facts.status.created_at)
    return Explanation(
        rule="starting",
        headline="It is starting.",
        cause=f"The task was accepted {waited} ago; its network and its containers are being made.",
        remedies=("Look again in a moment; `tidegate describe` shows where the time goes.",),
        is_problem=facts.now - facts.status.created_at > 60,
    )


def _find_unhealthy(facts: Facts) -> list[ContainerFacts]:
    return [c for c in facts.containers if c.status.state == "RUNNING" and c.status.health == "UNHEALTHY"]


def _unhealthy(facts: Facts) -> Explanation:
    evidence: list[str] = []
    for container in _find_unhealthy(facts):
        check = container.definition.health_check
        command = " ".join(check.command) if check is not None else ""
        evidence += [f"{container.name} is checked by: {command[:300]}", *probe_evidence(container)]
    names = " and ".join(c.name for c in _find_unhealthy(facts))
    return Explanation(
        rule="unhealthy",
        headline=f"It runs, but {names} is unhealthy.",
        cause="The health check of the task definition failed as often in a row as its `retries` say. A task of its own"
        " goes on all the same; one of a service would be replaced.",
        evidence=tuple(evidence),
        remedies=(
            f"Run the check by hand: tidegate exec {facts.id} -c {_find_unhealthy(facts)[0].name}",
            "If what it checks needs long to start, give it a `startPeriod`; if it answers slowly, a longer `timeout`.",
            "Is the program of the check in the image at all? curl, for example, often is not.",
        ),
    )


def _find_restarting(facts: Facts) -> ContainerFacts | None:
    found = [c for c in facts.containers if c.status.restart_count > 0]
    return max(found, key=lambda c: c.status.restart_count, default=None)


def _restarts(facts: Facts) -> Explanation | None:
    container = _find_restarting(facts)
    if container is None:
        return None
    status = container.status
    last = f", for the last time {span(facts.now - status.restarted_at)} ago" if status.restarted_at else ""
    return Explanation(
        rule="restart-loop",
        headline=f"It runs, but {container.name} keeps ending.",
        cause=f"Its restart policy has started {container.name} again {status.restart_count} times{last}.",
        evidence=output_evidence(container),
        remedies=(
            f"Find out why it ends: tidegate logs {facts.id} -c {container.name}",
            "Exit codes that are no failure can be named in `ignoredExitCodes` of the restart policy.",
        ),
    )


def _sidecar_failed(facts: Facts) -> Explanation | None:
    container = next((c for c in facts.containers if c.has_failed and not c.is_essential), None)
    if container is None:
        return None
    return Explanation(
        rule="sidecar-failed",
        headline=f"It runs, but without {container.name}.",
        cause=f"{container.name} exited with code {container.status.exit_code}. It is not essential,"
        " so the task goes on.",
        evidence=output_evidence(container),
        remedies=(
            "If the task is of no use without it, make it `essential`; if it may fail, nothing is to be done.",
            "A restart policy would start it again.",
        ),
    )


def _near_limit(facts: Facts) -> Explanation | None:
    memory = facts.memory
    if not memory.peak_bytes or not memory.limit_bytes or memory.limit_hits == 0:
        return None
    if memory.peak_bytes < memory.limit_bytes * _NEAR or memory.kills == 0:
        return None
    return Explanation(
        rule="short-of-memory",
        headline="It runs, but it is short of memory.",
        cause=f"The kernel has killed {memory.kills} of its processes, because the task had used all that it may use.",
        evidence=(f"memory: {show_bytes(memory.peak_bytes)} at most, of {show_bytes(memory.limit_bytes)}",),
        remedies=("Give the task more `memory`, or let the program use less.",),
    )


def _well(facts: Facts) -> Explanation:
    since = span(facts.now - (facts.status.started_at or facts.now))
    healthy = [c.name for c in facts.containers if c.status.health == "HEALTHY"]
    checked = [c.name for c in facts.containers if c.status.has_health_check]
    evidence = [f"{c.name}: {c.status.state.lower()}" for c in facts.containers]
    if checked:
        evidence.append(f"healthy: {', '.join(healthy) or 'none has said so yet'}")
    if facts.memory.peak_bytes:
        evidence.append(
            f"memory: {show_bytes(facts.memory.peak_bytes)} at most, of {show_bytes(facts.memory.limit_bytes)}"
        )
    return Explanation(
        rule="nothing-is-wrong",
        headline="Nothing is wrong.",
        cause=f"The task has been running for {since}.",
        evidence=tuple(evidence),
        is_problem=False,
    )


def _stopping(facts: Facts) -> Explanation:
    longest = max((c.definition.stop_timeout or 30 for c in facts.containers), default=30)
    return Explanation(
        rule="stopping",
        headline="It is being stopped.",
        cause=f"{(facts.reason or 'It was told to stop').rstrip('.')}. Its containers have been sent their stop signal;"
        f" what does not end within its stop timeout ({longest} s) is killed.",
        remedies=("Let the program handle SIGTERM, so that it ends at once.",),
        is_problem=False,
    )


_STARTING = (LastStatus.PENDING, LastStatus.ACTIVATING)
_RUNNING = (LastStatus.RUNNING,)
_STOPPING = (LastStatus.DEACTIVATING, LastStatus.STOPPING, LastStatus.DEPROVISIONING)

RULES: tuple[Rule, ...] = (
    Rule("stopping", lambda f: f.status.last_status in _STOPPING or _is_unwanted(f), _stopping),
    Rule("no-room", lambda f: bool(f.status.waiting_reason), _no_room),
    Rule("just-begun", lambda f: f.status.last_status is LastStatus.PROVISIONING, _just_begun),
    Rule("pulling", lambda f: f.status.last_status in _STARTING and _is_pulling(f), _pulling),
    Rule("waits", lambda f: f.status.last_status in _STARTING and bool(_blocked(f)), _waits_for_dependency),
    Rule("starting", lambda f: f.status.last_status in _STARTING, _starting),
    Rule("unhealthy", lambda f: f.status.last_status in _RUNNING and bool(_find_unhealthy(f)), _unhealthy),
    Rule("restart-loop", lambda f: f.status.last_status in _RUNNING, _restarts),
    Rule("sidecar-failed", lambda f: f.status.last_status in _RUNNING, _sidecar_failed),
    Rule("short-of-memory", lambda f: f.status.last_status in _RUNNING, _near_limit),
    Rule("nothing-is-wrong", lambda f: f.status.last_status in _RUNNING, _well),
)
"""In this order."""


def _is_unwanted(facts: Facts) -> bool:
    return facts.status.desired_status == "STOPPED" and facts.status.last_status is not LastStatus.STOPPED


def _is_pulling(facts: Facts) -> bool:
    return facts.status.pull_started_at is not None and facts.status.pull_stopped_at is None
