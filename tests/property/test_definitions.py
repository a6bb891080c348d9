"""Whatever valid definition is registered is stored in a normal form; one fault makes it refused with its message."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from fakes.definitions import ROLE, decode, refusal
from tidegate.api import ecs
from tidegate.services.ecs.definitions.acceptance import accept
from tidegate.services.ecs.definitions.sizes import FARGATE_SIZES

Definition = dict[str, Any]
Container = dict[str, Any]

PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
ADDED = frozenset({"compatibilities", "requiresAttributes"})
"""What `accept` adds to the form in which a definition could be registered again."""

some_names = st.text(PLAIN, min_size=1, max_size=12)
some_texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
some_paths = st.lists(some_names, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))
some_images = st.builds(
    lambda name, tag: name + tag,
    st.sampled_from(["nginx", "repo/app", "registry.example.com:5000/a/b_c"]),
    st.sampled_from(["", ":1.27", ":latest", "@sha256:" + "0f" * 32]),
)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """The member, or its absence."""
    return st.none() | strategy


some_health_checks = st.builds(
    lambda command, **numbers: {"command": command, **{name: n for name, n in numbers.items() if n is not None}},
    st.sampled_from([["CMD", "true"], ["CMD-SHELL", "exit 0"], ["CMD-SHELL, exit 0"], ["/check"], ["CMD a 'b c'"]]),
    interval=maybe(st.integers(5, 300)),
    timeout=maybe(st.integers(2, 60)),
    retries=maybe(st.integers(1, 10)),
    startPeriod=maybe(st.integers(0, 300)),
)
some_linux = st.fixed_dictionaries(
    {},
    optional={
        "initProcessEnabled": st.booleans(),
        "capabilities": st.fixed_dictionaries(
            {},
            optional={
                "add": st.just(["SYS_PTRACE"]),
                "drop": st.lists(st.sampled_from(["ALL", "NET_RAW", "SETUID"]), max_size=3),
            },
        ),
        "sharedMemorySize": st.integers(1, 256),
        "tmpfs": st.lists(
            st.fixed_dictionaries(
                {"containerPath": some_paths, "size": st.integers(1, 64)},
                optional={"mountOptions": st.lists(st.sampled_from(["ro", "noexec", "mode=1777"]))},
            ),
            max_size=2,
        ),
    },
)
some_logs = st.builds(
    lambda group, more: {
        "logDriver": "awslogs",
        "options": {"awslogs-group": group, "awslogs-region": "r", "awslogs-stream-prefix": "p", **more},
    },
    some_names,
    st.dictionaries(st.just("mode"), st.sampled_from(["blocking", "non-blocking"])),
)
some_members = st.fixed_dictionaries(
    {"image": some_images},
    optional={
        "essential": st.booleans(),
        "command": st.lists(some_texts, max_size=3),
        "entryPoint": st.lists(some_texts, max_size=2),
        "environment": st.lists(
            st.fixed_dictionaries({"name": some_names}, optional={"value": some_texts}), max_size=3
        ),
        "user": st.sampled_from(["root", "1000", "www-data:www-data", "1000:0"]),
        "workingDirectory": some_paths,
        "healthCheck": some_health_checks,
        "linuxParameters": some_linux,
        "logConfiguration": some_logs,
        "readonlyRootFilesystem": st.booleans(),
        "startTimeout": st.integers(2, 120),
        "stopTimeout": st.integers(2, 120),
        "versionConsistency": st.sampled_from(["enabled", "disabled"]),
        "dockerLabels": st.dictionaries(some_names, some_texts, max_size=2),
        "ulimits": st.just([{"name": "nofile", "softLimit": 10, "hardLimit": 20}]),
        "systemControls": st.just([{"namespace": "net.core.somaxconn", "value": "128"}]),
        "interactive": st.just(False),
        "links": st.just([]),
    },
)


@st.composite
def definitions(draw: st.DrawFn) -> Definition:
    """Definitions that Fargate accepts and Tidegate honours, by their members on the wire."""
    cpu = draw(st.sampled_from(sorted(FARGATE_SIZES)))
    memory = draw(st.sampled_from(sorted(FARGATE_SIZES[cpu])))
    names = draw(st.lists(some_names, min_size=1, max_size=4, unique=True))
    volumes = draw(st.lists(some_names, max_size=2, unique=True))
    containers = [{"name": name, **draw(some_members)} for name in names]
    containers[draw(st.integers(0, len(names) - 1))]["essential"] = True
    for number, container in enumerate(containers):
        _size(draw, container, cpu // len(names), memory // len(names))
        _connect(draw, container, containers[:number], number, volumes)
    return {
        "family": draw(some_names),
        "networkMode": "awsvpc",
        "requiresCompatibilities": draw(st.sampled_from([["FARGATE"], ["EC2", "FARGATE"], ["FARGATE", "FARGATE"]])),
        "cpu": draw(st.sampled_from([str(cpu), f"{cpu / 1024:g} vCPU"])),
        "memory": draw(st.sampled_from([str(memory), f"{memory / 1024:g}GB"])),
        "executionRoleArn": ROLE,
        "volumes": [draw(st.sampled_from([{"name": name}, {"name": name, "host": {}}])) for name in volumes],
        "containerDefinitions": containers,
        **draw(st.fixed_dictionaries({}, optional={"taskRoleArn": st.just(ROLE)})),
    }


def _size(draw: st.DrawFn, container: Container, cpu: int, memory: int) -> None:
    """Give the container at most its share of the task."""
    if draw(st.booleans()):
        container["cpu"] = draw(st.integers(0, cpu))
    if draw(st.booleans()):
        container["memory"] = draw(st.integers(6, memory))
        if draw(st.booleans()):
            container["memoryReservation"] = draw(st.integers(6, container["memory"]))


def _connect(draw: st.DrawFn, container: Container, earlier: list[Container], number: int, volumes: list[str]) -> None:
    """Let the container wait for earlier ones only, listen on ports of its own, and mount the task's volumes."""
    dependencies = []
    for other in earlier:
        conditions = ["START"]
        if not other.get("essential", True):
            conditions += ["COMPLETE", "SUCCESS"]
        if "healthCheck" in other:
            conditions.append("HEALTHY")
        if draw(st.booleans()):
            dependencies.append({"containerName": other["name"], "condition": draw(st.sampled_from(conditions))})
    container["dependsOn"] = dependencies
    port = 1000 * (number + 1) + draw(st.integers(0, 99))
    shapes = [
        [],
        [{"containerPort": port}],
        [{"containerPort": port, "hostPort": port, "protocol": "udp", "name": f"port-{number}"}],
        [{"containerPortRange": f"{port}-{port + 5}"}],
    ]
    container["portMappings"] = draw(st.sampled_from(shapes))
    container["mountPoints"] = [{"sourceVolume": name, "containerPath": f"/mnt/{name}"} for name in volumes]


@given(definitions())
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_the_normal_form_is_a_fixed_point(definition: Definition) -> None:
    """A valid definition is accepted; registering what describe answers gives the same again."""
    accepted = accept(decode(definition))
    assert "FARGATE" in (accepted.compatibilities or ())
    described: Definition = msgspec.json.decode(msgspec.json.encode(accepted))
    again = {name: value for name, value in described.items() if name not in ADDED}
    assert accept(decode(again)) == accepted


@given(definitions())
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_nothing_that_was_given_is_lost(definition: Definition) -> None:
    """Every member of the request is in the answer, but for those that normalisation is there to rewrite."""
    described = msgspec.json.decode(msgspec.json.encode(accept(decode(definition))))
    rewritten = {"cpu", "memory", "requiresCompatibilities", "volumes", "containerDefinitions"}
    for name in definition.keys() - rewritten:
        assert described[name] == definition[name]
    for before, after in zip(definition["containerDefinitions"], described["containerDefinitions"], strict=True):
        for name in before.keys() - {"portMappings", "healthCheck"}:
            assert after[name] == before[name]
        assert len(after["portMappings"]) == len(before["portMappings"])


def _set(member: str, value: Any) -> Callable[[Definition, Container], None]:
    def mutate(definition: Definition, container: Container) -> None:
        container[member] = value

    return mutate


def _task(member: str, value: Any) -> Callable[[Definition, Container], None]:
    def mutate(definition: Definition, container: Container) -> None:
        definition[member] = value

    return mutate


def _none_essential(definition: Definition, container: Container) -> None:
    for each in definition["containerDefinitions"]:
        each["essential"] = False


def _copy_name(definition: Definition, container: Container) -> None:
    definition["containerDefinitions"].append({"name": container["name"], "image": "nginx"})


def _wait_for_itself(definition: Definition, container: Container) -> None:
    container["dependsOn"].append({"containerName": container["name"], "condition": "START"})


MUTATIONS: list[tuple[Callable[[Definition, Container], None], str]] = [
    (_task("family", "a b"), "Family contains invalid characters."),
    (_task("networkMode", "bridge"), "Fargate only supports network mode ‘awsvpc’."),
    (_task("cpu", "100"), "No Fargate configuration exists for given values"),
    (_task("cpu", "much"), "Invalid 'cpu' setting for task."),
    (_task("memory", "1 GiB"), "Invalid 'memory' setting for task."),
    (_task("memory", None), "Fargate requires that 'memory' be defined at the task level."),
    (_task("pidMode", "host"), "Tasks using the Fargate launch type do not support pidMode 'host'."),
    (_task("ipcMode", "none"), "Fargate compatible task definitions do not support ipcMode"),
    (_task("containerDefinitions", []), "Container list cannot be empty."),
    (_task("tags", []), "Tags can not be empty."),
    (_task("ephemeralStorage", {"sizeInGiB": 201}), "EphemeralStorage size should be at most 200"),
    (_none_essential, "Task definition doesn't have any essential container"),
    (_copy_name, "Container names must be unique within a task definition."),
    (_wait_for_itself, "Container dependencies must not form a cycle"),
    (_set("image", "a b"), "Container.image contains invalid characters."),
    (_set("name", ""), "Container.name should not be null or empty."),
    (_set("memory", 10**6), "The 'memory' setting for container"),
    (_set("cpu", 10**6), "The sum of all container 'cpu' values"),
    (_set("privileged", True), "Fargate requires that the 'privileged' setting be 'false'"),
    (_set("links", ["a"]), "Links are not supported when networkMode=awsvpc"),
    (_set("stopTimeout", 121), "Tasks using the Fargate launch type must have a container stop timeout"),
    (_set("mountPoints", [{"sourceVolume": "no-such-volume", "containerPath": "/x"}]), "Unknown volume"),
    (_set("portMappings", [{"containerPort": 80, "hostPort": 81}]), "When networkMode=awsvpc, the host ports"),
    (_set("dependsOn", [{"containerName": "no-such-container", "condition": "START"}]), "Cannot depend on container"),
    (_set("healthCheck", {"command": ["CMD", "true"], "retries": 11}), "Invalid setting for container"),
    (_set("logConfiguration", {"logDriver": "syslog"}), "syslog is not a valid log driver."),
    (_set("ulimits", [{"name": "core", "softLimit": 2, "hardLimit": 1}]), "Soft limit exceeds hard limit"),
    (
        _set("secrets", [{"name": "no-such-variable", "valueFrom": "a b"}]),
        "The Systems Manager parameter name specified",
    ),
    (_set("credentialSpecs", ["credentialspec:arn"]), "Tidegate does not support yet"),
]


@pytest.mark.parametrize(("mutate", "message"), MUTATIONS, ids=[message for _, message in MUTATIONS])
@given(definition=definitions(), chosen=st.integers(0, 3))
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=15)
def test_one_fault_is_refused_with_its_message(
    mutate: Callable[[Definition, Container], None], message: str, definition: Definition, chosen: int
) -> None:
    """Whatever else a definition holds, the one thing that is wrong with it is what the answer names."""
    broken = copy.deepcopy(definition)
    containers = broken["containerDefinitions"]
    container = containers[chosen % len(containers)]
    # A container that others wait for by name or condition would be faulty twice.
    assume(all(container["name"] != each["containerName"] for other in containers for each in other["dependsOn"]))
    if mutate is _none_essential:
        for each in containers:
            each["dependsOn"] = []
    mutate(broken, container)
    assert refusal(decode(broken)).startswith(message)


@given(definitions())
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=30)
def test_whatever_is_kept_can_be_read_back(definition: Definition) -> None:
    """The stored form survives the wire: what describe answers decodes to what was stored."""
    accepted = accept(decode(definition))
    assert msgspec.json.decode(msgspec.json.encode(accepted), type=ecs.TaskDefinition) == accepted
