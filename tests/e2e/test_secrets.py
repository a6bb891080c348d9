"""Secrets and configuration by boto3, as they are, in real tasks."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from fixtures.images import make_image
from fixtures.registry import PASSWORD, USER, missing_for_registry, running_registry
from fixtures.server import ServerProcess
from fixtures.workload import Workload, shell

pytestmark = pytest.mark.host
REASON = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture(scope="module")
def work(server: ServerProcess) -> Workload:
    return Workload(server)


def run(work: Workload, container: dict[str, Any], **options: Any) -> dict[str, Any]:
    """A task of one container, when it has stopped."""
    (task,) = work.run(work.register(container, family="secrets"), **options)
    return work.wait_one(task, "STOPPED")


def hashes(*names: str) -> str:
    """A script that prints the hash of each variable, and never the variable."""
    return "; ".join(f'printf %s "${name}" | sha256sum | cut -d" " -f1' for name in names)


def test_a_task_is_given_its_secrets(work: Workload) -> None:
    """A parameter by name and ARN, a whole secret, a key of it, an older version."""
    ssm, manager = work.client("ssm"), work.client("secretsmanager")
    ssm.put_parameter(Name="/e2e/plain", Value="plain value", Type="String")
    ssm.put_parameter(Name="/e2e/secure", Value="secure value", Type="SecureString")
    arn = ssm.get_parameter(Name="/e2e/secure")["Parameter"]["ARN"]
    secret = manager.create_secret(Name="e2e/db", SecretString=json.dumps({"user": "u", "password": "old"}))
    manager.put_secret_value(SecretId="e2e/db", SecretString=json.dumps({"user": "u", "password": "new"}))
    wanted = {
        "PLAIN": ("/e2e/plain", "plain value"),
        "SECURE": (arn, "secure value"),
        "WHOLE": (secret["ARN"], '{"user": "u", "password": "new"}'),
        "KEY": (f"{secret['ARN']}:password::", "new"),
        "OLD": (f"{secret['ARN']}:password:AWSPREVIOUS:", "old"),
        "VERSION": (f"{secret['ARN']}:password::{secret['VersionId']}", "old"),
    }
    last = run(
        work,
        shell(hashes(*wanted), secrets=[{"name": name, "valueFrom": value} for name, (value, _) in wanted.items()]),
    )
    assert last["containers"][0]["exitCode"] == 0
    assert work.output(last["taskArn"]) == [digest(value) for _, value in wanted.values()]


def test_environment_files(work: Workload) -> None:
    """The first file that has a variable, below the definition, below an override; an override's files replace."""
    bucket = work.server.state.path / "s3" / "e2e-bucket"
    bucket.mkdir(parents=True)
    (bucket / "a.env").write_text("# first\nA=file a\nB=file a\nC=file a\nEMPTY=\n")
    (bucket / "b.env").write_text("A=file b\nD=file b\n")
    files = [{"type": "s3", "value": f"arn:aws:s3:::e2e-bucket/{name}.env"} for name in "ab"]
    container = shell(
        'echo "$A,$B,$C,$D,${EMPTY-unset}"', environmentFiles=files, environment=[{"name": "B", "value": "defined"}]
    )
    override = {"name": "c0", "environment": [{"name": "C", "value": "override"}]}
    last = run(work, container, overrides={"containerOverrides": [override]})
    assert work.output(last["taskArn"]) == ["file a,defined,override,file b,unset"]
    last = run(work, container, overrides={"containerOverrides": [{"name": "c0", "environmentFiles": files[1:]}]})
    assert work.output(last["taskArn"]) == ["file b,defined,,file b,unset"]


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        (
            {"secrets": [{"name": "S", "valueFrom": "/e2e/none"}]},
            f"{REASON}unable to retrieve secrets from ssm: service call has been retried 1 time(s): invalid ssm "
            "parameters: /e2e/none",
        ),
        (
            {"repositoryCredentials": {"credentialsParameter": "e2e/none"}},
            f"{REASON}unable to get registry auth from asm: service call has been retried 1 time(s): asm fetching "
            "secret from the service for e2e/none: ResourceNotFoundException: Secrets Manager can't find the specified "
            "secret.",
        ),
        (
            {"environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::e2e-bucket/none.env"}]},
            "ResourceInitializationError: failed to download env files: file download command: non empty error stream: "
            "failed to download file none.env: NoSuch",
        ),
    ],
    ids=["secret", "login", "file"],
)
def test_what_can_not_be_had_ends_the_task(work: Workload, members: dict[str, Any], reason: str) -> None:
    """With Fargate's reason, and nothing was started."""
    last = run(work, shell("echo never", **members))
    assert last["stopCode"] == "TaskFailedToStart"
    assert last["stoppedReason"].startswith(reason)
    assert "startedAt" not in last
    assert work.output(last["taskArn"]) == []


@pytest.mark.skipif(bool(missing_for_registry), reason=f"needs {missing_for_registry}")
def test_a_private_image(work: Workload, busybox: Path, tmp_path: Path) -> None:
    """Is pulled with the container's own login, and not without."""
    manager = work.client("secretsmanager")
    with running_registry(tmp_path / "registry", with_password=True) as registry:
        image = make_image([busybox.read_bytes()])
        reference = registry.push("team/private", "v1", image)
        last = run(work, shell("echo here", image=reference))
        assert "CannotPullContainerError" in last["stoppedReason"]
        login = manager.create_secret(
            Name="e2e/registry", SecretString=json.dumps({"username": USER, "password": PASSWORD})
        )["ARN"]
        last = run(work, shell("echo here", image=reference, repositoryCredentials={"credentialsParameter": login}))
    assert work.output(last["taskArn"]) == ["here"]


def test_every_operation_of_the_parameter_store(work: Workload) -> None:
    """By boto3, with its paginators."""
    ssm = work.client("ssm")
    for number in range(12):
        ssm.put_parameter(Name=f"/ops/p{number:02d}", Value="v", Type="String")
    pages = ssm.get_paginator("get_parameters_by_path").paginate(Path="/ops")
    assert len([p for page in pages for p in page["Parameters"]]) == 12
    ssm.put_parameter(Name="/ops/p00", Value="w", Overwrite=True)
    ssm.label_parameter_version(Name="/ops/p00", ParameterVersion=1, Labels=["first"])
    assert ssm.get_parameter(Name="/ops/p00:first")["Parameter"]["Value"] == "v"
    ssm.unlabel_parameter_version(Name="/ops/p00", ParameterVersion=1, Labels=["first"])
    found = ssm.get_parameters(Names=["/ops/p00", "/ops/none"])
    assert ([p["Version"] for p in found["Parameters"]], found["InvalidParameters"]) == ([2], ["/ops/none"])
    pages = ssm.get_paginator("get_parameter_history").paginate(Name="/ops/p00", PaginationConfig={"PageSize": 1})
    assert [p["Value"] for page in pages for p in page["Parameters"]] == ["v", "w"]
    tagged = {"ResourceType": "Parameter", "ResourceId": "/ops/p00"}
    ssm.add_tags_to_resource(**tagged, Tags=[{"Key": "a", "Value": "b"}])
    by_tag = [{"Key": "tag:a", "Values": ["b"]}]
    pages = ssm.get_paginator("describe_parameters").paginate(ParameterFilters=by_tag)
    assert [p["Name"] for page in pages for p in page["Parameters"]] == ["/ops/p00"]
    ssm.remove_tags_from_resource(**tagged, TagKeys=["a"])
    assert ssm.list_tags_for_resource(**tagged)["TagList"] == []
    ssm.delete_parameter(Name="/ops/p00")
    gone = ssm.delete_parameters(Names=["/ops/p01", "/ops/p00"])
    assert (gone["DeletedParameters"], gone["InvalidParameters"]) == (["/ops/p01"], ["/ops/p00"])
    with pytest.raises(ssm.exceptions.ParameterNotFound):
        ssm.get_parameter(Name="/ops/p00")


def test_every_operation_of_secrets_manager(work: Workload) -> None:
    """By boto3, with its paginators."""
    manager = work.client("secretsmanager")
    password = manager.get_random_password(PasswordLength=40)["RandomPassword"]
    manager.create_secret(Name="ops/a", SecretString=password, Tags=[{"Key": "k", "Value": "v"}])
    manager.create_secret(Name="ops/b", SecretBinary=b"\x00\xff")
    assert manager.get_secret_value(SecretId="ops/a")["SecretString"] == password
    assert manager.get_secret_value(SecretId="ops/b")["SecretBinary"] == b"\x00\xff"
    first = manager.describe_secret(SecretId="ops/a")["VersionIdsToStages"]
    second = manager.put_secret_value(SecretId="ops/a", SecretString="2")["VersionId"]
    manager.update_secret_version_stage(
        SecretId="ops/a", VersionStage="AWSCURRENT", MoveToVersionId=next(iter(first)), RemoveFromVersionId=second
    )
    assert manager.get_secret_value(SecretId="ops/a")["SecretString"] == password
    manager.update_secret(SecretId="ops/a", Description="d")
    assert len(manager.list_secret_version_ids(SecretId="ops/a")["Versions"]) == 2
    manager.tag_resource(SecretId="ops/a", Tags=[{"Key": "x", "Value": "y"}])
    manager.untag_resource(SecretId="ops/a", TagKeys=["k"])
    policy = json.dumps({"Statement": {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}})
    manager.put_resource_policy(SecretId="ops/a", ResourcePolicy=policy)
    assert manager.get_resource_policy(SecretId="ops/a")["ResourcePolicy"] == policy
    manager.delete_resource_policy(SecretId="ops/a")
    pages = manager.get_paginator("list_secrets").paginate(
        Filters=[{"Key": "name", "Values": ["ops/"]}], PaginationConfig={"PageSize": 1}
    )
    assert [s["Name"] for page in pages for s in page["SecretList"]] == ["ops/b", "ops/a"]
    values = manager.batch_get_secret_value(SecretIdList=["ops/a", "ops/none"])
    assert ([v["Name"] for v in values["SecretValues"]], len(values["Errors"])) == (["ops/a"], 1)
    manager.delete_secret(SecretId="ops/a", RecoveryWindowInDays=7)
    manager.restore_secret(SecretId="ops/a")
    for name in ("ops/a", "ops/b"):
        manager.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    with pytest.raises(manager.exceptions.ResourceNotFoundException):
        manager.describe_secret(SecretId="ops/a")
