"""What RegisterTaskDefinition refuses. Texts: AWS's, as the documents and other people's logs have them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from conformance.bad_calls.faults import DROP, Fault, each
from conformance.bad_calls.seeds_ecs import SETUP, WEB

NAME = "RegisterTaskDefinition"
WEB_AT = "containerDefinitions[0]"
BRIDGE = 1
BAD_NAMES = ("", " ", "a b", "a.b", "a/b", "é", "a\0", "a\n", "x" * 256)
BAD_SIZES = ("", " ", "abc", "-1", "0", "1.5", "1e3", "0x100", "½", "1 TB", "1,024", "1" * 12, "NaN", "256\0")
FAMILY = "Family contains invalid characters."
CPU, MEMORY = "Invalid 'cpu' setting for task.", "Invalid 'memory' setting for task."
NO_SIZE = "No Fargate configuration exists for given values: …"
AWSVPC_ONLY = "Fargate only supports network mode ‘awsvpc’."
PORTS_MATCH = "When networkMode=awsvpc, the host ports and container ports in port mappings must match."
DRIVERS = "… is not a valid log driver. Must be one of [awslogs, splunk, awsfirelens]"
ROLE_FOR_ECR = "Fargate requires task definition to have execution role ARN to support ECR images."
ROLE_FOR_LOGS = "Fargate requires task definition to have execution role ARN to support log driver awslogs."
ECR = "123456789012.dkr.ecr.eu-north-1.amazonaws.com/app:1"
SAME_NAME = (
    "The secret name must be unique and not shared with any new or existing environment variables set on the "
    "container, such as 'STAGE'."
)


def definition_faults() -> Iterator[Fault]:
    """All of them."""
    yield from _task_faults()
    yield from _size_faults()
    yield from _fargate_faults()
    yield from _container_faults()
    yield from _port_faults()
    yield from _start_faults()
    yield from _process_faults()
    yield from _linux_faults()
    yield from _storage_faults()
    yield from _log_faults()
    yield from _configuration_faults()


def at(path: str, *values: Any, text: str | None = None, seed: int = 0) -> Iterator[Fault]:
    """Faults of the definition: a ClientException, as all of them are."""
    return each(NAME, "ClientException", path, *values, text=text, seed=seed)


def both(changes: dict[str, Any], text: str | None = None, seed: int = 0) -> Fault:
    """A fault that takes more than one change."""
    return Fault(NAME, changes, "ClientException", text, seed)


def _task_faults() -> Iterator[Fault]:
    yield from at("family", *BAD_NAMES, text=FAMILY)
    yield from at("containerDefinitions", [], text="Container list cannot be empty.")
    yield from at("containerDefinitions", [{**SETUP, "name": f"c{n}", "essential": True} for n in range(11)])
    yield from at("taskRoleArn", "a b", "arn:aws:iam::123456789012:user/me", "arn:aws:iam::12:role/x", "x" * 3000, "\0")
    yield from at("executionRoleArn", "a b", "arn:aws:iam::123456789012:user/me", "arn:aws:sqs:::x", "x" * 3000, "\0")
    yield from at("placementConstraints", [{"type": "memberOf", "expression": "x" * 2001}], seed=BRIDGE)
    yield from at("placementConstraints", [{"type": "memberOf", "expression": "a == b"}] * 11, seed=BRIDGE)
    yield from at("placementConstraints", [{"type": "memberOf"}], [{"expression": "a == b"}], [{}], seed=BRIDGE)
    yield from at("inferenceAccelerators", [{"deviceName": "a", "deviceType": "b"}])
    yield from at("requiresCompatibilities", ["EXTERNAL"])
    yield from at("tags", [], text="Tags can not be empty.")
    yield from at(WEB_AT + ".command", ["x" * 70_000])
    for key in ("", "aws:mine", "AWS:mine", "x" * 129, "a<b", "a\0", "a\n"):
        yield Fault(NAME, {"tags": [{"key": key, "value": "v"}]}, "*")
    for value in ("x" * 257, "a<b", "a\0", "#"):
        yield Fault(NAME, {"tags": [{"key": "k", "value": value}]}, "*")
    for tags in ([{"value": "v"}], [{}], [{"key": "k", "value": "a"}, {"key": "k", "value": "b"}]):
        yield Fault(NAME, {"tags": tags}, "InvalidParameterException")


def _size_faults() -> Iterator[Fault]:
    yield from at("cpu", *BAD_SIZES, "1GB", text=CPU)
    yield from at("memory", *BAD_SIZES, "1 vCPU", text=MEMORY)
    yield from at("cpu", "1", "128", "255", "257", "300", "512.0 vCPU", "65536", "1024", "4 vCPU", text=NO_SIZE)
    yield from at("memory", "1", "511", "513", "1000", "1536", "3072", "4096", "2.5GB", "1024GB", text=NO_SIZE)
    pairs = [(512, 512), (512, 5120), (1024, 1024), (1024, 9216), (2048, 3072), (4096, 31744), (8192, 17408)]
    for cpu, memory in [*pairs, (8192, 65536), (16384, 33792), (16384, 131072), (32768, 65536)]:
        yield both({"cpu": str(cpu), "memory": str(memory)}, NO_SIZE)
    yield from at("cpu", DROP, text="Fargate requires that 'cpu' be defined at the task level.")
    yield from at("memory", DROP, text="Fargate requires that 'memory' be defined at the task level.")
    yield from at("cpu", "1", "127", "196609", seed=BRIDGE)
    for where in (WEB_AT, "containerDefinitions[1]"):
        yield from at(f"{where}.cpu", -1, 257, 10_000)
        yield from at(f"{where}.memory", -1, 0, 3, 5, 513, 100_000)
        yield from at(f"{where}.memoryReservation", -1, 0, 5, 513)
    yield both({f"{WEB_AT}.memory": 100, f"{WEB_AT}.memoryReservation": 101})
    yield both({f"{WEB_AT}.memory": 300, "containerDefinitions[1].memory": 300})
    yield both({f"{WEB_AT}.cpu": 200, "containerDefinitions[1].cpu": 200})
    nothing = {f"{WEB_AT}.memory": DROP, f"{WEB_AT}.memoryReservation": DROP}
    text = "Invalid setting for container 'main'. At least one of 'memory' or 'memoryReservation' must be specified."
    yield both(nothing, text, seed=BRIDGE)


def _fargate_faults() -> Iterator[Fault]:
    yield from at("networkMode", "bridge", "host", "none", DROP, text=AWSVPC_ONLY)
    pid = (
        "Tasks using the Fargate launch type do not support pidMode 'host'. The supported value for pidMode is 'task'."
    )
    yield from at("pidMode", "host", text=pid)
    yield from at("ipcMode", "host", "task", "none")
    yield from at("placementConstraints", [{"type": "memberOf", "expression": "attribute:ecs.os-type == linux"}])
    yield from at("ephemeralStorage", {"sizeInGiB": 20}, text="EphemeralStorage size should be at least 21")
    yield from at("ephemeralStorage", {"sizeInGiB": 0}, {"sizeInGiB": -1})
    yield from at("ephemeralStorage", {"sizeInGiB": 201}, text="EphemeralStorage size should be at most 200")
    yield from at("runtimePlatform.operatingSystemFamily", "WINDOWS_SERVER_2016_FULL", "WINDOWS_SERVER_2004_CORE")
    windows = {"runtimePlatform.operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}
    yield both(windows | {"runtimePlatform.cpuArchitecture": "ARM64"})
    gpu = "Tasks using the Fargate launch type do not support GPU resource requirements"
    yield from at(WEB_AT + ".resourceRequirements", [{"type": "GPU", "value": "1"}], text=gpu)
    yield from at(WEB_AT + ".resourceRequirements", [{"type": "InferenceAccelerator", "value": "a"}])
    for member, value in {
        "links": ["setup:s"],
        "hostname": "web",
        "dnsServers": ["10.0.0.2"],
        "dnsSearchDomains": ["example.com"],
        "extraHosts": [{"hostname": "db", "ipAddress": "10.0.0.9"}],
        "disableNetworking": True,
        "privileged": True,
        "dockerSecurityOptions": ["no-new-privileges"],
        "credentialSpecs": ["credentialspec:arn:aws:s3:::bucket/key"],
    }.items():
        yield from at(f"{WEB_AT}.{member}", value)
    yield from at(WEB_AT + ".linuxParameters.devices", [{"hostPath": "/dev/fuse"}])
    yield from at(WEB_AT + ".linuxParameters.maxSwap", 64)
    yield from at(WEB_AT + ".linuxParameters.swappiness", 60)
    yield from at(WEB_AT + ".linuxParameters.capabilities.add", ["NET_ADMIN"], ["ALL"], ["SYS_PTRACE", "SYS_ADMIN"])
    stop = "Tasks using the Fargate launch type must have a container stop timeout of less than 120 seconds."
    yield from at(WEB_AT + ".stopTimeout", 121, 3600, text=stop)
    no_role = {"executionRoleArn": DROP}
    yield both(no_role, ROLE_FOR_LOGS)
    yield both(no_role | {f"{WEB_AT}.image": ECR}, "Fargate requires task definition to have execution role ARN to …")
    plain = {f"{WEB_AT}.logConfiguration": DROP, "containerDefinitions[1].logConfiguration": DROP}
    yield both(no_role | plain | {f"{WEB_AT}.image": ECR}, ROLE_FOR_ECR)
    secret = [{"name": "KEY", "valueFrom": "arn:aws:ssm:eu-north-1:123456789012:parameter/key"}]
    yield both(no_role | plain | {f"{WEB_AT}.secrets": secret})


def _container_faults() -> Iterator[Fault]:
    for where in (WEB_AT, "containerDefinitions[1]"):
        yield from at(f"{where}.name", "", DROP, text="Container.name should not be null or empty.")
        yield from at(f"{where}.name", *BAD_NAMES[1:])
        yield from at(f"{where}.image", "", DROP, text="Container.image should not be null or empty.")
        bad = (" ", "a b", "é", "a\0", "a@b", "web@sha256:12", "a\n", "a;b", "a$b", "web@sha256:" + "g" * 64)
        yield from at(f"{where}.image", *bad, text="Container.image contains invalid characters.")
        yield from at(f"{where}.image", "x" * 256, "x" * 256 + "@sha256:" + "0" * 64)
    yield from at("containerDefinitions[1].name", "web")
    yield both({f"{WEB_AT}.essential": False, f"{WEB_AT}.dependsOn": DROP})
    yield from at(WEB_AT + ".user", " ", "a b", "a:b:c", ":", "a:", ":a", "a\0", "a\nb", "x" * 300)
    yield from at(WEB_AT + ".environment", [{"name": "", "value": "v"}], [{"value": "v"}], [{"name": "a=b"}], [{}])
    yield from at(WEB_AT + ".environment", [{"name": "a\0", "value": "v"}], [{"name": "a", "value": "\0"}])
    for member in ("entryPoint", "command"):
        yield from at(f"{WEB_AT}.{member}", ["a\0"])
    yield from at(WEB_AT + ".workingDirectory", "a\0")
    yield from at(WEB_AT + ".dockerLabels", {"a\0": "b"}, {"a": "\0"})
    for policy in ({"restartAttemptPeriod": 59}, {"restartAttemptPeriod": 1801}, {"ignoredExitCodes": [0] * 51}):
        yield from at(WEB_AT + ".restartPolicy", {"enabled": True, **policy}, {"enabled": False, **policy})


def _port_faults() -> Iterator[Fault]:
    ports = WEB_AT + ".portMappings"
    yield from at(ports, [{"containerPort": 0}], [{"containerPort": -1}], [{"containerPort": 65536}], [{}])
    yield from at(ports, [{"hostPort": 80}], [{"protocol": "tcp"}], [{"containerPort": 2**31 - 1}])
    yield from at(ports, [{"containerPort": 80, "hostPort": 8080}], text=PORTS_MATCH)
    yield from at(ports, [{"containerPort": 80, "hostPort": 0}], text=PORTS_MATCH)
    twice = [{"containerPort": 80}, {"containerPort": 80}]
    yield from at(ports, twice, [{"containerPort": 80}, {"containerPortRange": "70-90"}])
    yield from at("containerDefinitions[1].portMappings", [{"containerPort": 80}])
    for text in ("", "80", "80-", "-80", "90-80", "80-80", "0-10", "1-65536", "a-b", "1-2-3", "1 - 2", "80-90\n"):
        yield from at(ports, [{"containerPortRange": text}])
    yield from at(ports, [{"containerPortRange": "80-90", "containerPort": 80}])
    yield from at(ports, [{"containerPortRange": "80-90", "hostPort": 80}])
    many = [{"containerPortRange": f"{n * 10 + 1}-{n * 10 + 2}"} for n in range(101)]
    yield from at(ports, many)
    for name in ("", "Http", "a b", "-a", "é", "x" * 65, "a.b", "a\0"):
        yield from at(ports, [{"containerPort": 80, "name": name}])
    yield from at(ports, [{"containerPort": 80, "name": "a"}, {"containerPort": 81, "name": "a"}])
    yield from at("containerDefinitions[1].portMappings", [{"containerPort": 81, "name": "http"}])
    yield both({"networkMode": "none", f"{WEB_AT}.portMappings": [{"containerPort": 80}]}, seed=BRIDGE)
    host = {"networkMode": "host", f"{WEB_AT}.links": DROP, f"{WEB_AT}.hostname": DROP}
    yield both(host | {f"{WEB_AT}.portMappings": [{"containerPort": 80, "hostPort": 81}]}, seed=BRIDGE)
    yield from at(WEB_AT + ".portMappings", [{"containerPort": 80, "hostPort": 65536}], seed=BRIDGE)


def _start_faults() -> Iterator[Fault]:
    depends = WEB_AT + ".dependsOn"
    missing = "Cannot depend on container + 'nobody' because it does not exist"
    yield from at(depends, [{"containerName": "nobody", "condition": "START"}], text=missing)
    yield from at(
        depends, [{"containerName": "web", "condition": "START"}], [{"containerName": "", "condition": "START"}]
    )
    unhealthy = "A dependency container with HEALTHY condition must have health check configured"
    yield from at(depends, [{"containerName": "setup", "condition": "HEALTHY"}], text=unhealthy)
    essential = "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container"
    for condition in ("SUCCESS", "COMPLETE"):
        yield from at("containerDefinitions[1].essential", True, text=essential)
        change = {
            "containerDefinitions[1].essential": True,
            "containerDefinitions[0].dependsOn[0].condition": condition,
        }
        yield both(change, essential)
    cycle = {"containerDefinitions[1].dependsOn": [{"containerName": "web", "condition": "START"}]}
    yield both(cycle)
    third = [WEB | {"dependsOn": [{"containerName": "b", "condition": "START"}]}]
    third += [SETUP | {"name": "b", "dependsOn": [{"containerName": "c", "condition": "START"}]}]
    third += [SETUP | {"name": "c", "dependsOn": [{"containerName": "web", "condition": "START"}]}]
    yield from at("containerDefinitions", third)
    yield from at(WEB_AT + ".startTimeout", -1, 0, 1, 121, 3600)
    yield from at(WEB_AT + ".stopTimeout", -1, 0, 1)
    yield both({"networkMode": "host", f"{WEB_AT}.hostname": DROP}, seed=BRIDGE)


def _process_faults() -> Iterator[Fault]:
    check = WEB_AT + ".healthCheck"
    yield from at(f"{check}.command", [], ["CMD"], ["CMD-SHELL"], ["CMD-SHELL", "a\0"], [""])
    for member, values in {
        "interval": (-1, 0, 4, 301),
        "timeout": (-1, 0, 1, 61),
        "retries": (-1, 0, 11),
        "startPeriod": (-1, 301),
    }.items():
        yield from at(f"{check}.{member}", *values)
    limits = WEB_AT + ".ulimits"
    yield from at(limits, [{"name": "nofile", "softLimit": 2, "hardLimit": 1}])
    yield from at(limits, [{"name": "nofile", "softLimit": -2, "hardLimit": 1}])
    yield from at(limits, [{"name": "nofile", "softLimit": 1, "hardLimit": 1048577}])
    yield from at(limits, [{"name": "core", "softLimit": 1, "hardLimit": 1}] * 2)
    controls = WEB_AT + ".systemControls"
    for namespace in ("", "kernel.hostname", "vm.swappiness", "kernel.core_pattern", "net", "net.", "fs.file-max"):
        yield from at(controls, [{"namespace": namespace, "value": "1"}])
    for namespace in ("net/core/somaxconn/../../kernel/hostname", "net.a b", "net.a\0", "kernel.shm_rmid_forced\n"):
        yield from at(controls, [{"namespace": namespace, "value": "1"}])
    yield from at(controls, [{"namespace": "net.core.somaxconn", "value": "1\0"}])
    yield from at(controls, [{"namespace": "net.core.somaxconn"}], [{"value": "1"}], [{}])
    host = {"networkMode": "host", f"{WEB_AT}.links": DROP, f"{WEB_AT}.hostname": DROP, f"{WEB_AT}.dnsServers": DROP}
    plain = host | {f"{WEB_AT}.extraHosts": DROP}
    net = {f"{WEB_AT}.systemControls": [{"namespace": "net.core.somaxconn", "value": "1"}]}
    yield both(plain | net, seed=BRIDGE)
    ipc = {"ipcMode": "host", f"{WEB_AT}.systemControls": [{"namespace": "kernel.msgmax", "value": "1"}]}
    yield both(ipc, seed=BRIDGE)


def _linux_faults() -> Iterator[Fault]:
    linux = WEB_AT + ".linuxParameters"
    yield from at(f"{linux}.capabilities.add", ["NO_SUCH"], ["cap_chown"], [""], ["CHOWN\0"])
    yield from at(f"{linux}.capabilities.drop", ["NO_SUCH"], ["CAP_CHOWN"], [""])
    yield from at(f"{linux}.tmpfs", [{"containerPath": "tmp", "size": 1}], [{"containerPath": "/tmp", "size": 0}])
    yield from at(f"{linux}.tmpfs", [{"containerPath": "/tmp", "size": -1}], [{"containerPath": "", "size": 1}])
    options = {"containerPath": "/tmp", "size": 1, "mountOptions": ["no-such-option"]}
    yield from at(f"{linux}.tmpfs", [options])
    yield from at(f"{linux}.sharedMemorySize", -1, 0)
    yield from at(f"{linux}.swappiness", -1, 101, seed=BRIDGE)
    yield from at(f"{linux}.maxSwap", -2, seed=BRIDGE)


def _storage_faults() -> Iterator[Fault]:
    yield from at("volumes", [{"name": name} for name in ("shared", "shared")])
    for name in BAD_NAMES:
        yield both({"volumes[1]": {"name": name}})
    yield from at("volumes", [{"host": {}}])
    yield from at("volumes[0].host.sourcePath", "/srv")
    yield from at("volumes[0]", {"name": "shared", "dockerVolumeConfiguration": {"scope": "task"}})
    efs = {"fileSystemId": "fs-12345678"}
    yield from at("volumes[0]", {"name": "shared", "host": {}, "efsVolumeConfiguration": efs})
    at_launch = [{"name": "shared", "configuredAtLaunch": True}, {"name": "other", "configuredAtLaunch": True}]
    yield from at("volumes", at_launch)
    idle = "Volumes [idle] are not referenced by any of the containers"
    yield from at("volumes[1]", {"name": "idle", "configuredAtLaunch": True}, text=idle)
    mounts = WEB_AT + ".mountPoints"
    for path in ("", "data", "../data", "/a/../b", "/a\0", DROP):
        value = {"sourceVolume": "shared", "containerPath": path}
        yield from at(mounts, [{k: v for k, v in value.items() if v is not DROP}])
    yield from at(mounts, [{"sourceVolume": "nothing", "containerPath": "/data"}], [{"containerPath": "/data"}], [{}])
    yield from at(mounts, [{"sourceVolume": "shared", "containerPath": "/data"}] * 2)
    where = "volumes[2].efsVolumeConfiguration"
    yield from at(f"{where}.rootDirectory", "/data", seed=BRIDGE)
    yield from at(f"{where}.transitEncryption", "DISABLED", DROP, seed=BRIDGE)
    yield from at(f"{where}.transitEncryptionPort", -1, 65536, seed=BRIDGE)
    yield from at(f"{where}.fileSystemId", "", "nothing", "fs-", "fs-../../etc", "fs-1234\0", seed=BRIDGE)
    yield both(
        {f"{where}.authorizationConfig.accessPointId": DROP, f"{where}.transitEncryption": "DISABLED"}, seed=BRIDGE
    )
    for source in ("nobody", "main", "", DROP):
        value = {} if source is DROP else {"sourceContainer": source}
        yield from at(WEB_AT + ".volumesFrom", [value], seed=BRIDGE)


def _log_faults() -> Iterator[Fault]:
    log = WEB_AT + ".logConfiguration"
    for driver in ("json-file", "syslog", "journald", "gelf", "fluentd"):
        yield from at(log, {"logDriver": driver}, text=DRIVERS)
    required = "Log driver awslogs requires options: awslogs-region, awslogs-group"
    yield from at(f"{log}.options.awslogs-group", DROP)
    yield from at(f"{log}.options.awslogs-region", DROP)
    yield from at(f"{log}.options", {}, DROP, text=required)
    yield from at(f"{log}.options.awslogs-stream-prefix", DROP)
    yield from at(f"{log}.options.no-such-option", "x")
    yield from at(f"{log}.options.awslogs-create-group", "", "yes", "TRUE!", "1 ")
    yield from at(f"{log}.options.mode", "", "Blocking", "sometimes")
    yield from at(f"{log}.options.max-buffer-size", "", "lots", "-1m", "1q", "0x10")
    yield from at(f"{log}.options.awslogs-group", "", "a b", "é", "x" * 513)
    secret = [{"name": "token", "valueFrom": "arn:aws:ssm:eu-north-1:123456789012:parameter/t"}]
    yield from at(log, {"logDriver": "splunk"}, {"logDriver": "splunk", "options": {"splunk-url": "u"}})
    yield from at(log, {"logDriver": "awsfirelens"}, {"logDriver": "awsfirelens", "secretOptions": secret})
    router = {"type": "fluentbit"}
    for options in ({"config-file-type": "s3", "config-file-value": "arn:aws:s3:::b/k"}, {"config-file-type": "x"}):
        yield from at(WEB_AT + ".firelensConfiguration", router | {"options": options})
    two = {f"{WEB_AT}.firelensConfiguration": router, "containerDefinitions[1].firelensConfiguration": router}
    yield both(two)


def _configuration_faults() -> Iterator[Fault]:
    secret = {"name": "KEY", "valueFrom": "arn:aws:ssm:eu-north-1:123456789012:parameter/key"}
    yield from at(WEB_AT + ".secrets", [{**secret, "name": "STAGE"}], text=SAME_NAME)
    yield from at(WEB_AT + ".secrets", [secret, secret], [{**secret, "name": ""}], [{**secret, "name": "a=b"}])
    values = ("", "arn:aws:sqs:eu-north-1:123456789012:queue", "arn:aws:ssm:eu-north-1:12:parameter/key", "a b", "\0")
    yield from at(WEB_AT + ".secrets", *([{**secret, "valueFrom": value}] for value in values))
    manager = "arn:aws:secretsmanager:eu-north-1:123456789012:secret:db-AbCdEf"
    yield from at(WEB_AT + ".secrets", [{**secret, "valueFrom": f"{manager}:key:AWSCURRENT:version-id"}])
    yield from at(WEB_AT + ".secrets", [{**secret, "valueFrom": f"{manager}:a:b:c:d:e"}])
    file = {"type": "s3", "value": "arn:aws:s3:::bucket/app.env"}
    yield from at(WEB_AT + ".environmentFiles", [file] * 11)
    files = ("", "arn:aws:s3:::bucket/app.txt", "s3://bucket/app.env", "arn:aws:s3:::bucket", "arn:aws:sqs:::b/a.env")
    yield from at(WEB_AT + ".environmentFiles", *([{**file, "value": value}] for value in files))
    for name in ("", "arn:aws:sqs:eu-north-1:123456789012:queue"):
        yield from at(WEB_AT + ".repositoryCredentials", {"credentialsParameter": name})
    yield from at("proxyConfiguration", {"type": "APPMESH", "containerName": "nobody", "properties": []})
