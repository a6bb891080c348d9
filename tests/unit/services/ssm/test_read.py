"""Reading parameters: by name, version, label, ARN and path; pages; history; what is not there."""

from __future__ import annotations

import pytest

from fakes.parameters import SecretServices

pytestmark = pytest.mark.anyio
ARN = "arn:aws:ssm:eu-north-1:123456789012:parameter"


async def value(bench: SecretServices, name: str) -> str:
    answer = await bench.ssm("GetParameter", Name=name, WithDecryption=True)
    found: str = answer["Parameter"]["Value"]
    return found


async def test_selectors(bench: SecretServices) -> None:
    """A version by its number or label; the selector is shown again."""
    await bench.put("p", "one")
    await bench.put("p", "two", Overwrite=True)
    await bench.ssm("LabelParameterVersion", Name="p", ParameterVersion=1, Labels=["prod"])
    assert [await value(bench, name) for name in ("p", "p:1", "p:2", "p:prod")] == ["two", "one", "two", "one"]
    assert (await bench.ssm("GetParameter", Name="p:prod"))["Parameter"]["Selector"] == ":prod"
    assert (await bench.refused_ssm("GetParameter", Name="p:dev"))[0] == "ParameterNotFound"
    assert await bench.refused_ssm("GetParameter", Name="p:3") == (
        "ParameterVersionNotFound",
        "Systems Manager could not find version 3 of p. Verify the version and try again.",
    )
    assert (await bench.refused_ssm("GetParameter", Name="p:" + "9" * 500))[0] == "ParameterVersionNotFound"


async def test_arns(bench: SecretServices) -> None:
    """An ARN has one slash, whether the name has it or not; another account's or region's is not found."""
    await bench.put("plain", "1")
    await bench.put("/slash", "2")
    await bench.put("/a/b", "3")
    assert [await value(bench, f"{ARN}/{name}") for name in ("plain", "slash", "a/b", "a/b:1")] == ["1", "2", "3", "3"]
    for wrong in (
        f"{ARN}/a",
        "arn:aws:ssm:eu-west-1:123456789012:parameter/plain",
        "arn:aws:ssm:eu-north-1:000000000000:parameter/plain",
        "arn:aws:sqs:eu-north-1:123456789012:parameter/plain",
        "arn:aws:ssm",
    ):
        assert await bench.refused_ssm("GetParameter", Name=wrong) == ("ParameterNotFound", "")


async def test_get_parameters_names_what_it_can_not_find(bench: SecretServices) -> None:
    """Each name once, the others beside it."""
    await bench.put("a", "1")
    answer = await bench.ssm("GetParameters", Names=["a", "b", "a:9", "a", "a:1"])
    assert [p["Value"] for p in answer["Parameters"]] == ["1", "1"]
    assert answer["InvalidParameters"] == ["b", "a:9"]


async def names_by_path(bench: SecretServices, path: str, **members: object) -> list[str]:
    answer = await bench.ssm("GetParametersByPath", Path=path, **members)
    return [p["Name"] for p in answer["Parameters"]]


async def test_paths(bench: SecretServices) -> None:
    """One level, or all below; a name that only begins alike is not below."""
    for name in ("/a/b", "/a/c/d", "/ab/x", "top", "/lead"):
        await bench.put(name)
    assert await names_by_path(bench, "/a") == ["/a/b"]
    assert await names_by_path(bench, "/a/", Recursive=True) == ["/a/b", "/a/c/d"]
    assert await names_by_path(bench, "/") == ["/lead", "top"]
    assert len(await names_by_path(bench, "/", Recursive=True)) == 5
    code, text = await bench.refused_ssm("GetParametersByPath", Path="a")
    assert code == "ValidationException"
    assert text.startswith("The parameter doesn't meet the parameter name requirements.")


async def test_pages_lose_nothing(bench: SecretServices) -> None:
    """Ten at a time by path if nothing else is asked; a token of another operation is refused."""
    for number in range(25):
        await bench.put(f"/p/{number:02d}")
    seen: list[str] = []
    token = None
    while True:
        answer = await bench.ssm("GetParametersByPath", Path="/p", NextToken=token)
        seen += [p["Name"] for p in answer["Parameters"]]
        assert len(answer["Parameters"]) <= 10
        token = answer.get("NextToken")
        if token is None:
            break
    assert seen == [f"/p/{number:02d}" for number in range(25)]
    other = (await bench.ssm("DescribeParameters", MaxResults=1))["NextToken"]
    code, _ = await bench.refused_ssm("GetParametersByPath", Path="/p", NextToken=other)
    assert code == "InvalidNextToken"


async def test_filters_by_path(bench: SecretServices) -> None:
    """Type, KeyId and Label; a label shows the version that it is on."""
    await bench.put("/p/a", "1", Type="SecureString")
    await bench.put("/p/b", "1")
    await bench.put("/p/b", "2", Overwrite=True)
    await bench.ssm("LabelParameterVersion", Name="/p/b", ParameterVersion=1, Labels=["old"])
    secure = [{"Key": "Type", "Option": "Equals", "Values": ["SecureString"]}]
    assert await names_by_path(bench, "/p", ParameterFilters=secure) == ["/p/a"]
    labelled = await bench.ssm("GetParametersByPath", Path="/p", ParameterFilters=[{"Key": "Label", "Values": ["old"]}])
    assert [(p["Name"], p["Version"]) for p in labelled["Parameters"]] == [("/p/b", 1)]
    code, text = await bench.refused_ssm(
        "GetParametersByPath", Path="/p", ParameterFilters=[{"Key": "tag:x", "Values": ["y"]}]
    )
    assert (code, text) == (
        "InvalidFilterKey",
        "The following filter key is not valid: tag:x. Valid filter keys include: [Type, KeyId, Label].",
    )


async def test_history(bench: SecretServices) -> None:
    """Every version, oldest first, with its labels, in pages."""
    for number in (1, 2, 3):
        await bench.put("p", f"value-{number}", Type="SecureString", Overwrite=True)
    await bench.ssm("LabelParameterVersion", Name="p", Labels=["b", "a"])
    first = await bench.ssm("GetParameterHistory", Name="p", WithDecryption=True, MaxResults=2)
    assert [p["Value"] for p in first["Parameters"]] == ["value-1", "value-2"]
    rest = await bench.ssm("GetParameterHistory", Name="p", MaxResults=2, NextToken=first["NextToken"])
    (last,) = rest["Parameters"]
    assert (last["Version"], last["Labels"], last["KeyId"]) == (3, ["a", "b"], "alias/aws/ssm")
    assert "value-3" not in last["Value"]
    assert "NextToken" not in rest
    assert last["LastModifiedUser"] == bench.ctx.principal
    assert (await bench.refused_ssm("GetParameterHistory", Name="q"))[0] == "ParameterNotFound"
