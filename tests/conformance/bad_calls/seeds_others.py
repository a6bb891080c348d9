"""Valid calls of the services beside ECS."""

from __future__ import annotations

from collections.abc import Mapping

from conformance.bad_calls.seeds_ecs import Seed
from conformance.bad_calls.world import LOGS

GROUP, STREAM = {"logGroupName": "/app/web"}, {"logGroupName": "/app/web", "logStreamName": "one"}
GROUP_ARN = f"{LOGS}:log-group:/app/web"
NOW_MS = 1_700_000_000_000
FILTER = [{"Name": "vpc-id", "Values": ["vpc-1"]}]
PERMISSION = {
    "IpProtocol": "tcp",
    "FromPort": 443,
    "ToPort": 443,
    "IpRanges": [{"CidrIp": "10.1.0.0/16", "Description": "office"}],
}
TAGGED = [{"ResourceType": "security-group", "Tags": [{"Key": "team", "Value": "blue"}]}]

LOGS_SEEDS: Mapping[str, tuple[Seed, ...]] = {
    "CreateLogGroup": (
        lambda _: {
            "logGroupName": "/new",
            "kmsKeyId": "arn:aws:kms:eu-north-1:123456789012:key/1",
            "tags": {"a": "b"},
            "logGroupClass": "STANDARD",
            "deletionProtectionEnabled": False,
        },
    ),
    "DeleteLogGroup": (lambda _: {"logGroupName": "/app/kept"},),
    "DescribeLogGroups": (
        lambda _: {"logGroupNamePrefix": "/app", "limit": 10, "logGroupClass": "STANDARD"},
        lambda _: {"logGroupNamePattern": "web"},
    ),
    "CreateLogStream": (lambda _: {**GROUP, "logStreamName": "new"},),
    "DeleteLogStream": (lambda _: {**GROUP, "logStreamName": "two"},),
    "DescribeLogStreams": (
        lambda _: {**GROUP, "logStreamNamePrefix": "o", "orderBy": "LogStreamName", "descending": True, "limit": 10},
        lambda _: {"logGroupIdentifier": GROUP_ARN},
    ),
    "PutLogEvents": (lambda _: {**STREAM, "logEvents": [{"timestamp": NOW_MS + n, "message": "m"} for n in range(3)]},),
    "GetLogEvents": (
        lambda _: {**STREAM, "startTime": 0, "endTime": NOW_MS * 2, "limit": 10, "startFromHead": True},
        lambda _: {"logGroupIdentifier": GROUP_ARN, "logStreamName": "one"},
    ),
    "FilterLogEvents": (
        lambda _: {
            **GROUP,
            "logStreamNames": ["one"],
            "startTime": 0,
            "endTime": NOW_MS * 2,
            "filterPattern": "line",
            "limit": 10,
        },
        lambda _: {"logGroupIdentifier": GROUP_ARN, "logStreamNamePrefix": "o"},
    ),
    "StartLiveTail": (
        lambda _: {
            "logGroupIdentifiers": [GROUP_ARN],
            "logStreamNamePrefixes": ["o"],
            "logEventFilterPattern": "line",
        },
        lambda _: {"logGroupIdentifiers": [GROUP_ARN], "logStreamNames": ["one"]},
    ),
    "PutRetentionPolicy": (lambda _: {**GROUP, "retentionInDays": 7},),
    "DeleteRetentionPolicy": (lambda _: GROUP,),
    "TagResource": (lambda _: {"resourceArn": GROUP_ARN, "tags": {"c": "d"}},),
    "UntagResource": (lambda _: {"resourceArn": GROUP_ARN, "tagKeys": ["a"]},),
    "ListTagsForResource": (lambda _: {"resourceArn": GROUP_ARN},),
    "ListTagsLogGroup": (lambda _: GROUP,),
    "TagLogGroup": (lambda _: {**GROUP, "tags": {"c": "d"}},),
    "UntagLogGroup": (lambda _: {**GROUP, "tags": ["a"]},),
    "TestMetricFilter": (lambda _: {"filterPattern": "a", "logEventMessages": ["a b"]},),
    "DescribeMetricFilters": (lambda _: {**GROUP, "filterNamePrefix": "a", "limit": 5},),
    "DescribeSubscriptionFilters": (lambda _: {**GROUP, "filterNamePrefix": "a", "limit": 5},),
}

EC2_SEEDS: Mapping[str, tuple[Seed, ...]] = {
    "DescribeVpcs": (
        lambda world: {"VpcIds": [world.vpc], "Filters": [{"Name": "vpc-id", "Values": [world.vpc]}]},
        lambda _: {"MaxResults": 5},
    ),
    "DescribeSubnets": (
        lambda world: {"SubnetIds": [world.subnet], "Filters": [{"Name": "vpc-id", "Values": [world.vpc]}]},
        lambda _: {"MaxResults": 5},
    ),
    "DescribeSecurityGroups": (
        lambda world: {"GroupIds": [world.group], "GroupNames": ["web"], "Filters": FILTER},
        lambda _: {"MaxResults": 5},
    ),
    "DescribeSecurityGroupRules": (
        lambda world: {"SecurityGroupRuleIds": [world.rule]},
        lambda world: {"Filters": [{"Name": "group-id", "Values": [world.group]}], "MaxResults": 5},
    ),
    "DescribeVpcAttribute": (lambda world: {"VpcId": world.vpc, "Attribute": "enableDnsSupport"},),
    "DescribeRouteTables": (
        lambda world: {"Filters": [{"Name": "vpc-id", "Values": [world.vpc]}], "MaxResults": 5},
        lambda world: {"RouteTableIds": [world.vpc.replace("vpc", "rtb")]},
    ),
    "CreateTags": (
        lambda world: {
            "Resources": [world.group, world.rule, world.vpc, world.subnet],
            "Tags": [{"Key": "a", "Value": "b"}],
        },
    ),
    "DeleteTags": (
        lambda world: {"Resources": [world.group, world.rule], "Tags": [{"Key": "a", "Value": "b"}]},
        lambda world: {"Resources": [world.vpc]},
    ),
    "DescribeNetworkInterfaces": (lambda _: {"MaxResults": 5, "Filters": FILTER},),
    "DescribeAvailabilityZones": (lambda _: {"ZoneNames": ["eu-north-1a"]},),
    "CreateSecurityGroup": (
        lambda world: {"GroupName": "new", "Description": "n", "VpcId": world.vpc, "TagSpecifications": TAGGED},
    ),
    "DeleteSecurityGroup": (lambda world: {"GroupId": world.idle_group},),
    "AuthorizeSecurityGroupIngress": (
        lambda world: {"GroupId": world.group, "IpPermissions": [PERMISSION]},
        lambda world: (
            {"GroupId": world.group, "IpProtocol": "udp", "FromPort": 53, "ToPort": 53} | {"CidrIp": "10.2.0.0/16"}
        ),
    ),
    "AuthorizeSecurityGroupEgress": (lambda world: {"GroupId": world.group, "IpPermissions": [PERMISSION]},),
    "RevokeSecurityGroupIngress": (
        lambda world: {"GroupId": world.group, "SecurityGroupRuleIds": [world.rule]},
        lambda world: (
            {"GroupId": world.group, "IpProtocol": "tcp", "FromPort": 80, "ToPort": 80} | {"CidrIp": "10.0.0.0/8"}
        ),
    ),
    "RevokeSecurityGroupEgress": (
        lambda world: {
            "GroupId": world.group,
            "IpPermissions": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
        },
    ),
}

TIDEGATE_SEEDS: Mapping[str, tuple[Seed, ...]] = {
    "ListImages": (lambda _: {},),
    "PullImage": (lambda _: {"reference": "busybox:2", "architecture": "x86_64"},),
    "ImportImage": (lambda _: {"path": "/etc/passwd", "reference": "busybox:3"},),
    "ExportImage": (lambda _: {"path": "/tmp/x.tar", "reference": "busybox:1", "format": "OCI"},),
    "RemoveImage": (lambda _: {"reference": "busybox:1"},),
    "CollectGarbage": (lambda _: {},),
    "DescribeTimeline": (lambda world: {"task": world.task, "cluster": "default"},),
    "DescribeNodes": (lambda _: {},),
    "RotateMasterKey": (lambda _: {},),
    "DescribeMasterKeys": (lambda _: {},),
    "StartExec": (
        lambda world: {
            "task": world.task,
            "cluster": "default",
            "container": "web",
            "command": ["env", "-"],
            "user": "root",
            "workingDirectory": "/tmp",
            "environment": {"A": "b"},
            "terminal": {"rows": 24, "columns": 80},
        },
    ),
    "StartForward": (lambda world: {"task": world.task, "cluster": "default", "port": 5432},),
    "StartCopy": (
        lambda world: {
            "task": world.task,
            "cluster": "default",
            "container": "web",
            "direction": "IN",
            "path": "/srv",
            "intoDirectory": True,
        },
        lambda world: {"task": world.task, "container": "web", "direction": "OUT", "path": "/etc/passwd"},
    ),
    "DescribeBlackBox": (lambda world: {"task": world.stopped_task, "cluster": "default"},),
    "ExplainTask": (lambda world: {"task": world.stopped_task, "cluster": "default"},),
}
