"""AWS's own client against the application behind a real socket: what it signs, sends and reads."""

from __future__ import annotations

import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import boto3
import pytest
import uvicorn
from botocore.config import Config
from botocore.exceptions import ClientError

from tidegate.api import ec2, ecs, logs, sts
from tidegate.api.shape import Context
from tidegate.wire.app import Application
from tidegate.wire.authentication import Identity
from tidegate.wire.routing import serve_with
from tidegate.wire.sigv4 import Key

ACCOUNT, REGION = "123456789012", "eu-north-1"
ID, SECRET, OWNER = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", f"arn:aws:iam::{ACCOUNT}:root"
STARTED = 1_700_000_000.25


class Ring:
    """One key."""

    def find(self, access_key_id: str, session_token: str | None) -> Key | None:
        return Key(SECRET, OWNER) if access_key_id == ID else None


class Ecs:
    """Keeps what it is asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    async def run_task(self, ctx: Context, request: ecs.RunTaskRequest) -> ecs.RunTaskResponse:
        self.asked.append(request)
        if request.cluster == "none":
            raise ecs.ClusterNotFoundException("Cluster not found.")
        if request.cluster == "again":
            raise ecs.ConflictException("The token was used.", resourceIds=["arn:1"])
        if request.cluster == "broken":
            raise ZeroDivisionError
        tasks = (ecs.Task(task_arn="arn:1", created_at=STARTED, tags=(), last_status="PROVISIONING"),)
        return ecs.RunTaskResponse(tasks=tasks, failures=())


class Logs:
    """Tells what it got."""

    async def create_log_group(self, ctx: Context, request: logs.CreateLogGroupRequest) -> None:
        return None

    async def put_log_events(self, ctx: Context, request: logs.PutLogEventsRequest) -> logs.PutLogEventsResponse:
        return logs.PutLogEventsResponse(next_sequence_token=str(sum(len(e.message) for e in request.log_events)))


class Sts:
    """Who asks."""

    async def get_caller_identity(
        self, ctx: Context, request: sts.GetCallerIdentityRequest
    ) -> sts.GetCallerIdentityResponse:
        return sts.GetCallerIdentityResponse(user_id=ctx.access_key, account=ctx.account, arn=ctx.principal)


class Ec2:
    """One subnet, and rules as they were sent."""

    async def describe_subnets(self, ctx: Context, request: ec2.DescribeSubnetsRequest) -> ec2.DescribeSubnetsResult:
        names = tuple(ec2.Tag(key=f.name, value=",".join(f.values or ())) for f in request.filters or ())
        subnet = ec2.Subnet(subnet_id="subnet-1", default_for_az=True, available_ip_address_count=250, tags=names)
        return ec2.DescribeSubnetsResult(subnets=(subnet,))

    async def authorize_security_group_ingress(
        self, ctx: Context, request: ec2.AuthorizeSecurityGroupIngressRequest
    ) -> ec2.AuthorizeSecurityGroupIngressResult:
        ranges = [r.cidr_ip for p in request.ip_permissions or () for r in p.ip_ranges or ()]
        rules = tuple(ec2.SecurityGroupRule(cidr_ipv4=cidr, from_port=80, is_egress=False) for cidr in ranges)
        return ec2.AuthorizeSecurityGroupIngressResult(return_=True, security_group_rules=rules)

    async def describe_network_interfaces(
        self, ctx: Context, request: ec2.DescribeNetworkInterfacesRequest
    ) -> ec2.DescribeNetworkInterfacesResult:
        attachment = ec2.NetworkInterfaceAttachment(attach_time=STARTED)
        interface = ec2.NetworkInterface(description="<&>\r\n", attachment=attachment, groups=())
        return ec2.DescribeNetworkInterfacesResult(network_interfaces=(interface,))


@pytest.fixture(scope="module")
def handler() -> Ecs:
    return Ecs()


@pytest.fixture(scope="module")
def endpoint(handler: Ecs) -> Iterator[str]:
    services = [serve_with(ecs, handler), serve_with(logs, Logs()), serve_with(sts, Sts()), serve_with(ec2, Ec2())]
    application = Application(services, Identity(ACCOUNT, REGION), Ring(), lambda: {"status": "ok"})
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(application, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(timeout=10)
    listener.close()
    assert not thread.is_alive()


def client(endpoint: str, service: str, *, key: str = ID, secret: str = SECRET, region: str = REGION) -> Any:
    return boto3.session.Session().client(
        service,
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
    )


def refusal(call: Any, **parameters: Any) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"]


def test_json_there_and_back(endpoint: str, handler: Ecs) -> None:
    """Members arrive; times, empty lists and the request's id come back."""
    answer = client(endpoint, "ecs").run_task(taskDefinition="web", count=1, tags=[{"key": "a", "value": "ä"}])
    asked = handler.asked[-1]
    assert (asked.task_definition, asked.count, asked.tags[0].value) == ("web", 1, "ä")
    assert len(asked.client_token) == 36  # the client makes one up
    (task,) = answer["tasks"]
    assert task["createdAt"].timestamp() == STARTED
    assert (task["tags"], answer["failures"]) == ([], [])
    assert len(answer["ResponseMetadata"]["RequestId"]) == 36


def test_an_operation_without_an_answer(endpoint: str) -> None:
    """The client is content with nothing."""
    assert set(client(endpoint, "logs").create_log_group(logGroupName="a")) == {"ResponseMetadata"}


def test_a_large_body(endpoint: str) -> None:
    """A mebibyte of events in a script that the client escapes."""
    events = [{"timestamp": 1, "message": "日" * 10_000} for _ in range(34)]
    answer = client(endpoint, "logs").put_log_events(logGroupName="a", logStreamName="b", logEvents=events)
    assert answer["nextSequenceToken"] == "340000"


def test_errors_of_json_services(endpoint: str) -> None:
    """The client makes its own exception of them, with the members of the model."""
    api = client(endpoint, "ecs")
    with pytest.raises(api.exceptions.ClusterNotFoundException, match=r"^An error .*: Cluster not found\.$"):
        api.run_task(taskDefinition="web", cluster="none")
    with pytest.raises(api.exceptions.ConflictException) as caught:
        api.run_task(taskDefinition="web", cluster="again")
    assert caught.value.response["resourceIds"] == ["arn:1"]
    with pytest.raises(api.exceptions.InvalidParameterException, match="'taskDefinition' failed to satisfy"):
        api.run_task()
    assert refusal(api.run_task, taskDefinition="web", cluster="broken")[:2] == ("ServerException", 500)


def test_query_there_and_back(endpoint: str) -> None:
    """STS tells whose the key is."""
    answer = client(endpoint, "sts").get_caller_identity()
    assert (answer["UserId"], answer["Account"], answer["Arn"]) == (ID, ACCOUNT, OWNER)
    assert len(answer["ResponseMetadata"]["RequestId"]) == 36


def test_ec2_there_and_back(endpoint: str) -> None:
    """Filters, nested lists, numbers, truth values, times, and text that XML must escape."""
    api = client(endpoint, "ec2")
    filters = [{"Name": "vpc-id", "Values": ["vpc-1", "vpc-2"]}, {"Name": "tag:a&b", "Values": ["ä+ %"]}]
    (subnet,) = api.describe_subnets(Filters=filters)["Subnets"]
    assert subnet["Tags"] == [{"Key": "vpc-id", "Value": "vpc-1,vpc-2"}, {"Key": "tag:a&b", "Value": "ä+ %"}]
    assert (subnet["DefaultForAz"], subnet["AvailableIpAddressCount"]) == (True, 250)
    permissions = [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]
    answer = api.authorize_security_group_ingress(GroupId="sg-1", IpPermissions=permissions)
    assert answer["Return"] is True
    assert answer["SecurityGroupRules"] == [{"IsEgress": False, "FromPort": 80, "CidrIpv4": "10.0.0.0/8"}]
    (interface,) = api.describe_network_interfaces()["NetworkInterfaces"]
    assert (interface["Description"], interface["Groups"]) == ("<&>\r\n", [])
    assert interface["Attachment"]["AttachTime"].timestamp() == STARTED


def test_errors_of_query_services(endpoint: str) -> None:
    """Code, status and text are where the client looks for them."""
    code, status, text = refusal(client(endpoint, "ec2").create_security_group, GroupName="a", Description="b")
    assert (code, status) == ("InternalFailure", 500)  # this test's handler has no such method
    code, status, text = refusal(client(endpoint, "ec2").run_instances, MinCount=1, MaxCount=1)
    assert (code, status, text) == ("InvalidAction", 400, "Tidegate does not serve the action RunInstances yet.")
    code, status, _ = refusal(client(endpoint, "ec2").describe_subnets, MaxResults=1)
    assert (code, status) == ("InvalidParameterValue", 400)


def test_an_operation_that_is_not_served(endpoint: str) -> None:
    """The client gets AWS's error, with words of ours."""
    assert refusal(client(endpoint, "ecs").list_services) == (
        "UnknownOperationException",
        400,
        "Tidegate does not serve ecs:ListServices yet.",
    )


def test_a_service_that_is_not_served(endpoint: str) -> None:
    """Each kind of client gets an error that it can read."""
    assert refusal(client(endpoint, "dynamodb").list_tables)[:2] == ("UnknownOperationException", 400)
    assert refusal(client(endpoint, "iam").list_users)[:2] == ("InvalidAction", 400)


@pytest.mark.parametrize(
    "service, operation, wrong_secret, unknown_key",
    [
        ("ecs", "run_task", ("InvalidSignatureException", 403), ("UnrecognizedClientException", 403)),
        ("sts", "get_caller_identity", ("SignatureDoesNotMatch", 403), ("InvalidClientTokenId", 403)),
        ("ec2", "describe_subnets", ("SignatureDoesNotMatch", 403), ("AuthFailure", 401)),
    ],
)
def test_who_is_not_let_in(
    endpoint: str, service: str, operation: str, wrong_secret: tuple[str, int], unknown_key: tuple[str, int]
) -> None:
    """Each protocol has its own codes. A region that is not ours is named."""
    assert refusal(getattr(client(endpoint, service, secret="wrong"), operation))[:2] == wrong_secret
    assert refusal(getattr(client(endpoint, service, key="AKIANOBODY"), operation))[:2] == unknown_key
    code, status, text = refusal(getattr(client(endpoint, service, region="eu-west-2"), operation))
    assert (code, status) == wrong_secret
    assert text.startswith("Credential should be scoped to a valid region")


@pytest.mark.parametrize("minutes, words", [(-20, "Signature expired"), (20, "Signature not yet current")])
def test_a_client_whose_clock_is_wrong(
    endpoint: str, minutes: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Is told so, in both directions."""
    skewed = datetime.now(UTC) + timedelta(minutes=minutes)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda *args, **kwargs: skewed.replace(tzinfo=None))
    code, _, text = refusal(client(endpoint, "ecs").run_task)
    assert code == "InvalidSignatureException"
    assert text.startswith(words)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_presigned_request(endpoint: str, method: str) -> None:
    """Whoever has the address may ask this, without a key; nobody may alter it, nor use it in another way."""
    api = client(endpoint, "sts")
    address = api.generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod=method)
    with urllib.request.urlopen(urllib.request.Request(address, method=method)) as answer:
        tree = ElementTree.fromstring(answer.read())
    assert tree.findtext(".//{*}Arn") == OWNER
    other = {"GET": "POST", "POST": "GET"}[method]
    for url, verb in ((address.replace("X-Amz-Expires=60", "X-Amz-Expires=6000"), method), (address, other)):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(urllib.request.Request(url, method=verb))
        assert (caught.value.code, b"SignatureDoesNotMatch" in caught.value.read()) == (403, True)
        caught.value.close()
