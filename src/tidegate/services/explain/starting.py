"""
Rules for tasks that never came to run: no image, no log group, no secret, no room, no such program.

Each row goes by what is said of the task or its containers, which is ECS's text; so the texts are the patterns.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from tidegate.services.explain.facts import ContainerFacts, Explanation, Facts, Rule, output_evidence, probe_evidence

_IMAGE = re.compile(r"CannotPull\w*Error|ContainerRuntimeTimeoutError: Could not transition to pulled", re.IGNORECASE)


@dataclass(frozen=True)
class _Row:
    """One cause of a failed start: told by a pattern in the reasons."""

    rule: str
    pattern: str
    headline: str
    cause: str
    remedies: tuple[str, ...]
    within: re.Pattern[str] | None = None
    """Another pattern that must be there as well."""


_ROWS: tuple[_Row, ...] = (
    _Row(
        "wrong-architecture",
        r"descriptor matching platform|exec format error",
        "The image is for another kind of processor.",
        "The image has nothing for the architecture that the task runs on, or a program in it is for another one.",
        (
            "Build it for this architecture: docker buildx build --platform linux/amd64 (or linux/arm64).",
            "Or let the task definition say what the image is for: `runtimePlatform.cpuArchitecture`.",
            "A script gives this error as well if its first line is not `#!` and an interpreter.",
        ),
    ),
    _Row(
        "image-not-permitted",
        r"permissions to pull|pull access denied|unauthorized|authentication required",
        "The registry does not let us have the image.",
        "The registry wants credentials, or refuses those that it was shown. Some say so of an image"
        " that is not there.",
        (
            "Log in where the server finds it: docker login REGISTRY, as the server's user; or"
            " `repositoryCredentials`.",
            "See that the image's name is right: registry/repository:tag.",
        ),
        _IMAGE,
    ),
    _Row(
        "too-many-pulls",
        r"toomanyrequests|too many requests",
        "The registry has had enough of us for now.",
        "It counts how often images are pulled from one address, and the limit is reached.",
        ("Log in to the registry, which raises the limit; or pull from a mirror; or wait.",),
        _IMAGE,
    ),
    _Row(
        "image-not-found",
        r"Check whether the image exists|not found|manifest unknown|name unknown",
        "There is no such image.",
        "The registry answers, but has no such repository, tag or digest.",
        (
            "See that the name and the tag are right; a name without a registry is one of docker.io.",
            "An image that is only on this machine is brought in by: tidegate image import FILE --tag NAME",
            "tidegate images lists what is here.",
        ),
        _IMAGE,
    ),
    _Row(
        "no-room-for-image",
        r"no space left on device",
        "There is no room for the image.",
        "The disk that holds images, or the task's own, was full while the image was unpacked.",
        (
            "Free what no image and no task needs: tidegate image prune",
            "Or give the task more `ephemeralStorage`, or the state directory a larger disk.",
        ),
        _IMAGE,
    ),
    _Row(
        "image-unreachable",
        r"Check your network configuration|connection refused|no such host|timeout|timed out|unreachable|x509|tls",
        "The registry can't be reached.",
        "The name is not known, nobody listens, the connection breaks, or its certificate is not trusted.",
        (
            "Try it from this machine: skopeo inspect docker://IMAGE",
            "A registry without TLS must be named to the server: --insecure-registry HOST:PORT",
            "Without a network, bring images in by: tidegate image import FILE --tag NAME",
        ),
        _IMAGE,
    ),
    _Row(
        "image",
        _IMAGE.pattern,
        "The image could not be pulled.",
        "The reason below is the registry's, or that of what it sent.",
        ("Try it by hand: tidegate image pull IMAGE",),
    ),
    _Row(
        "no-log-group",
        r"failed to validate logger args|cannot find the Amazon CloudWatch log group|failed to"
        r" initialize logging driver",
        "Its log group does not exist.",
        "A container writes to a log group (`awslogs-group`) that nobody has made.",
        (
            "Make it: aws logs create-log-group --log-group-name NAME",
            'Or let the task make it: "awslogs-create-group": "true" in the options of the logConfiguration.',
        ),
    ),
    _Row(
        "secret-denied",
        r"(?s)unable to pull secrets.*(AccessDenied|not authorized|is not allowed)",
        "It may not read a secret.",
        "Secrets are read with the task's execution role, and that role is not allowed to read this one.",
        (
            "Give the execution role ssm:GetParameters or secretsmanager:GetSecretValue on it.",
            "See that `executionRoleArn` names the role that is meant.",
        ),
    ),
    _Row(
        "secret-not-found",
        r"(?s)unable to pull secrets.*(not found|ResourceNotFound|ParameterNotFound|can't find|invalid ssm parameters)",
        "A secret is not there.",
        "The task definition names a parameter or a secret (or a key or a version in it) that does not exist.",
        (
            "See what there is: aws ssm describe-parameters, aws secretsmanager list-secrets",
            "See that `valueFrom` is right: a parameter's name, or a secret's ARN with `:key:stage:version`.",
        ),
    ),
    _Row(
        "secrets",
        r"unable to pull secrets",
        "Its secrets could not be read.",
        "What `secrets` of the task definition names could not be had before its containers were started.",
        ("The reason below says which, and why.",),
    ),
    _Row(
        "environment-file",
        r"failed to download env files",
        "An environment file could not be read.",
        "What `environmentFiles` of the task definition names could not be had, or is not one.",
        ("See that the file is where the task definition says, and that its lines are NAME=VALUE.",),
    ),
    _Row(
        "no-such-role",
        r"unable to assume the role|role .* (does not exist|cannot be found)|NoSuchEntity",
        "There is no such role.",
        "The task definition names a role that does not exist, or that a task may not take on.",
        (
            "Make it (aws iam create-role), with ecs-tasks.amazonaws.com in its trust policy.",
            "Or leave the role out: `taskRoleArn`, `executionRoleArn`.",
        ),
    ),
    _Row(
        "no-such-program",
        r"executable file .*not found|no such file or directory|not found in \$PATH|unable to find user",
        "The container has no such program.",
        "What the container is to run (`entryPoint` and `command`, or the image's own) is not in the image, or the user"
        " is not; or it is a script whose interpreter is not there.",
        (
            "Look into the image: tidegate run IMAGE --entrypoint sh --wait -- -c 'ls /'",
            '`command` is a list of words, not a line for a shell: ["sh", "-c", "..."]',
        ),
        re.compile(r"CannotStartContainerError|CannotCreateContainerError"),
    ),
    _Row(
        "not-executable",
        r"permission denied",
        "The container's program can't be executed.",
        "The file is there, but is not marked as executable, or the container's user may not execute it.",
        ("In the Dockerfile: RUN chmod +x FILE. In a volume: see that it is not mounted noexec.",),
        re.compile(r"CannotStartContainerError"),
    ),
    _Row(
        "start-timeout",
        r"ContainerRuntimeTimeoutError|DockerTimeoutError|Timeout waiting for network interface",
        "Starting took too long.",
        "A step of the start did not come to its end in time; mostly the machine is overloaded.",
        ("Try again; if it happens often, start fewer tasks at once, or on a larger machine.",),
    ),
    _Row(
        "no-address",
        r"InsufficientFreeAddressesInSubnet|Error retrieving subnet",
        "Its subnet has no address left.",
        "Each task has an address of its own, and all of this subnet are taken.",
        ("Stop tasks that are not needed, or name another subnet as well.",),
    ),
    _Row(
        "no-capacity",
        r"Capacity is unavailable|not compatible with the selected compute strategy|RESOURCE:",
        "It can never run here.",
        "No node is large enough for what the task asks, or of the architecture that it wants.",
        ("Ask for less `cpu` and `memory`, or run it on a larger machine.",),
    ),
    _Row(
        "disk-full",
        r"[Nn]o space left on device|disk quota exceeded|ephemeral storage",
        "The disk is full.",
        "The machine had no room for what the task needs before it runs.",
        ("Free room in the server's state directory; tidegate image prune frees images that nobody uses.",),
    ),
)


def _find_never(facts: Facts) -> ContainerFacts | None:
    """A container that could not be started because of another."""
    return next((c for c in facts.containers if "container dependency" in c.status.reason), None)


def _dependency(facts: Facts) -> Explanation | None:
    waiting = _find_never(facts)
    if waiting is None:
        return None
    found = re.search(r"container dependency (\S+) cannot reach (\w+): (.*)", waiting.status.reason)
    name, condition, why = found.groups() if found else ("", "", "")
    other = next((c for c in facts.containers if c.name == name), None)
    evidence = (
        waiting.status.reason,
        *(probe_evidence(other) if other else ()),
        *(output_evidence(other) if other else ()),
    )
    return Explanation(
        rule="dependency-never-reached",
        headline=f"{waiting.name} was never started, because of {name or 'another container'}.",
        cause=f"{waiting.name} depends on {name} being {condition}, and that can't come any more: {why}.",
        evidence=evidence,
        remedies=(
            f"Find out why {name} does not get there: the lines above are its last.",
            "HEALTHY wants a health check that succeeds; SUCCESS an exit code of 0; a `startTimeout`"
            " must be long enough.",
        ),
    )


def _matches(row: _Row) -> Callable[[Facts], bool]:
    pattern = re.compile(row.pattern, re.IGNORECASE)

    def applies(facts: Facts) -> bool:
        text = facts.all_reasons
        is_within = row.within is None or row.within.search(text) is not None
        return facts.status.stop_code == "TaskFailedToStart" and is_within and pattern.search(text) is not None

    return applies


def _tell(row: _Row) -> Callable[[Facts], Explanation]:
    def explain(facts: Facts) -> Explanation:
        return Explanation(row.rule, row.headline, row.cause, tuple(facts.all_reasons.splitlines()), row.remedies)

    return explain


def _failed(facts: Facts) -> Explanation:
    return Explanation(
        rule="failed-to-start",
        headline="It could not be started.",
        cause="The reason below is all that is known.",
        evidence=tuple(facts.all_reasons.splitlines()) or ("no reason was given",),
        remedies=("The server's log may say more; `tidegate describe` shows how far it came.",),
    )


def _failed_to_start(facts: Facts) -> bool:
    return facts.status.stop_code == "TaskFailedToStart"


RULES: tuple[Rule, ...] = (
    Rule("dependency-never-reached", _failed_to_start, _dependency),
    *(Rule(row.rule, _matches(row), _tell(row)) for row in _ROWS),
    Rule("failed-to-start", _failed_to_start, _failed),
)
"""In this order: what is special before what is general."""
