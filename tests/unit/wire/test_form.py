"""Forms of the query protocols as values, within limits."""

from __future__ import annotations

from typing import Any

import pytest

from tidegate.api import ec2
from tidegate.wire.form import DEEPEST, MOST_PARAMETERS, FormReader, parse_form, to_tree
from tidegate.wire.validation import WireError

READER = FormReader(ec2.MEMBERS, is_ec2=True)


def read(form: str, shape: str = "DescribeSecurityGroupsRequest") -> dict[str, Any]:
    return READER.structure(shape, to_tree(parse_form(form)))


def refusal(form: str, shape: str = "DescribeSecurityGroupsRequest") -> WireError:
    with pytest.raises(WireError) as caught:
        read(form, shape)
    return caught.value


def test_lists_of_structures() -> None:
    """By number, not by the order in which they are sent; numbers may be left out."""
    form = "Filter.10.Name=b&Filter.2.Name=a&Filter.2.Value.2=y&Filter.2.Value.1=x&GroupId.1=sg-1"
    assert read(form) == {
        "Filters": [{"Name": "a", "Values": ["x", "y"]}, {"Name": "b"}],
        "GroupIds": ["sg-1"],
    }


def test_text_is_taken_as_it_is() -> None:
    """Escapes and plus signs decoded once; what looks like a number or null stays text."""
    assert read("GroupName.1=a%2Bb+c%25&GroupName.2=null&GroupName.3=12&GroupName.4=")["GroupNames"] == [
        "a+b c%",
        "null",
        "12",
        "",
    ]


def test_null_is_no_number() -> None:
    """It is not read as an absence."""
    assert read("MaxResults=null")["MaxResults"] == ["null"]


@pytest.mark.parametrize(
    "form, code",
    [
        ("Bogus=1", "UnknownParameter"),
        ("Filter.1.Bogus=1", "UnknownParameter"),
        ("GroupId.x=1", "MalformedQueryString"),
        ("GroupId.-1=1", "MalformedQueryString"),
        ("GroupId.\u0661=1", "MalformedQueryString"),
        ("GroupId.9999999999=1", "MalformedQueryString"),
        ("MaxResults=5&MaxResults=6", "MalformedQueryString"),
        ("GroupId..1=1", "MalformedQueryString"),
        ("GroupId.=1", "MalformedQueryString"),
        (".=1", "MalformedQueryString"),
        ("a=%ff", "MalformedQueryString"),
        ("&".join(f"GroupId.{n}=x" for n in range(MOST_PARAMETERS + 1)), "MalformedQueryString"),
        (".".join("a" * (DEEPEST + 1)) + "=1", "MalformedQueryString"),
    ],
)
def test_what_is_not_understood_is_refused(form: str, code: str) -> None:
    """And never left out in silence."""
    assert refusal(form).code == code


def test_only_ec2_refuses_unknown_parameters() -> None:
    """The query protocol proper lets them pass, as AWS does."""
    assert FormReader(ec2.MEMBERS, is_ec2=False).structure("DescribeVpcsRequest", to_tree([("Bogus", "1")])) == {}
