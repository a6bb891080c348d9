"""Describing, deleting, labelling and tagging parameters."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.parameters import SecretServices
from tidegate.model.parameter import Parameter, ParameterVersion

pytestmark = pytest.mark.anyio


async def described(bench: SecretServices, **members: Any) -> list[str]:
    return [p["Name"] for p in (await bench.ssm("DescribeParameters", **members))["Parameters"]]


async def test_describe_never_has_a_value(bench: SecretServices) -> None:
    """Neither the plain one nor the sealed one."""
    await bench.put("p", "canary", Description="d")
    (shown,) = (await bench.ssm("DescribeParameters"))["Parameters"]
    assert "Value" not in shown
    assert "canary" not in str(shown)


FILTERS: list[tuple[dict[str, Any], list[str]]] = [
    ({"Key": "Name", "Values": ["/a/x"]}, ["/a/x"]),
    ({"Key": "Name", "Option": "BeginsWith", "Values": ["/a"]}, ["/a/x", "/a/y/z"]),
    ({"Key": "Name", "Option": "Contains", "Values": ["y", "lo"]}, ["/a/y/z", "lone"]),
    ({"Key": "Path", "Values": ["/a"]}, ["/a/x"]),
    ({"Key": "Path", "Option": "Recursive", "Values": ["/a"]}, ["/a/x", "/a/y/z"]),
    ({"Key": "Type", "Values": ["SecureString"]}, ["/a/y/z"]),
    ({"Key": "KeyId", "Values": ["alias/k"]}, ["/a/y/z"]),
    ({"Key": "Tier", "Values": ["Advanced"]}, ["lone"]),
    ({"Key": "DataType", "Values": ["text"]}, ["/a/x", "/a/y/z", "lone"]),
    ({"Key": "tag:team"}, ["/a/x"]),
    ({"Key": "tag:team", "Values": ["blue"]}, ["/a/x"]),
    ({"Key": "tag:team", "Values": ["red"]}, []),
]


@pytest.mark.parametrize(("filter_", "expected"), FILTERS, ids=[str(one) for one, _ in FILTERS])
async def test_filters(bench: SecretServices, filter_: dict[str, Any], expected: list[str]) -> None:
    """Each finds what AWS would."""
    await bench.put("/a/x", Tags=[{"Key": "team", "Value": "blue"}])
    await bench.put("/a/y/z", Type="SecureString", KeyId="alias/k")
    await bench.put("lone", Tier="Advanced")
    assert await described(bench, ParameterFilters=[filter_]) == expected


async def test_old_filters(bench: SecretServices) -> None:
    """Filters know names by how they begin; the two kinds don't go together."""
    await bench.put("app-a")
    await bench.put("other")
    assert await described(bench, Filters=[{"Key": "Name", "Values": ["app"]}]) == ["app-a"]
    assert await described(bench, Filters=[{"Key": "Type", "Values": ["StringList"]}]) == []
    both = {"Filters": [{"Key": "Name", "Values": ["a"]}], "ParameterFilters": [{"Key": "Name", "Values": ["a"]}]}
    assert await bench.refused_ssm("DescribeParameters", **both) == (
        "ValidationException",
        "You can use either Filters or ParameterFilters in a single request.",
    )


@pytest.mark.parametrize(
    ("filters", "code"),
    [
        ([{"Key": "Name", "Option": "Like", "Values": ["a"]}], "InvalidFilterOption"),
        ([{"Key": "Path", "Option": "Equals", "Values": ["/a"]}], "InvalidFilterOption"),
        ([{"Key": "Type", "Values": ["Number"]}], "InvalidFilterValue"),
        ([{"Key": "Name"}], "InvalidFilterValue"),
        ([{"Key": "Label", "Values": ["a"]}], "InvalidFilterKey"),
        ([{"Key": "Name", "Values": ["a"]}, {"Key": "Name", "Values": ["b"]}], "InvalidFilterKey"),
        ([{"Key": "Path", "Values": ["a"]}], "ValidationException"),
    ],
)
async def test_bad_filters(bench: SecretServices, filters: list[dict[str, Any]], code: str) -> None:
    """Each with AWS's error."""
    assert (await bench.refused_ssm("DescribeParameters", ParameterFilters=filters))[0] == code


async def test_describe_in_pages(bench: SecretServices) -> None:
    """By name, without loss; nothing is shared by other accounts."""
    for number in range(7):
        await bench.put(f"p{number}")
    first = await bench.ssm("DescribeParameters", MaxResults=5)
    rest = await bench.ssm("DescribeParameters", MaxResults=5, NextToken=first["NextToken"])
    assert [p["Name"] for p in first["Parameters"] + rest["Parameters"]] == [f"p{number}" for number in range(7)]
    assert await described(bench, Shared=True) == []


async def test_delete(bench: SecretServices) -> None:
    """All versions go; the name can be used again and begins at 1."""
    await bench.put("p")
    await bench.put("p", Overwrite=True)
    await bench.ssm("DeleteParameter", Name="p")
    assert list(bench.store.select(Parameter)) == list(bench.store.select(ParameterVersion)) == []
    assert await bench.refused_ssm("DeleteParameter", Name="p") == ("ParameterNotFound", "")
    assert (await bench.put("p"))["Version"] == 1
    answer = await bench.ssm("DeleteParameters", Names=["p", "q"])
    assert answer == {"DeletedParameters": ["p"], "InvalidParameters": ["q"]}


async def test_labels_move(bench: SecretServices) -> None:
    """A label is on one version at a time; what can't be a label is named."""
    await bench.put("p")
    await bench.put("p", Overwrite=True)
    await bench.ssm("LabelParameterVersion", Name="p", ParameterVersion=1, Labels=["x", "y"])
    answer = await bench.ssm("LabelParameterVersion", Name="p", Labels=["x", "1a", "awsome", "SSM", "a b"])
    assert answer == {"InvalidLabels": ["1a", "awsome", "SSM", "a b"], "ParameterVersion": 2}
    gone = await bench.ssm("UnlabelParameterVersion", Name="p", ParameterVersion=1, Labels=["x", "y"])
    assert gone == {"RemovedLabels": ["y"], "InvalidLabels": ["x"]}
    assert (await bench.ssm("GetParameter", Name="p:x"))["Parameter"]["Version"] == 2
    assert (await bench.refused_ssm("GetParameter", Name="p:y"))[0] == "ParameterNotFound"


async def test_ten_labels_a_version(bench: SecretServices) -> None:
    """One more is refused, and none is moved."""
    await bench.put("p")
    await bench.ssm("LabelParameterVersion", Name="p", Labels=[f"l{n}" for n in range(10)])
    code, text = await bench.refused_ssm("LabelParameterVersion", Name="p", Labels=["more"])
    assert code == "ParameterVersionLabelLimitExceeded"
    assert text.startswith("A parameter version can have maximum 10 labels.")
    code, _ = await bench.refused_ssm("LabelParameterVersion", Name="p", ParameterVersion=5, Labels=["a"])
    assert code == "ParameterVersionNotFound"


async def test_tags(bench: SecretServices) -> None:
    """Added, replaced and removed by key; of parameters only."""
    await bench.put("/p/q", Tags=[{"Key": "a", "Value": "1"}])
    of = {"ResourceType": "Parameter", "ResourceId": "/p/q"}
    await bench.ssm("AddTagsToResource", **of, Tags=[{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}])
    assert await bench.ssm("ListTagsForResource", **of) == {
        "TagList": [{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}]
    }
    await bench.ssm("RemoveTagsFromResource", **of, TagKeys=["a", "z"])
    assert await bench.ssm("ListTagsForResource", **of) == {"TagList": [{"Key": "b", "Value": ""}]}
    many = [{"Key": f"k{n}", "Value": ""} for n in range(50)]
    assert (await bench.refused_ssm("AddTagsToResource", **of, Tags=many))[0] == "TooManyTagsError"
    for wrong in ({**of, "ResourceId": "x"}, {**of, "ResourceType": "Document"}):
        code, text = await bench.refused_ssm("ListTagsForResource", **wrong)
        assert code == "InvalidResourceId"
        assert text.endswith("is not valid. Verify the ID and try again.")


async def test_a_full_disk_is_told(bench: SecretServices) -> None:
    """As the service's own error, and nothing is kept."""
    bench.store.failure = "no space left on device"
    code, text = await bench.refused_ssm("PutParameter", Name="p", Value="canary", Type="String")
    assert code == "InternalServerError"
    assert "no space left" in text
    assert list(bench.store.select(Parameter)) == []
