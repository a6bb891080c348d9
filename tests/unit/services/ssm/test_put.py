"""PutParameter: names, sizes, types, versions; what it refuses, in AWS's words."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.parameters import SecretServices
from tidegate.model.parameter import ParameterVersion

pytestmark = pytest.mark.anyio


async def test_first_version(bench: SecretServices) -> None:
    """A new parameter has version 1 and the standard tier."""
    assert await bench.put("/app/db", "secret") == {"Version": 1, "Tier": "Standard"}
    answer = await bench.ssm("GetParameter", Name="/app/db")
    assert answer["Parameter"] == {
        "Name": "/app/db",
        "Type": "String",
        "Value": "secret",
        "Version": 1,
        "LastModifiedDate": bench.time,
        "ARN": "arn:aws:ssm:eu-north-1:123456789012:parameter/app/db",
        "DataType": "text",
    }


async def test_overwrite(bench: SecretServices) -> None:
    """Only on request; the number grows by one, and what the request leaves out stays."""
    await bench.put("p", "1", Description="about p", AllowedPattern=r"\d+")
    assert await bench.refused_ssm("PutParameter", Name="p", Value="2") == (
        "ParameterAlreadyExists",
        "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.",
    )
    assert (await bench.ssm("PutParameter", Name="p", Value="2", Overwrite=True))["Version"] == 2
    (shown,) = (await bench.ssm("DescribeParameters"))["Parameters"]
    assert (shown["Description"], shown["AllowedPattern"], shown["Type"]) == ("about p", r"\d+", "String")


async def test_every_value_is_sealed_at_rest(bench: SecretServices) -> None:
    """Whatever the type, the record does not show the value."""
    for kind in ("String", "StringList", "SecureString"):
        await bench.put(f"p{kind}", "canary-value", Type=kind)
    for record in bench.store.select(ParameterVersion):
        assert b"canary-value" not in record.sealed_value
        assert "canary" not in repr(record)


async def test_a_secure_string_is_shown_to_those_who_ask_for_it(bench: SecretServices) -> None:
    """Without WithDecryption there is ciphertext; with it the plain value. Other types are never encrypted."""
    await bench.put("s", "plain-value", Type="SecureString")
    hidden = (await bench.ssm("GetParameter", Name="s"))["Parameter"]["Value"]
    assert "plain-value" not in hidden
    assert len(hidden) > 40
    shown = await bench.ssm("GetParameter", Name="s", WithDecryption=True)
    assert shown["Parameter"]["Value"] == "plain-value"


async def test_versions_are_kept_up_to_a_hundred(bench: SecretServices) -> None:
    """The oldest goes when the 101st comes; one that has a label stays, and the call is refused."""
    await bench.put("p", "1")
    for number in range(2, 102):
        await bench.put("p", str(number), Overwrite=True)
    assert (await bench.refused_ssm("GetParameter", Name="p:1"))[0] == "ParameterVersionNotFound"
    assert (await bench.ssm("GetParameter", Name="p:2"))["Parameter"]["Value"] == "2"
    await bench.ssm("LabelParameterVersion", Name="p", ParameterVersion=2, Labels=["keep"])
    assert await bench.refused_ssm("PutParameter", Name="p", Value="x", Overwrite=True) == (
        "ParameterMaxVersionLimitExceeded",
        "You attempted to create a new version of p by calling the PutParameter API with the overwrite flag. Version 2,"
        " the oldest version, can't be deleted because it has a label associated with it. Move the label to another "
        "version of the parameter, and try again.",
    )


NAMES: list[tuple[str, str, str]] = [
    ("aws.x", "ValidationException", 'Parameter name: can\'t be prefixed with "aws" or "ssm" (case-insensitive).'),
    ("/SSM", "ValidationException", 'Parameter name: can\'t be prefixed with "aws" or "ssm" (case-insensitive).'),
    ("/aws/service/x", "AccessDeniedException", "No access to reserved parameter name: /aws/service/x."),
    ("a/b", "ValidationException", "Parameter name must be a fully qualified name."),
    (
        "/a/" * 1 + "/".join("b" * 15),
        "HierarchyLevelLimitExceededException",
        "A hierarchy can have a maximum of 15 levels.",
    ),
    ("n" * 1012, "ValidationException", "Parameter name can have at most 1011 characters."),
]


@pytest.mark.parametrize(("name", "code", "text"), NAMES, ids=[name[:20] for name, _, _ in NAMES])
async def test_names_that_a_parameter_can_not_have(bench: SecretServices, name: str, code: str, text: str) -> None:
    """Each with the error that AWS gives."""
    assert await bench.refused_ssm("PutParameter", Name=name, Value="v", Type="String") == (code, text)


@pytest.mark.parametrize("name", ["a b", "/a//b", "/a/", "é", "a:1", "/a/b@c", "/ssm/x"])
async def test_characters_and_paths(bench: SecretServices, name: str) -> None:
    """Sub-paths of letters, numbers and .-_ alone."""
    code, text = await bench.refused_ssm("PutParameter", Name=name, Value="v", Type="String")
    assert code == "ValidationException"
    assert "each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_" in text


@pytest.mark.parametrize("name", ["a", "A.b-c_d", "/a", "/" + "/".join("abcdefghijklmno"), "saws"])
async def test_names_that_are_good(bench: SecretServices, name: str) -> None:
    """Fifteen levels are allowed, and so is a reserved word that is not at the start."""
    assert (await bench.put(name))["Version"] == 1


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"Value": ""}, "ValidationException", "Value at 'value' failed to satisfy constraint"),
    ({"Type": None}, "ValidationException", "A parameter type is required when you create a parameter."),
    ({"KeyId": "alias/k"}, "ValidationException", "KeyId is required for SecureString type parameter only."),
    ({"Overwrite": True, "Tags": [{"Key": "a", "Value": "b"}]}, "ValidationException", "tags and overwrite can't be"),
    ({"DataType": "integer"}, "ValidationException", "The following data type is not supported: integer (Data type"),
    ({"DataType": "aws:ec2:image"}, "ValidationException", "Tidegate does not support the data type aws:ec2:image"),
    ({"Policies": '[{"Type":"Expiration"}]'}, "InvalidPolicyTypeException", "does not support parameter policies"),
    ({"Tags": [{"Key": "aws:a", "Value": "b"}]}, "ValidationException", "aws: prefixed tag key names"),
    ({"Tags": [{"Key": "a", "Value": "b"}] * 2}, "ValidationException", "Duplicate tag key: a"),
    ({"Tags": [{"Key": f"k{n}", "Value": ""} for n in range(51)]}, "TooManyTagsError", "at most 50 tags"),
    (
        {"Value": "x" * 4097},
        "ValidationException",
        "Standard tier parameters support a maximum parameter value of 4096",
    ),
    ({"Value": "x" * 8193, "Tier": "Advanced"}, "ValidationException", "Advanced tier parameters support a maximum"),
    ({"Value": "é" * 2049}, "ValidationException", "Standard tier"),
    (
        {"AllowedPattern": "[0-9]+"},
        "ParameterPatternMismatchException",
        "cannot be validated against allowedPattern: [0-9]+",
    ),
    ({"AllowedPattern": "a)|(?:.*"}, "InvalidAllowedPatternException", "does not meet the regular expression"),
    ({"AllowedPattern": "("}, "InvalidAllowedPatternException", "does not meet the regular expression requirement"),
    ({"AllowedPattern": "(" * 1000}, "InvalidAllowedPatternException", "does not meet the regular expression"),
]


@pytest.mark.parametrize(("members", "code", "text"), REFUSED, ids=[str(members)[:40] for members, _, _ in REFUSED])
async def test_what_is_refused(bench: SecretServices, members: dict[str, Any], code: str, text: str) -> None:
    """With AWS's error; nothing is kept, and the value is not told."""
    value = members.pop("Value", "canary")
    found = await bench.refused_ssm("PutParameter", **{"Name": "p", "Type": "String", "Value": value, **members})
    assert found[0] == code
    assert text in found[1]
    assert not value or value not in found[1]
    assert (await bench.ssm("DescribeParameters"))["Parameters"] == []


async def test_no_pattern_takes_for_ever(bench: SecretServices) -> None:
    """What other engines try exponentially many ways for is answered at once."""
    code, _ = await bench.refused_ssm(
        "PutParameter", Name="p", Type="String", Value="a" * 4000 + "b", AllowedPattern="(a|aa)+$"
    )
    assert code == "ParameterPatternMismatchException"


async def test_a_pattern_binds_later_versions(bench: SecretServices) -> None:
    """Until it is taken away by an empty one."""
    await bench.put("p", "12", AllowedPattern=r"\d+")
    code, _ = await bench.refused_ssm("PutParameter", Name="p", Value="ab", Overwrite=True)
    assert code == "ParameterPatternMismatchException"
    await bench.put("p", "ab", Overwrite=True, AllowedPattern="")


async def test_tiers(bench: SecretServices) -> None:
    """Intelligent-Tiering takes the smallest that holds the value; what is advanced stays it."""
    assert (await bench.put("i", "x", Tier="Intelligent-Tiering"))["Tier"] == "Standard"
    grown = await bench.put("i", "x" * 5000, Tier="Intelligent-Tiering", Overwrite=True)
    assert grown["Tier"] == "Advanced"
    assert (await bench.put("i", "x", Overwrite=True))["Tier"] == "Advanced"
    code, text = await bench.refused_ssm("PutParameter", Name="i", Value="x", Overwrite=True, Tier="Standard")
    assert code == "ValidationException"
    assert text.startswith("This parameter uses the advanced-parameter tier. You can't downgrade a parameter")


async def test_the_key_is_kept_and_shown(bench: SecretServices) -> None:
    """A SecureString shows the key that was named, or AWS's own; others show none."""
    await bench.put("a", Type="SecureString")
    await bench.put("b", Type="SecureString", KeyId="alias/mine")
    await bench.put("c")
    keys = [p.get("KeyId") for p in (await bench.ssm("DescribeParameters"))["Parameters"]]
    assert keys == ["alias/aws/ssm", "alias/mine", None]
