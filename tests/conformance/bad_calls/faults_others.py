"""What CloudWatch Logs, EC2, the Parameter Store, Secrets Manager and Tidegate's own operations refuse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from conformance.bad_calls.faults import DROP, Fault, each
from conformance.bad_calls.seeds_others import NOW_MS, PERMISSION
from conformance.bad_calls.world import LOGS, PARAMETER, SECRET

INVALID, MISSING, EXISTS = "InvalidParameterException", "ResourceNotFoundException", "ResourceAlreadyExistsException"
NO_GROUP, NO_STREAM = "The specified log group does not exist.", "The specified log stream does not exist."
OF_A_GROUP = (
    "DeleteLogGroup",
    "CreateLogStream",
    "DeleteLogStream",
    "DescribeLogStreams",
    "PutLogEvents",
    "GetLogEvents",
    "FilterLogEvents",
    "PutRetentionPolicy",
    "DeleteRetentionPolicy",
)
BAD_ARNS = (
    "x",
    "arn:aws:logs",
    f"{LOGS}:log-stream:a",
    f"{LOGS}:log-group:/app/web:log-stream:one",
    "arn:aws:sqs:eu-north-1:123456789012:log-group:/app/web",
    "arn:aws:logs:eu-north-1:999999999999:log-group:/app/web",
    "arn:aws:logs:us-east-1:123456789012:log-group:/app/web",
    f"{LOGS}:log-group:/app/nothing",
)
DAY_MS = 86_400_000


def logs_faults() -> Iterator[Fault]:
    """What the model does not say of logs."""
    for operation in OF_A_GROUP:
        yield from each(operation, MISSING, "logGroupName", "/nothing", text=NO_GROUP)
    for operation in ("DeleteLogStream", "PutLogEvents", "GetLogEvents"):
        yield from each(operation, MISSING, "logStreamName", "nothing", text=NO_STREAM)
    exists = "The specified log group already exists"
    yield from each("CreateLogGroup", EXISTS, "logGroupName", "/app/web", text=exists)
    yield from each("CreateLogGroup", INVALID, "logGroupName", "aws/x")
    yield from each("CreateLogGroup", INVALID, "tags", {"aws:x": "y"}, {"a": "x" * 257}, {"x" * 129: "y"}, {"": "y"})
    exists = "The specified log stream already exists"
    yield from each("CreateLogStream", EXISTS, "logStreamName", "one", text=exists)
    days = (0, -1, 2, 4, 8, 31, 366, 3654, 100_000)
    yield from each("PutRetentionPolicy", INVALID, "retentionInDays", *days)
    for operation in ("TagResource", "UntagResource", "ListTagsForResource"):
        yield from each(operation, "*", "resourceArn", *BAD_ARNS)
    for operation in ("DescribeLogStreams", "GetLogEvents", "FilterLogEvents"):
        yield from each(operation, "*", "logGroupIdentifier", *BAD_ARNS, "/nothing", seed=1)
        both = {"logGroupName": "/app/web", "logGroupIdentifier": "/app/web"}
        yield Fault(operation, both, INVALID)
        yield Fault(operation, {"logGroupName": DROP}, INVALID)
    by_time = {"orderBy": "LastEventTime", "logStreamNamePrefix": "o"}
    yield Fault("DescribeLogStreams", by_time, INVALID)
    yield Fault("DescribeLogGroups", {"logGroupNamePrefix": "a", "logGroupNamePattern": "b"}, INVALID)
    for operation in ("DescribeLogGroups", "DescribeLogStreams", "GetLogEvents", "FilterLogEvents"):
        yield from each(operation, INVALID, "nextToken", "garbage", "é", "f/1", "Zm9v", "=", "x" * 5000)
    yield from _event_faults()


def _event_faults() -> Iterator[Fault]:
    def event(at: int = 0, message: str = "m") -> dict[str, Any]:
        return {"timestamp": NOW_MS + at, "message": message}

    yield from each("PutLogEvents", INVALID, "logEvents", [event(2), event(1)], [event(-DAY_MS - 2), event(1)])
    yield from each("PutLogEvents", INVALID, "logEvents", [event(message="x" * 1_048_576)], [event(message="")])
    yield from each("PutLogEvents", INVALID, "logEvents", [event(message="x" * 60_000)] * 18)
    yield from each("PutLogEvents", INVALID, "logEvents", [{"timestamp": -1, "message": "m"}])
    both = {"logStreamNames": ["one"], "logStreamNamePrefix": "o"}
    yield Fault("FilterLogEvents", both, INVALID)
    patterns = (
        "{",
        "{ $.a",
        "{ $.a = }",
        "[a, b",
        '"open',
        "{ $.a = 1 && }",
        "%(%",
        "{ a = 1 }",
        "[a=]",
        "{ $.a >> 1 }",
    )
    for pattern in patterns:
        yield Fault("FilterLogEvents", {"filterPattern": pattern}, INVALID)
        yield Fault("TestMetricFilter", {"filterPattern": pattern}, INVALID)
        yield Fault("StartLiveTail", {"logEventFilterPattern": pattern}, INVALID)
    for arn in (*BAD_ARNS, "/app/web", f"{LOGS}:log-group:/app/web:*"):
        yield Fault("StartLiveTail", {"logGroupIdentifiers": [arn]}, "*")
    yield Fault("StartLiveTail", {"logStreamNames": ["one"], "logStreamNamePrefixes": ["o"]}, INVALID)
    groups = [f"{LOGS}:log-group:{name}" for name in ("/app/web", "/app/kept")]
    yield Fault("StartLiveTail", {"logGroupIdentifiers": groups}, INVALID)


def ec2_faults() -> Iterator[Fault]:
    """EC2's codes; its model names none."""
    malformed = ("sg", "sg-", "sg-xyz", "vpc-0123456789abcdef0", " ", "é")
    for operation in ("DescribeSecurityGroups",):
        yield from each(operation, "InvalidGroupId.Malformed", "GroupIds", *([name] for name in malformed))
        yield from each(operation, "InvalidGroup.NotFound", "GroupIds", ["sg-0123456789abcdef0"])
        yield from each(operation, "InvalidGroup.NotFound", "GroupNames", ["nothing"])
    for operation, member in (
        ("DeleteSecurityGroup", "GroupId"),
        ("AuthorizeSecurityGroupIngress", "GroupId"),
        ("AuthorizeSecurityGroupEgress", "GroupId"),
        ("RevokeSecurityGroupIngress", "GroupId"),
        ("RevokeSecurityGroupEgress", "GroupId"),
    ):
        yield from each(operation, "InvalidGroupId.Malformed", member, *malformed)
        yield from each(operation, "InvalidGroup.NotFound", member, "sg-0123456789abcdef0")
        yield from each(operation, "MissingParameter", member, DROP)
    for operation, member, kind in (
        ("DescribeVpcs", "VpcIds", "InvalidVpcID"),
        ("DescribeSubnets", "SubnetIds", "InvalidSubnetID"),
        ("DescribeSecurityGroupRules", "SecurityGroupRuleIds", "InvalidSecurityGroupRuleId"),
    ):
        yield from each(operation, "*", member, ["x"], [" "], ["é"], [f"{kind}-0123456789abcdef0"])
    yield from each("DescribeVpcs", "InvalidVpcID.NotFound", "VpcIds", ["vpc-0123456789abcdef0"])
    yield from each("DescribeSubnets", "InvalidSubnetID.NotFound", "SubnetIds", ["subnet-0123456789abcdef0"])
    yield from each("DescribeVpcAttribute", "InvalidVpcID.NotFound", "VpcId", "x", " ", "vpc-0123456789abcdef0")
    yield Fault(
        "DescribeRouteTables", {"RouteTableIds": ["rtb-0123456789abcdef0"]}, "InvalidRouteTableID.NotFound", seed=1
    )
    yield from _tag_faults()
    yield from each("DescribeAvailabilityZones", "*", "ZoneNames", ["nowhere"], [""], ["us-east-1a"])
    for operation in ("DescribeVpcs", "DescribeSubnets", "DescribeSecurityGroups", "DescribeNetworkInterfaces"):
        for filters in ([{"Name": "no-such-filter", "Values": ["a"]}], [{"Values": ["a"]}]):
            yield Fault(operation, {"Filters": filters}, "*", seed=0)
        yield Fault(operation, {"NextToken": "garbage"}, "*", seed=1 if operation != "DescribeNetworkInterfaces" else 0)
    yield from _group_faults()
    yield from _permission_faults()


def _tag_faults() -> Iterator[Fault]:
    for operation in ("CreateTags", "DeleteTags"):
        yield from each(operation, "InvalidID", "Resources", ["x"], [" "], ["eni-0123456789abcdef0"], ["sgr-0"])
        yield from each(operation, "InvalidGroup.NotFound", "Resources", ["sg-0123456789abcdef0"])
        yield from each(operation, "InvalidVpcID.NotFound", "Resources", ["vpc-0123456789abcdef0"])
        yield from each(operation, "InvalidSubnetID.NotFound", "Resources", ["subnet-0123456789abcdef0"])
    yield from each("CreateTags", "*", "Tags[0].Key", "", "aws:x", "x" * 128)
    yield from each("CreateTags", "*", "Tags[0].Value", "x" * 257)


def _group_faults() -> Iterator[Fault]:
    names = ("", " " * 256, "x" * 256, "é", "a\0", "a\n", "sg-mine", "a|b", "a<b")
    yield from each("CreateSecurityGroup", "*", "GroupName", *names)
    yield from each("CreateSecurityGroup", "InvalidGroup.Duplicate", "GroupName", "web")
    yield from each("CreateSecurityGroup", "InvalidParameterValue", "GroupName", "default")
    yield from each("CreateSecurityGroup", "*", "Description", "x" * 256, "é", "a\0", "a<b")
    yield from each("CreateSecurityGroup", "*", "VpcId", "vpc", "vpc-0123456789abcdef0", " ")
    tagged = "TagSpecifications[0]"
    yield from each("CreateSecurityGroup", "*", f"{tagged}.ResourceType", "instance", "nothing")
    yield from each("CreateSecurityGroup", "*", f"{tagged}.Tags[0].Key", "", "aws:x", "x" * 128)
    yield from each("CreateSecurityGroup", "*", f"{tagged}.Tags[0].Value", "x" * 257)
    yield Fault("DeleteSecurityGroup", lambda world: {"GroupId": world.group}, "DependencyViolation")
    yield Fault("DeleteSecurityGroup", lambda world: {"GroupId": world.default_group}, "CannotDelete")


def _permission_faults() -> Iterator[Fault]:
    for operation in ("AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress"):
        where = "IpPermissions[0]"
        for protocol in ("", "TCPX", "256", "-2", "tcp ", "é", DROP):
            yield Fault(operation, {f"{where}.IpProtocol": protocol}, "*")
        for first, last in ((-1, 80), (80, -1), (81, 80), (0, 65536), (65536, 65537), (DROP, 80), (80, DROP)):
            yield Fault(operation, {f"{where}.FromPort": first, f"{where}.ToPort": last}, "*")
        for block in (
            "",
            "10.0.0.0",
            "10.0.0.0/33",
            "10.0.0/8",
            "256.0.0.0/8",
            "::/0",
            "a/8",
            "10.0.0.0/-1",
        ):
            yield Fault(operation, {f"{where}.IpRanges[0].CidrIp": block}, "*")
        yield Fault(operation, {f"{where}.IpRanges[0].Description": "é"}, "*")
        yield Fault(operation, {f"{where}.IpRanges[0].Description": "x" * 256}, "*")
        yield Fault(operation, {f"{where}.IpRanges": DROP}, "*")
        peers = {"UserIdGroupPairs": [{"GroupId": "sg-0123456789abcdef0"}]}
        without = {name: value for name, value in PERMISSION.items() if name != "IpRanges"}
        yield Fault(operation, {"IpPermissions": [without | peers]}, "*")
        yield Fault(operation, {"IpPermissions": DROP}, "*")
        yield Fault(operation, {"IpPermissions": [PERMISSION, PERMISSION]}, "*")
    known = PERMISSION | {"FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    yield Fault("AuthorizeSecurityGroupIngress", {"IpPermissions": [known]}, "InvalidPermission.Duplicate")
    yield Fault("AuthorizeSecurityGroupIngress", {"IpPermissions": [known], "CidrIp": "10.0.0.0/8"}, "*")
    for operation in ("RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress"):
        gone = {"SecurityGroupRuleIds": DROP} if operation.endswith("Ingress") else {}
        yield Fault(operation, gone | {"IpPermissions": [PERMISSION]}, "InvalidPermission.NotFound")
        yield Fault(operation, gone | {"IpPermissions": []}, "*")
    for rule in ("sgr-0123456789abcdef0", "sgr", "", "sg-0123456789abcdef0"):
        yield Fault("RevokeSecurityGroupIngress", {"SecurityGroupRuleIds": [rule]}, "*")


def ssm_faults() -> Iterator[Fault]:
    """Of the Parameter Store."""
    for operation in ("GetParameter", "DeleteParameter", "GetParameterHistory"):
        yield from each(operation, "ParameterNotFound", "Name", "/nothing", "nothing")
    for operation in ("LabelParameterVersion", "UnlabelParameterVersion"):
        yield from each(operation, "ParameterNotFound", "Name", "/nothing")
        yield from each(operation, "ParameterVersionNotFound", "ParameterVersion", 99)
    names = (
        "a b",
        "/a b",
        "aws/x",
        "/aws/x",
        "AWS",
        "/ssm/x",
        "a//b",
        "/" + "a/" * 16 + "b",
        "é",
        "a\0",
        "x" * 2049,
        "/",
    )
    yield from each("PutParameter", "*", "Name", *names)
    yield from each("PutParameter", "ParameterAlreadyExists", "Name", PARAMETER)
    yield from each("PutParameter", "*", "Value", "", "x" * 4097, "UPPER")
    yield from each("PutParameter", "*", "Type", "Text", "string", DROP)
    yield from each("PutParameter", "*", "AllowedPattern", "[", "(", "x" * 1025)
    yield from each(
        "PutParameter",
        "*",
        "Tags",
        [{"Key": "aws:x", "Value": "y"}],
        [{"Key": f"k{n}", "Value": "v"} for n in range(51)],
    )
    yield from each("PutParameter", "*", "DataType", "nothing")
    yield from each("GetParametersByPath", "*", "Path", "app", "", "//", "/a b", "/é")
    for operation in ("GetParametersByPath", "DescribeParameters", "GetParameterHistory"):
        yield from each(operation, "*", "NextToken", "garbage", "é", "Zm9v")
    for operation in ("AddTagsToResource", "RemoveTagsFromResource", "ListTagsForResource"):
        yield from each(operation, "InvalidResourceId", "ResourceId", "/nothing")
    yield from each("LabelParameterVersion", "*", "Labels", [f"l{n}" for n in range(11)])
    yield from each("DescribeParameters", "*", "ParameterFilters[0].Key", "Nothing")
    yield from each("DescribeParameters", "*", "ParameterFilters[0].Option", "Nothing")


def secrets_faults() -> Iterator[Fault]:
    """Of Secrets Manager."""
    for operation in (
        "GetSecretValue",
        "PutSecretValue",
        "UpdateSecret",
        "DescribeSecret",
        "DeleteSecret",
        "TagResource",
    ):
        arn = "arn:aws:secretsmanager:eu-north-1:123456789012:secret:nothing-AbCdEf"
        yield from each(operation, MISSING, "SecretId", "nothing", arn)
    for operation in ("GetSecretValue", "PutSecretValue", "UpdateSecret"):
        yield from each(operation, "InvalidRequestException", "SecretId", "gone/db")
    yield from each("CreateSecret", "ResourceExistsException", "Name", SECRET)
    yield from each("CreateSecret", "InvalidRequestException", "Name", "gone/db")
    yield from each("CreateSecret", "*", "Name", "a b", "é", "a\0", "x" * 513, "")
    yield from each("CreateSecret", "*", "SecretString", "x" * 65_537, "")
    yield Fault("CreateSecret", {"SecretBinary": "AAEC"}, "*")
    yield from each("CreateSecret", "*", "SecretBinary", "not base64!", "A", seed=1)
    yield from each("GetSecretValue", MISSING, "VersionId", "00000000-0000-0000-0000-000000000000")
    yield from each("GetSecretValue", "*", "VersionStage", "NOTHING")
    yield from each("DeleteSecret", "*", "RecoveryWindowInDays", 0, 6, 31, -1)
    yield Fault("DeleteSecret", {"ForceDeleteWithoutRecovery": True}, "InvalidParameterException")
    yield from each("GetRandomPassword", "*", "PasswordLength", 0, -1, 4097)
    yield from each("PutResourcePolicy", "*", "ResourcePolicy", "not json", "{}", "[]")
    for operation in ("ListSecrets", "ListSecretVersionIds"):
        yield from each(operation, "InvalidNextTokenException", "NextToken", "garbage", "é", "Zm9v")


def tidegate_faults() -> Iterator[Fault]:
    """Of the operations on images, and of the timeline."""
    missing, bad = "ImageNotFoundException", "InvalidParameterException"
    yield from each("RemoveImage", missing, "reference", "nothing:1", "a b", "é")
    yield from each("ExportImage", missing, "reference", "nothing:1")
    yield from each("PullImage", missing, "reference", "missing:1")
    for operation in ("ImportImage", "ExportImage"):
        yield from each(operation, bad, "path", "relative", "../x", " ", "a\0", "/tmp/a\0b")
    yield from each("ImportImage", bad, "path", "/no/such/file", "/", "/etc")
    for operation in ("DescribeTimeline", "DescribeBlackBox", "ExplainTask", "StartExec", "StartForward", "StartCopy"):
        yield from each(operation, "TaskNotFoundException", "task", "f" * 32)
        yield from each(
            operation, "*", "task", "x", "a/b/c", " ", "arn:aws:ecs:eu-north-1:999999999999:task/a/" + "f" * 32
        )
    for operation in ("StartExec", "StartCopy"):
        yield from each(operation, bad, "container", "nobody", "", " ", "é", DROP)
    yield from each("StartExec", "*", "command", [])
    yield from each("StartExec", bad, "command", ["a\0"], [""], ["env", "\0"])
    yield from each("StartExec", bad, "environment", {"A=B": "c"}, {"A\0": "c"}, {"A": "\0"})
    yield from each("StartExec", bad, "workingDirectory", "tmp", "./x", " ", "/a\0")
    yield from each("StartExec", bad, "user", "a\0")
    yield from each("StartExec", "*", "terminal", {"rows": 0, "columns": 80}, {"rows": 24, "columns": 100_000})
    yield from each("StartCopy", bad, "path", "relative", "../x", " ", "/a\0b")
    for operation in ("StartExec", "StartForward", "StartCopy"):
        yield Fault(operation, lambda world: {"task": world.stopped_task}, "*")
