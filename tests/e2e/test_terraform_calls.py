"""
What Terraform's AWS provider calls, in its order and with its parameters: create, read back, refresh, destroy.

Each resource is created, waited for and read with its tags as the provider does it; a second read must show the same,
or every plan would want to change something. In the end all of it is destroyed, and found to be gone.

Source: the provider's documentation and the calls that its debug log shows, by resource.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fixtures.server import ServerProcess, until

pytestmark = pytest.mark.host

ACCOUNT = "000000000000"
TAGS = [{"Key": "environment", "Value": "test"}]
ECS_TAGS = [{"key": "environment", "value": "test"}]
EVERYWHERE = {"FromPort": 0, "ToPort": 0, "IpProtocol": "-1"}


def policy(**statement: Any) -> str:
    """As the data source aws_iam_policy_document renders it, without a call."""
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


TRUST = policy(Action="sts:AssumeRole", Principal={"Service": "ecs-tasks.amazonaws.com"})
READS = policy(Action=["ssm:GetParameters", "secretsmanager:GetSecretValue"], Resource="*")


def gone(call: Callable[..., Any], code: str, **parameters: Any) -> None:
    """A waiter for deletion ends with this error and no other."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    assert caught.value.response["Error"]["Code"] == code


def shown(call: Callable[..., Any], **parameters: Any) -> dict[str, Any]:
    """What a read shows; a refresh shows the same."""
    first, second = call(**parameters), call(**parameters)
    for answer in (first, second):
        answer.pop("ResponseMetadata")
    assert first == second
    return dict(first)


@pytest.fixture
def destroy() -> Iterator[ExitStack]:
    """What is to be destroyed, last made first."""
    with ExitStack() as stack:
        yield stack


def test_data_sources(server: ServerProcess) -> None:
    """aws_caller_identity, aws_vpc (the default one), aws_subnets, aws_subnet, aws_availability_zones."""
    ec2 = server.client("ec2")
    assert shown(server.client("sts").get_caller_identity)["Account"] == ACCOUNT
    default = [{"Name": "isDefault", "Values": ["true"]}]
    (vpc,) = shown(ec2.describe_vpcs, Filters=default)["Vpcs"]
    for attribute in ("enableDnsHostnames", "enableDnsSupport", "enableNetworkAddressUsageMetrics"):
        answer = shown(ec2.describe_vpc_attribute, VpcId=vpc["VpcId"], Attribute=attribute)
        assert isinstance(answer[attribute[0].upper() + attribute[1:]]["Value"], bool)
    here = {"Name": "vpc-id", "Values": [vpc["VpcId"]]}
    main = [{"Name": "association.main", "Values": ["true"]}, here]
    (table,) = shown(ec2.describe_route_tables, Filters=main)["RouteTables"]
    assert table["Associations"][0]["Main"]
    subnets = shown(ec2.describe_subnets, Filters=[here])["Subnets"]
    assert shown(ec2.describe_subnets, SubnetIds=[subnets[0]["SubnetId"]])["Subnets"] == subnets[:1]
    zones = shown(ec2.describe_availability_zones)["AvailabilityZones"]
    assert {subnet["AvailabilityZone"] for subnet in subnets} <= {zone["ZoneName"] for zone in zones}


def test_security_group(server: ServerProcess, destroy: ExitStack) -> None:
    """aws_security_group with rules in it, aws_vpc_security_group_ingress_rule, and a change of tags."""
    ec2 = server.client("ec2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    made = ec2.create_security_group(
        GroupName="terraform-web",
        Description="Managed by Terraform",
        VpcId=vpc,
        TagSpecifications=[{"ResourceType": "security-group", "Tags": TAGS}],
    )
    group = made["GroupId"]
    destroy.callback(gone, ec2.describe_security_groups, "InvalidGroup.NotFound", GroupIds=[group])
    destroy.callback(ec2.delete_security_group, GroupId=group)
    lambdas = [{"Name": "group-id", "Values": [group]}, {"Name": "interface-type", "Values": ["lambda"]}]
    destroy.callback(ec2.describe_network_interfaces, Filters=lambdas)
    shown(ec2.describe_security_groups, GroupIds=[group])
    v4, v6 = {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}, {"Ipv6Ranges": [{"CidrIpv6": "::/0"}]}
    ec2.revoke_security_group_egress(GroupId=group, IpPermissions=[EVERYWHERE | v4])
    missing = "InvalidPermission.NotFound"  # the provider goes on after this one alone
    gone(ec2.revoke_security_group_egress, missing, GroupId=group, IpPermissions=[EVERYWHERE | v6])
    web = {"FromPort": 80, "ToPort": 80, "IpProtocol": "tcp"}
    ranges = {"IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "inside"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[web | ranges])
    ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[EVERYWHERE | v4])
    (found,) = shown(ec2.describe_security_groups, GroupIds=[group])["SecurityGroups"]
    assert found["IpPermissions"] == [web | ranges | {"UserIdGroupPairs": [], "Ipv6Ranges": [], "PrefixListIds": []}]
    assert found["Tags"] == TAGS
    rule = ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}],
        TagSpecifications=[{"ResourceType": "security-group-rule", "Tags": TAGS}],
    )["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    (read,) = shown(ec2.describe_security_group_rules, SecurityGroupRuleIds=[rule])["SecurityGroupRules"]
    assert (read["Tags"], read["CidrIpv4"]) == (TAGS, "10.0.0.0/8")
    ec2.create_tags(Resources=[group, rule], Tags=[{"Key": "team", "Value": "a"}])
    ec2.delete_tags(Resources=[group, rule], Tags=[{"Key": "environment"}])
    (found,) = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    assert found["Tags"] == [{"Key": "team", "Value": "a"}]
    ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=[rule])


def create_role(iam: Any, name: str, destroy: ExitStack) -> str:
    """aws_iam_role."""
    iam.create_role(AssumeRolePolicyDocument=TRUST, MaxSessionDuration=3600, Path="/", RoleName=name, Tags=TAGS)
    destroy.callback(gone, iam.get_role, "NoSuchEntity", RoleName=name)
    destroy.callback(iam.delete_role, RoleName=name)
    destroy.callback(iam.list_instance_profiles_for_role, RoleName=name)
    role = shown(iam.get_role, RoleName=name)["Role"]
    assert role["AssumeRolePolicyDocument"] == json.loads(TRUST)
    assert role["Tags"] == TAGS
    assert shown(iam.list_role_policies, RoleName=name)["PolicyNames"] == []
    assert shown(iam.list_attached_role_policies, RoleName=name)["AttachedPolicies"] == []
    return str(role["Arn"])


def test_roles_and_policies(server: ServerProcess, destroy: ExitStack) -> None:
    """aws_iam_role, aws_iam_role_policy, aws_iam_policy with a second version, aws_iam_role_policy_attachment."""
    iam = server.client("iam")
    role = "terraform-task"
    create_role(iam, role, destroy)
    iam.put_role_policy(RoleName=role, PolicyName="reads", PolicyDocument=READS)
    destroy.callback(gone, iam.get_role_policy, "NoSuchEntity", RoleName=role, PolicyName="reads")
    destroy.callback(iam.delete_role_policy, RoleName=role, PolicyName="reads")
    inline = shown(iam.get_role_policy, RoleName=role, PolicyName="reads")
    assert inline["PolicyDocument"] == json.loads(READS)
    arn = iam.create_policy(PolicyName="terraform-reads", Path="/", PolicyDocument=READS, Tags=TAGS)["Policy"]["Arn"]
    destroy.callback(gone, iam.get_policy, "NoSuchEntity", PolicyArn=arn)
    destroy.callback(iam.delete_policy, PolicyArn=arn)
    made = shown(iam.get_policy, PolicyArn=arn)["Policy"]
    assert (made["Tags"], made["DefaultVersionId"]) == (TAGS, "v1")
    version = shown(iam.get_policy_version, PolicyArn=arn, VersionId="v1")["PolicyVersion"]
    assert version["Document"] == json.loads(READS)
    assert len(shown(iam.list_policy_versions, PolicyArn=arn)["Versions"]) == 1
    iam.create_policy_version(
        PolicyArn=arn,
        PolicyDocument=TRUST.replace("Principal", "NotResource").replace(
            '{"Service": "ecs-tasks.amazonaws.com"}', '"*"'
        ),
        SetAsDefault=True,
    )
    destroy.callback(iam.delete_policy_version, PolicyArn=arn, VersionId="v1")
    assert shown(iam.get_policy, PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v2"
    aws = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
    for each in (arn, aws):
        iam.attach_role_policy(RoleName=role, PolicyArn=each)
        destroy.callback(iam.detach_role_policy, RoleName=role, PolicyArn=each)
    attached = shown(iam.list_attached_role_policies, RoleName=role)["AttachedPolicies"]
    assert {each["PolicyArn"] for each in attached} == {arn, aws}


def test_user_and_access_key(server: ServerProcess, destroy: ExitStack) -> None:
    """aws_iam_user and aws_iam_access_key; with force_destroy a user's other credentials are looked for."""
    iam = server.client("iam")
    name = "terraform-deployer"
    iam.create_user(Path="/", UserName=name, Tags=TAGS)
    destroy.callback(gone, iam.get_user, "NoSuchEntity", UserName=name)
    destroy.callback(iam.delete_user, UserName=name)
    for listing in ("groups_for_user", "ssh_public_keys", "signing_certificates", "service_specific_credentials"):
        destroy.callback(getattr(iam, f"list_{listing}"), UserName=name)
    destroy.callback(iam.list_mfa_devices, UserName=name)
    destroy.callback(gone, iam.delete_login_profile, "NoSuchEntity", UserName=name)
    assert shown(iam.get_user, UserName=name)["User"]["Tags"] == TAGS
    key = iam.create_access_key(UserName=name)["AccessKey"]
    destroy.callback(iam.delete_access_key, UserName=name, AccessKeyId=key["AccessKeyId"])
    (listed,) = shown(iam.list_access_keys, UserName=name)["AccessKeyMetadata"]
    assert (listed["AccessKeyId"], listed["Status"]) == (key["AccessKeyId"], "Active")
    iam.update_access_key(UserName=name, AccessKeyId=key["AccessKeyId"], Status="Inactive")


def test_log_group(server: ServerProcess, destroy: ExitStack) -> None:
    """aws_cloudwatch_log_group with a retention."""
    logs = server.client("logs")
    name = "/terraform/web"
    logs.create_log_group(logGroupName=name, logGroupClass="STANDARD", tags={"environment": "test"})
    destroy.callback(logs.delete_log_group, logGroupName=name)
    logs.put_retention_policy(logGroupName=name, retentionInDays=7)
    (group,) = shown(logs.describe_log_groups, logGroupNamePrefix=name)["logGroups"]
    assert (group["retentionInDays"], group["logGroupClass"]) == (7, "STANDARD")
    tags = shown(logs.list_tags_for_resource, resourceArn=group["arn"].removesuffix(":*"))["tags"]
    assert tags == {"environment": "test"}


def test_parameter(server: ServerProcess, destroy: ExitStack) -> None:
    """aws_ssm_parameter, a SecureString, and its update."""
    ssm = server.client("ssm")
    name = "/terraform/password"
    given = {"Name": name, "Type": "SecureString", "AllowedPattern": "", "Tier": "Standard", "DataType": "text"}
    ssm.put_parameter(**given, Value="one", Overwrite=False, Tags=TAGS)
    destroy.callback(gone, ssm.get_parameter, "ParameterNotFound", Name=name)
    destroy.callback(ssm.delete_parameter, Name=name)
    assert shown(ssm.get_parameter, Name=name, WithDecryption=True)["Parameter"]["Value"] == "one"
    by_name = [{"Key": "Name", "Option": "Equals", "Values": [name]}]
    (described,) = shown(ssm.describe_parameters, ParameterFilters=by_name)["Parameters"]
    assert described["Tier"] == "Standard"
    assert shown(ssm.list_tags_for_resource, ResourceType="Parameter", ResourceId=name)["TagList"] == TAGS
    assert ssm.put_parameter(**given, Value="two", Overwrite=True)["Version"] == 2


def test_secret(server: ServerProcess, destroy: ExitStack) -> None:
    """aws_secretsmanager_secret and aws_secretsmanager_secret_version."""
    secrets = server.client("secretsmanager")
    token = "terraform-2026112600000000000000000{}"
    made = secrets.create_secret(
        Name="terraform/api",
        ClientRequestToken=token.format(1),
        Description="",
        ForceOverwriteReplicaSecret=False,
        Tags=TAGS,
    )
    arn = made["ARN"]
    destroy.callback(gone, secrets.describe_secret, "ResourceNotFoundException", SecretId=arn)
    destroy.callback(secrets.delete_secret, SecretId=arn, ForceDeleteWithoutRecovery=True)
    described = shown(secrets.describe_secret, SecretId=arn)
    assert (described["Tags"], "DeletedDate" in described) == (TAGS, False)
    assert "ResourcePolicy" not in shown(secrets.get_resource_policy, SecretId=arn)
    put = secrets.put_secret_value(SecretId=arn, ClientRequestToken=token.format(2), SecretString="s3cret")
    value = shown(secrets.get_secret_value, SecretId=arn, VersionId=put["VersionId"])
    assert (value["SecretString"], value["VersionStages"]) == ("s3cret", ["AWSCURRENT"])


def test_cluster_and_task_definition(server: ServerProcess, destroy: ExitStack) -> None:
    """aws_ecs_cluster, aws_ecs_cluster_capacity_providers, aws_ecs_task_definition; a task of it runs."""
    ecs, iam = server.client("ecs"), server.client("iam")
    insights = [{"name": "containerInsights", "value": "enabled"}]
    cluster = ecs.create_cluster(clusterName="terraform", settings=insights, tags=ECS_TAGS)["cluster"]["clusterArn"]

    def state(**more: Any) -> Any:
        include = ["TAGS", "CONFIGURATIONS", "SETTINGS"]
        return shown(ecs.describe_clusters, clusters=[cluster], include=include, **more)["clusters"][0]

    destroy.callback(lambda: until(lambda: state()["status"] == "INACTIVE", "the cluster is gone"))
    destroy.callback(ecs.delete_cluster, cluster=cluster)
    assert (state()["status"], state()["settings"], state()["tags"]) == ("ACTIVE", insights, ECS_TAGS)
    strategy = [{"capacityProvider": "FARGATE", "weight": 100, "base": 1}]
    replace = {"cluster": "terraform", "defaultCapacityProviderStrategy": strategy}
    ecs.put_cluster_capacity_providers(capacityProviders=["FARGATE", "FARGATE_SPOT"], **replace)
    nothing = {"capacityProviders": [], "defaultCapacityProviderStrategy": []}
    destroy.callback(ecs.put_cluster_capacity_providers, cluster="terraform", **nothing)
    assert state()["defaultCapacityProviderStrategy"] == strategy
    role = create_role(iam, "terraform-execution", destroy)
    container = {"name": "web", "image": "busybox", "command": ["true"], "essential": True, "cpu": 0}
    empty: dict[str, Any] = {"environment": [], "mountPoints": [], "volumesFrom": [], "systemControls": []}
    definition = ecs.register_task_definition(
        family="terraform",
        containerDefinitions=[{**container, **empty, "portMappings": [{"containerPort": 80, "hostPort": 80}]}],
        cpu="256",
        memory="512",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        executionRoleArn=role,
        taskRoleArn=role,
        enableFaultInjection=False,
        runtimePlatform={"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"},
        tags=ECS_TAGS,
    )["taskDefinition"]["taskDefinitionArn"]
    destroy.callback(ecs.deregister_task_definition, taskDefinition=definition)
    read = shown(ecs.describe_task_definition, taskDefinition=definition, include=["TAGS"])
    assert (read["tags"], read["taskDefinition"]["status"]) == (ECS_TAGS, "ACTIVE")
    assert shown(ecs.list_tags_for_resource, resourceArn=definition)["tags"] == ECS_TAGS
    subnets = [each["SubnetId"] for each in server.client("ec2").describe_subnets()["Subnets"]]
    network = {"awsvpcConfiguration": {"subnets": subnets}}
    task = ecs.run_task(cluster=cluster, taskDefinition=definition, networkConfiguration=network)["tasks"][0]
    assert task["capacityProviderName"] == "FARGATE"
    ecs.get_waiter("tasks_stopped").wait(cluster=cluster, tasks=[task["taskArn"]], WaiterConfig={"Delay": 1})
