"""Rules for tasks of which an essential container ended: out of memory, out of disk, by a signal, with a code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tidegate.model.amount import show_bytes
from tidegate.services.explain.facts import ContainerFacts, Explanation, Facts, Rule, output_evidence, span

_FULL = 0.98
"""Of a limit, from where on it counts as reached."""
_DISK_FULL_BYTES = 8 << 20
_ENOSPC = ("no space left on device", "enospc", "disk quota exceeded", "disk full")


def _exited(facts: Facts) -> bool:
    return facts.status.stop_code == "EssentialContainerExited" and facts.culprit is not None


def _killed_for_memory(facts: Facts) -> bool:
    return _exited(facts) and _culprit(facts).status.reason.startswith("OutOfMemoryError")


def _culprit(facts: Facts) -> ContainerFacts:
    assert facts.culprit is not None, "the rule has looked"
    return facts.culprit


def _out_of_memory(facts: Facts) -> Explanation:
    container = _culprit(facts)
    own, task = container.box.memory, facts.memory
    is_own = container.definition.memory is not None and _is_reached(own.peak_bytes, own.limit_bytes)
    whose = f"its own limit (`memory` of the container, {container.definition.memory} MiB)"
    if not is_own:
        whose = f"the limit of the whole task (`memory`, {facts.definition.memory} MiB)"
    evidence = [f"{container.name} was killed by the kernel (exit code {container.status.exit_code})"]
    if own.peak_bytes is not None:
        evidence.append(f"{container.name} used {show_bytes(own.peak_bytes)} at most")
    if task.peak_bytes is not None:
        evidence.append(f"the task used {show_bytes(task.peak_bytes)} at most, of {show_bytes(task.limit_bytes)}")
    if own.kills:
        evidence.append(f"processes of {container.name} that were killed: {own.kills}")
    others = sorted(facts.containers, key=lambda c: c.box.memory.peak_bytes or 0, reverse=True)
    if not is_own and others and others[0].name != container.name:
        evidence.append(f"the most was used by {others[0].name}: {show_bytes(others[0].box.memory.peak_bytes)}")
    return Explanation(
        rule="out-of-memory-container" if is_own else "out-of-memory-task",
        headline=f"{container.name} was killed: it ran out of memory.",
        cause=f"It asked for more memory when {whose} was used up, and the kernel killed it.",
        evidence=(*evidence, *output_evidence(container)),
        remedies=(
            "Give it more: `memory` of the container."
            if is_own
            else "Give the task more `memory`, or containers less.",
            "Or let it use less: heap sizes, worker counts and caches often follow the machine, not the limit.",
        ),
    )


def _is_reached(peak: int | None, limit: int | None) -> bool:
    return peak is not None and limit is not None and peak >= limit * _FULL


def _find_disk_full(facts: Facts) -> str:
    """What shows that the disk was full; empty if nothing does."""
    if not _exited(facts) or not _culprit(facts).has_failed:
        return ""
    said = _culprit(facts).says(*_ENOSPC)
    free = facts.box.disk_free_bytes if facts.box is not None else None
    if said:
        return f"{_culprit(facts).name} wrote: {said[:300]}"
    return f"the disk had {show_bytes(free)} left at the end" if free is not None and free < _DISK_FULL_BYTES else ""


def _disk_full(facts: Facts) -> Explanation:
    container = _culprit(facts)
    box = facts.box
    evidence = [_find_disk_full(facts), f"{container.name} exited with code {container.status.exit_code}"]
    if box is not None and box.disk_size_bytes is not None:
        evidence.append(
            f"the disk has {show_bytes(box.disk_size_bytes)}, of which {show_bytes(box.disk_free_bytes)} were free"
        )
    evidence.append(f"files that {container.name} wrote: {show_bytes(container.box.written_bytes)}")
    evidence += [
        f"  {file.path}: {show_bytes(file.size_bytes)}"
        for file in sorted(container.box.changed, key=lambda f: f.size_bytes, reverse=True)[:5]
        if file.size_bytes
    ]
    return Explanation(
        rule="disk-full",
        headline=f"{container.name} ended: its disk was full.",
        cause="A container writes to its task's disk until that is full; then writing fails with ENOSPC.",
        evidence=tuple(evidence),
        remedies=(
            "Give the task a larger disk: `ephemeralStorage` of the task definition.",
            "Write what grows (logs, caches, uploads) to standard output, to a volume, or not at all.",
        ),
    )


def _gave_up_restarting(facts: Facts) -> Explanation | None:
    container = _culprit(facts)
    if container.status.restart_count == 0:
        return None
    return Explanation(
        rule="restarts-exhausted",
        headline=f"{container.name} ended again and again, and then for good.",
        cause=f"Its restart policy started it again {container.status.restart_count} times. Then it ended before it had"
        " run as long as `restartAttemptPeriod` says, or with a code that is to be ignored.",
        evidence=(f"its last exit code: {container.status.exit_code}", *output_evidence(container)),
        remedies=("Find out why it ends; its last lines are above.",),
    )


def _lost(facts: Facts) -> Explanation | None:
    reason = _culprit(facts).status.reason
    if "supervisor was lost" not in reason:
        return None
    return Explanation(
        rule="supervisor-lost",
        headline="Its supervisor was killed.",
        cause="Each container is watched by a process of ours (conmon). Somebody killed that"
        " process, so the container had"
        " to be ended: nobody would have known how it ends.",
        evidence=(f"{_culprit(facts).name}: {reason}",),
        remedies=(
            "See what on this machine kills processes: an administrator, or the kernel for want of memory (dmesg).",
            "Start the task again.",
        ),
    )


def _processes_lost(facts: Facts) -> Explanation | None:
    reason = _culprit(facts).status.reason
    if "process namespace was lost" not in reason:
        return None
    return Explanation(
        rule="processes-lost",
        headline="The process that all its containers shared was killed.",
        cause='With `pidMode` "task" a process of ours is process 1 for all containers of the task. Something on this'
        " machine killed it, and the kernel kills all the others then.",
        evidence=(f"{_culprit(facts).name}: {reason}",),
        remedies=(
            "See what on this machine kills processes: an administrator, or the kernel for want of memory (dmesg).",
            "Start the task again.",
        ),
    )


@dataclass(frozen=True)
class _Code:
    """A row of exit codes."""

    codes: frozenset[int]
    rule: str
    headline: str
    cause: str
    remedies: tuple[str, ...]
    is_problem: bool = True


_LOGS = "Its last lines are above; the rest: tidegate logs {task} -c {name}"
_CODES: tuple[_Code, ...] = (
    _Code(
        frozenset({0}),
        "exited-0",
        "{name} has done its work.",
        "It exited with code 0, which means success; as it is essential, the task ended with it.",
        ("If it was to go on: does the program run in the background? The one that the container starts must stay.",),
        is_problem=False,
    ),
    _Code(
        frozenset({126}),
        "exited-126",
        "{name} could not execute its program.",
        "Code 126 is a shell's: what it was to run is there, but is no program, or may not be executed.",
        ("See the file's permissions (chmod +x) and its format; is it for this architecture?", _LOGS),
    ),
    _Code(
        frozenset({127}),
        "exited-127",
        "{name} did not find its program.",
        "Code 127 is a shell's: what it was to run is not in the image, or not in its PATH.",
        (
            "See the names in `command`; look into the image: tidegate run IMAGE --entrypoint sh --wait -- -c 'ls /'",
            _LOGS,
        ),
    ),
    _Code(
        frozenset({134}),
        "exited-134",
        "{name} gave up by itself (SIGABRT).",
        "The program found something that must not be, and aborted: a failed assertion, a broken heap.",
        (_LOGS,),
    ),
    _Code(
        frozenset({137}),
        "exited-137",
        "{name} was killed (SIGKILL).",
        "Code 137 is that of a process that was killed. It was not for want of memory: the kernel counted none.",
        (
            "Something in the container or on this machine sent SIGKILL: an administrator, a"
            " watchdog, the program itself.",
            _LOGS,
        ),
    ),
    _Code(
        frozenset({139}),
        "exited-139",
        "{name} crashed (SIGSEGV).",
        "The program touched memory that is not its own: a bug in it or in a library, or an image"
        " for another C library.",
        ("Does the image mix glibc and musl (Alpine)? Is a native module built for another version?", _LOGS),
    ),
    _Code(
        frozenset({143}),
        "exited-143",
        "{name} ended because it was told to (SIGTERM).",
        "It got SIGTERM, though nobody stopped the task: from inside the container, or from this machine.",
        ("See what in the container sends signals; an entry point that ends takes its children along.", _LOGS),
    ),
    _Code(
        frozenset({1, 2}),
        "exited-1",
        "{name} ended with an error.",
        "Code {code} is the program's own way to say that something went wrong. What, it says in its output.",
        (_LOGS, "A setting that is missing (environment, secrets) is the most common reason right after the start."),
    ),
)


def _by_code(facts: Facts) -> Explanation | None:
    container = _culprit(facts)
    code = container.status.exit_code
    row = next((row for row in _CODES if code in row.codes), None)
    if row is None or code is None:
        return None
    return _tell(facts, container, row, code)


def _any_code(facts: Facts) -> Explanation:
    container = _culprit(facts)
    code = container.status.exit_code or 0
    if code > 128:
        row = _Code(
            frozenset(),
            "exited-by-signal",
            "{name} was ended by a signal.",
            f"Code {{code}} is 128 and the number of the signal: {code - 128}.",
            (_LOGS,),
        )
    else:
        row = _Code(
            frozenset(),
            "exited",
            "{name} ended with code {code}.",
            "The code is the program's own; its documentation or its output says what it means.",
            (_LOGS,),
        )
    return _tell(facts, container, row, code)


def _tell(facts: Facts, container: ContainerFacts, row: _Code, code: int) -> Explanation:
    def fill(text: str) -> str:
        return text.replace("{name}", container.name).replace("{code}", str(code)).replace("{task}", facts.id)

    status = container.status
    ran = ""
    if status.last_started_at is not None and status.finished_at is not None:
        ran = f" after {span(status.finished_at - status.last_started_at)}"
    evidence = (f"{container.name} exited with code {code}{ran}", *output_evidence(container))
    return Explanation(
        rule=row.rule,
        headline=fill(row.headline),
        cause=fill(row.cause),
        evidence=evidence,
        remedies=tuple(fill(remedy) for remedy in row.remedies),
        is_problem=row.is_problem,
    )


def _rule(name: str, explain: Callable[[Facts], Explanation | None]) -> Rule:
    return Rule(name, _exited, explain)


RULES: tuple[Rule, ...] = (
    Rule("out-of-memory", _killed_for_memory, _out_of_memory),
    _rule("supervisor-lost", _lost),
    _rule("processes-lost", _processes_lost),
    Rule("disk-full", lambda facts: bool(_find_disk_full(facts)), _disk_full),
    _rule("restarts-exhausted", _gave_up_restarting),
    _rule("by-code", _by_code),
    _rule("any-code", _any_code),
)
"""In this order: what is known for sure before what a number suggests."""
