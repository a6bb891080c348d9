"""What ECS's other operations refuse."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.bad_calls.faults import DROP, Fault, each
from conformance.bad_calls.seeds_ecs import OVERRIDES
from conformance.bad_calls.world import ARN, ROLE

INVALID, CLIENT, NO_CLUSTER = "InvalidParameterException", "ClientException", "ClusterNotFoundException"
MISSING, INACTIVE = "Cluster not found.", "The referenced cluster was inactive."
SEPARATORS = "Invalid identifier: Unexpected number of separators"
ID_LENGTH = "taskId length should be one of [32,36]"
OTHER_PLACES = (
    "arn:aws:ecs:eu-north-1:999999999999",
    "arn:aws:ecs:us-east-1:123456789012",
    "arn:aws-cn:ecs:eu-north-1:123456789012",
    "arn:aws:eks:eu-north-1:123456789012",
    "arn:aws:ecs::",
)
"""Another account, region, partition, service, and none."""
BAD_CLUSTERS = (" ", "a b", "é", "x" * 256, "a/b", "a:b", "a\0", "a\n", "*", "arn:aws:ecs", "arn:::::", "a.b")
WITH_CLUSTER = (
    "UpdateCluster",
    "DeleteCluster",
    "UpdateClusterSettings",
    "PutClusterCapacityProviders",
    "RunTask",
    "StopTask",
    "ExecuteCommand",
    "DescribeTasks",
    "ListTasks",
    "GetTaskProtection",
    "UpdateTaskProtection",
    "ListAttributes",
    "PutAttributes",
    "DeleteAttributes",
)
PAGES = {"ListClusters": 100, "ListTaskDefinitions": 100, "ListTaskDefinitionFamilies": 100, "ListTasks": 100}
PAGES |= {"ListAttributes": 100, "ListAccountSettings": 10}
BAD_DEFINITIONS = (
    "",
    " ",
    "a b",
    "é",
    "app:",
    ":1",
    "app:x",
    "app:1:2",
    "app:-1",
    "app:1.5",
    "app:0",
    "app:1e3",
    "a/b",
)
BAD_ARNS = ("", " ", "x", "arn:aws:ecs", "arn:::::", "arn:aws:ecs:eu-north-1:123456789012:", "é", "a\0")


def ecs_faults() -> Iterator[Fault]:
    """All but the definition's."""
    yield from _cluster_names()
    yield from _clusters()
    yield from _pages()
    yield from _definition_names()
    yield from _tasks()
    yield from _tags()
    yield from _settings()
    yield from _attributes()
    yield from _run_task()
    yield from _network()
    yield from _overrides()
    yield from _capacity()


def _cluster_names() -> Iterator[Fault]:
    for operation in WITH_CLUSTER:
        yield from each(operation, "*", "cluster", *BAD_CLUSTERS)
        yield from each(operation, NO_CLUSTER, "cluster", "nowhere", f"{ARN}:cluster/nowhere", text=MISSING)
        if operation != "DeleteCluster":  # deleting it again answers with it
            yield from each(operation, NO_CLUSTER, "cluster", "gone", f"{ARN}:cluster/gone", text=INACTIVE)
        for place in OTHER_PLACES:
            yield Fault(operation, {"cluster": f"{place}:cluster/default"}, INVALID)
        for rest in ("cluster/", "cluster", "task/default/x", "cluster/a/b", "clusters/default", "cluster:default"):
            yield Fault(operation, {"cluster": f"{ARN}:{rest}"}, INVALID)
    yield from each("DescribeClusters", INVALID, "clusters", ["a/b"], ["arn:aws:ecs"], ["arn:::::"])
    yield from each("DescribeClusters", INVALID, "clusters", *([f"{place}:cluster/a"] for place in OTHER_PLACES))
    yield from each("DescribeClusters", INVALID, "clusters", [f"c{n}" for n in range(101)])
    yield from each("DiscoverPollEndpoint", "*", "cluster", *BAD_CLUSTERS)


def _clusters() -> Iterator[Fault]:
    yield from each("CreateCluster", INVALID, "clusterName", *BAD_CLUSTERS, f"{ARN}:cluster/new")
    yield from each("CreateCluster", INVALID, "capacityProviders", ["nobody"], ["FARGATE", "FARGATE"], [""], ["a b"])
    for strategy in (
        [{"capacityProvider": "nobody", "weight": 1}],
        [{"capacityProvider": "FARGATE", "weight": 1}] * 2,
        [{"capacityProvider": "FARGATE", "base": 1}, {"capacityProvider": "FARGATE_SPOT", "base": 1}],
        [{"capacityProvider": "FARGATE", "weight": 1}] * 21,
    ):
        yield Fault("CreateCluster", {"defaultCapacityProviderStrategy": strategy}, INVALID)
    for operation in ("CreateCluster", "UpdateCluster", "UpdateClusterSettings"):
        for value in ("", "yes", "Enabled", "enabled ", DROP):
            settings = [{"name": "containerInsights"} | ({} if value is DROP else {"value": value})]
            yield Fault(operation, {"settings": settings}, INVALID)
        yield Fault(operation, {"settings": [{"value": "enabled"}]}, INVALID)
        yield Fault(operation, {"settings": [{}]}, INVALID)
    for operation in ("CreateCluster", "UpdateCluster"):
        where = "configuration.executeCommandConfiguration"
        yield Fault(operation, {f"{where}.logging": "OVERRIDE"}, INVALID)
        logged = {f"{where}.logConfiguration": {"cloudWatchLogGroupName": "g"}}
        yield Fault(operation, logged | {f"{where}.logging": "DEFAULT"}, INVALID)
    yield from each("DeleteCluster", "ClusterContainsTasksException", "cluster", "default")


def _pages() -> Iterator[Fault]:
    for operation, most in PAGES.items():
        yield from each(operation, INVALID, "maxResults", 0, -1, most + 1, 100_000)
        tokens = ("garbage", "é", "Zm9v", "a\0", "=", "x" * 5000, "TGlzdFN0dWZmCmE=")
        yield from each(operation, INVALID, "nextToken", *tokens)


def _definition_names() -> Iterator[Fault]:
    for operation in ("DescribeTaskDefinition", "DeregisterTaskDefinition"):
        unknown = ("nobody:1", "app:99", f"{ARN}:task-definition/nobody:1")
        text = "Unable to describe task definition."
        yield from each(operation, CLIENT, "taskDefinition", *unknown, text=text)
    yield Fault("DescribeTaskDefinition", {"taskDefinition": "nobody"}, CLIENT, "Unable to describe task definition.")
    yield from each("DeregisterTaskDefinition", CLIENT, "taskDefinition", "app", text="Revision is missing.")
    number = "Invalid revision number. Number: x"
    yield from each("DeregisterTaskDefinition", INVALID, "taskDefinition", "app:x", text=number)
    for operation in ("DescribeTaskDefinition", "DeregisterTaskDefinition", "RunTask"):
        for name in BAD_DEFINITIONS:
            yield Fault(operation, {"taskDefinition": name}, "*")
        for place in OTHER_PLACES:
            yield Fault(operation, {"taskDefinition": f"{place}:task-definition/app:2"}, "*")
    most, least = (
        "Size of TaskDefinition references list cannot exceed 10",
        "size of TaskDefinition references list must be …",
    )
    yield from each("DeleteTaskDefinitions", INVALID, "taskDefinitions", [f"old:{n}" for n in range(11)], text=most)
    yield from each("DeleteTaskDefinitions", INVALID, "taskDefinitions", [], text=least)


def _tasks() -> Iterator[Fault]:
    bad = ("x", "f" * 31, "f" * 33, "default/" + "f" * 31)
    wrong = ("a/b/c", f"{ARN}:task/a/b/c", f"{ARN}:task/default/{'f' * 32}/more")
    yield from each("StopTask", INVALID, "task", *bad, text=ID_LENGTH)
    yield from each("ExecuteCommand", INVALID, "task", *bad, text=ID_LENGTH)
    yield from each("StopTask", INVALID, "task", *wrong[1:], text=SEPARATORS)
    of_many = ("DescribeTasks", "GetTaskProtection", "UpdateTaskProtection")
    for operation in of_many:
        yield from each(operation, INVALID, "tasks", *([name] for name in bad), text=ID_LENGTH)
        yield from each(operation, INVALID, "tasks", *([name] for name in wrong[1:]), text=SEPARATORS)
    gone = ("f" * 32, f"{ARN}:task/default/{'f' * 32}")
    yield from each("StopTask", INVALID, "task", *gone, text="The referenced task was not found.")
    yield from each("ExecuteCommand", INVALID, "task", *gone, text="The referenced task was not found.")
    yield from each("ExecuteCommand", INVALID, "command", "", " ", "'", "a\0", "x" * 70_000)
    yield from each("ExecuteCommand", INVALID, "container", "nothing", "", " ", "é", DROP)
    yield from each("ExecuteCommand", INVALID, "interactive", False)
    elsewhere = f"{ARN}:task/blue/{'f' * 32}"
    yield from each("StopTask", INVALID, "task", elsewhere, "", " ", "é" * 32, "F" * 32, "g" * 32, "f" * 31 + "\0")
    for operation in of_many:
        yield from each(operation, INVALID, "tasks", [elsewhere], [""], [" "], ["é" * 32], ["G" * 32])
        yield from each(operation, INVALID, "tasks", [], text="Tasks cannot be empty.")
        yield from each(operation, INVALID, "tasks", [f"{n:032x}" for n in range(101)])
    for place in OTHER_PLACES:
        arn = f"{place}:task/default/{'f' * 32}"
        yield Fault("StopTask", {"task": arn}, INVALID)
        for operation in of_many:
            yield Fault(operation, {"tasks": [arn]}, INVALID)
    yield from each("UpdateTaskProtection", INVALID, "tasks", [f"{n:032x}" for n in range(11)])
    yield from each("UpdateTaskProtection", INVALID, "expiresInMinutes", 0, -1, 2881, 2**31 - 1)
    yield from each("ListTasks", INVALID, "startedBy", "me", text="…")
    yield from each("ListTasks", "ServiceNotFoundException", "serviceName", "nobody")
    yield from each("ListTasks", INVALID, "containerInstance", "f" * 32, "x", f"{ARN}:container-instance/default/x")
    yield from each("StopTask", INVALID, "reason", "x" * 10_000)


def _tags() -> Iterator[Fault]:
    for operation in ("TagResource", "UntagResource", "ListTagsForResource"):
        yield from each(operation, INVALID, "resourceArn", *BAD_ARNS, "default", "app:2")
        for place in OTHER_PLACES:
            yield Fault(operation, {"resourceArn": f"{place}:cluster/default"}, INVALID)
        for rest in ("nothing/x", "cluster/", "cluster", "task/x", "task-definition/app", "service/default/x/y"):
            yield Fault(operation, {"resourceArn": f"{ARN}:{rest}"}, "*")
        yield Fault(operation, {"resourceArn": f"{ARN}:cluster/nowhere"}, NO_CLUSTER)
        gone = INVALID if operation == "ListTagsForResource" else "ResourceNotFoundException"
        for rest in (f"task/default/{'f' * 32}", "task-definition/nobody:1"):
            yield Fault(operation, {"resourceArn": f"{ARN}:{rest}"}, gone)
    for operation in ("TagResource", "RunTask", "CreateCluster"):
        for key in ("", "aws:mine", "AWS:mine", "x" * 129, "a<b", "a\0", "a\n"):
            yield Fault(operation, {"tags": [{"key": key, "value": "v"}]}, INVALID)
        for value in ("x" * 257, "a<b", "a\0", "#"):
            yield Fault(operation, {"tags": [{"key": "k", "value": value}]}, INVALID)
        for tags in ([{"value": "v"}], [{}], [{"key": "k", "value": "a"}, {"key": "k", "value": "b"}]):
            yield Fault(operation, {"tags": tags}, INVALID)
    yield from each("UntagResource", INVALID, "tagKeys", ["aws:mine"], [""], ["x" * 129], ["a\0"])
    yield from each("TagResource", INVALID, "tags", [])


def _settings() -> Iterator[Fault]:
    for operation in ("PutAccountSetting", "PutAccountSettingDefault"):
        yield from each(operation, INVALID, "value", "", " ", "yes", "ENABLED", "on", "7", "enabled ", "é", "x" * 300)
        for name, values in {
            "taskLongArnFormat": ("disabled", "on"),
            "fargateTaskRetirementWaitPeriod": ("1", "8", "-7", "7.0", "enabled", ""),
            "tagResourceAuthorization": ("enabled", "yes"),
            "defaultLogDriverMode": ("Blocking", "enabled"),
            "guardDutyActivate": ("on", "off"),
        }.items():
            for value in values:
                yield Fault(operation, {"name": name, "value": value}, INVALID)
    for operation in ("PutAccountSetting", "ListAccountSettings", "DeleteAccountSetting"):
        arns = (
            "x",
            " ",
            "arn:aws:iam",
            "arn:aws:iam::999999999999:root",
            "arn:aws:sqs::123456789012:queue",
            "arn:::::",
        )
        yield from each(operation, INVALID, "principalArn", *arns, "arn:aws-cn:iam::123456789012:root", ROLE + "\0")
    yield from each("ListAccountSettings", INVALID, "name", DROP)


def _attributes() -> Iterator[Fault]:
    yield from each("ListAttributes", INVALID, "attributeName", DROP)
    for operation in ("PutAttributes", "DeleteAttributes"):
        many = [{"name": f"a{n}", "targetId": "t", "targetType": "container-instance"} for n in range(11)]
        yield from each(operation, INVALID, "attributes", [], many)
        for name in ("", " ", "a b", "é", "x" * 129, "a:b", "a\0"):
            yield Fault(operation, {"attributes[0].name": name}, INVALID)
        yield Fault(operation, {"attributes[0].value": "x" * 129}, INVALID)
        yield Fault(operation, {"attributes[0].targetId": DROP}, INVALID)
        yield Fault(operation, {"attributes[0].targetId": ""}, INVALID)
        yield Fault(operation, {"attributes[0].targetId": "nobody"}, "TargetNotFoundException")


def _run_task() -> Iterator[Fault]:
    yield from each(
        "RunTask", CLIENT, "taskDefinition", "nobody", "nobody:1", "app:99", text="TaskDefinition not found."
    )
    yield from each("RunTask", CLIENT, "taskDefinition", "old", text="TaskDefinition not found.")
    yield from each("RunTask", INVALID, "taskDefinition", "app:1", "old:1", text="TaskDefinition is inactive")
    bridge = "Task definition does not support launch_type FARGATE."
    yield from each("RunTask", INVALID, "taskDefinition", "bridge", text=bridge)
    yield from each("RunTask", INVALID, "count", 0, -1, 11, 1000)
    launch = "launch type should be one of [EC2,FARGATE,EXTERNAL]"
    yield from each("RunTask", INVALID, "launchType", "SPOT", "fargate", "", text=launch)
    no_instances = "No Container Instances were found in your cluster."
    ec2 = {"launchType": "EC2", "platformVersion": DROP}
    yield Fault("RunTask", ec2, INVALID, no_instances)
    yield Fault("RunTask", ec2 | {"launchType": DROP}, INVALID, no_instances)
    yield from each("RunTask", INVALID, "launchType", "EXTERNAL", "MANAGED_INSTANCES")
    strategy = [{"capacityProvider": "FARGATE", "weight": 1}]
    either = "Specify either Launch Type or Capacity Provider Strategy, but not both."
    yield from each("RunTask", INVALID, "capacityProviderStrategy", strategy, text=either)
    yield from each("RunTask", "PlatformUnknownException", "platformVersion", "9.9.9", "abc", "", "1.4", "1.4.0 ")
    yield from each("RunTask", INVALID, "group", "x" * 256, "")
    yield from each("RunTask", INVALID, "startedBy", "x" * 129, "a b", "é", "a\0", "a:b")
    yield from each("RunTask", INVALID, "clientToken", "x" * 65, "a b", "é", "a\0", "a\n")
    yield from each("RunTask", "ConflictException", "clientToken", "first")
    yield from each("RunTask", INVALID, "propagateTags", "SERVICE")
    many = [{"key": f"k{n}", "value": "v"} for n in range(51)]
    yield from each("RunTask", INVALID, "tags", many)
    constraints = [{"type": "memberOf", "expression": "attribute:ecs.os-type == linux"}]
    yield from each("RunTask", INVALID, "placementConstraints", constraints, [{"type": "distinctInstance"}])
    yield from each(
        "RunTask", INVALID, "placementStrategy", [{"type": "random"}], [{"type": "binpack", "field": "cpu"}]
    )
    volume = {"name": "data", "managedEBSVolume": {"roleArn": ROLE, "sizeInGiB": 1}}
    yield from each("RunTask", "*", "volumeConfigurations", [volume], [volume, volume])
    without_role = {"taskDefinition": "roleless", "enableExecuteCommand": True, "overrides": DROP}
    yield Fault("RunTask", without_role, "*")


def _network() -> Iterator[Fault]:
    needed = "Network Configuration must be provided when networkMode 'awsvpc' is specified."
    yield from each("RunTask", INVALID, "networkConfiguration", DROP, {}, text=needed)
    yield from each("RunTask", INVALID, "networkConfiguration", DROP, seed=1, text=needed)
    where = "networkConfiguration.awsvpcConfiguration"
    yield from each("RunTask", INVALID, f"{where}.subnets", [], text="subnets can not be empty.")
    text = (
        "Error retrieving subnet information for […]: The subnet ID '…' does not exist "
        "(ErrorCode: InvalidSubnetID.NotFound)"
    )
    for subnet in ("subnet-0123456789abcdef0", "subnet", "", " ", "é", "vpc-0123456789abcdef0", "a\0"):
        yield Fault("RunTask", {f"{where}.subnets": [subnet]}, INVALID, text)
    yield Fault("RunTask", {f"{where}.subnets": [f"subnet-{n:017x}" for n in range(17)]}, INVALID)
    text = (
        "Error retrieving security group information for […]: The security group '…' does not exist "
        "(ErrorCode: InvalidGroup.NotFound)"
    )
    for group in ("sg-0123456789abcdef0", "web", "", " ", "é", "a\0"):
        yield Fault("RunTask", {f"{where}.securityGroups": [group]}, INVALID, text)
    yield Fault("RunTask", lambda world: {f"{where}.securityGroups": [world.group] * 6}, INVALID)


def _overrides() -> Iterator[Fault]:
    where = "overrides.containerOverrides"
    unknown = "Override for container named nobody is not a container in the TaskDefinition."
    yield from each("RunTask", INVALID, f"{where}[0].name", "nobody", text=unknown)
    yield from each("RunTask", INVALID, f"{where}[0].name", DROP, "", " ", "WEB")
    yield from each("RunTask", INVALID, where, OVERRIDES["containerOverrides"] * 2)
    yield from each("RunTask", INVALID, f"{where}[0].command", ["x" * 8200])
    no_size = "No Fargate configuration exists for given values: …"
    yield from each("RunTask", "*", "overrides.cpu", "300", "1", "128", text=no_size)
    yield from each("RunTask", "*", "overrides.memory", "513", "1", "100000", text=no_size)
    yield from each("RunTask", "*", "overrides.cpu", "abc", "-1", "1.5", "é", " ")
    yield from each("RunTask", "*", "overrides.memory", "abc", "-1", "1.5", "é", " ")
    yield from each("RunTask", "*", f"{where}[0].memory", -1, 0, 5, 2000)
    yield from each("RunTask", "*", f"{where}[0].memoryReservation", -1, 0, 5, 2000)
    yield from each("RunTask", "*", f"{where}[0].cpu", -1, 513)
    pairs = (
        [{"name": "", "value": "v"}],
        [{"value": "v"}],
        [{"name": "a=b", "value": "v"}],
        [{"name": "a", "value": "\0"}],
    )
    yield from each("RunTask", "*", f"{where}[0].environment", *pairs)
    yield from each("RunTask", "*", f"{where}[0].command", ["a\0"])
    yield from each("RunTask", "*", f"{where}[0].resourceRequirements", [{"type": "GPU", "value": "1"}])
    yield from each("RunTask", "*", f"{where}[0].environmentFiles", [{"type": "s3", "value": "x"}])
    yield from each("RunTask", "*", "overrides.ephemeralStorage", {"sizeInGiB": 20}, {"sizeInGiB": 201})
    roles = ("a b", "arn:aws:iam::123456789012:user/me", "arn:aws:sqs:::x", "\0")
    yield from each("RunTask", "*", "overrides.taskRoleArn", *roles)
    yield from each("RunTask", "*", "overrides.executionRoleArn", *roles)


def _capacity() -> Iterator[Fault]:
    where = "capacityProviderStrategy"
    unassociated = (
        "The specified capacity provider strategy cannot contain a capacity provider that is not associated with the "
        "cluster."
    )
    for name in ("nobody", "", "fargate", " "):
        yield Fault("RunTask", {where: [{"capacityProvider": name, "weight": 1}]}, INVALID, unassociated, seed=1)
    yield Fault("RunTask", {"cluster": "default"}, INVALID, unassociated, seed=1)
    spot = {"capacityProvider": "FARGATE_SPOT"}
    fargate = {"capacityProvider": "FARGATE"}
    for strategy in (
        [{**fargate, "weight": 0}],
        [{**fargate, "weight": 0}, {**spot, "weight": 0}],
        [{**fargate, "weight": 1}] * 2,
        [{**fargate, "base": 1, "weight": 1}, {**spot, "base": 1, "weight": 1}],
        [{**fargate, "weight": 1}] * 21,
        [{**fargate, "weight": 1001}],
        [{**fargate, "weight": -1}],
        [{**fargate, "base": 100_001}],
        [{**fargate, "base": -1}],
    ):
        yield Fault("RunTask", {where: strategy}, INVALID, seed=1)
