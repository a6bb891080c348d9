"""What valueFrom names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.model.secret_reference import BadReference, ParameterReference, SecretReference, parse_reference

SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf"


@pytest.mark.parametrize("text", ["name", "/a/b.c-d_e", "arn:aws:ssm:us-east-1:123456789012:parameter/a/b", "n" * 2048])
def test_parameters(text: str) -> None:
    """By name or ARN."""
    assert parse_reference(text) == ParameterReference(text)


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        ("", SecretReference(SECRET)),
        (":user::", SecretReference(SECRET, "user")),
        ("::AWSPREVIOUS:", SecretReference(SECRET, "", "AWSPREVIOUS")),
        (":::v1", SecretReference(SECRET, "", "", "v1")),
        (":user::v1", SecretReference(SECRET, "user", "", "v1")),
        (":::", SecretReference(SECRET)),
    ],
)
def test_secrets(end: str, expected: SecretReference) -> None:
    """The whole, or a part of a version; parts that are left out keep their colons."""
    assert parse_reference(SECRET + end) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", ""),
        ("a b", ""),
        ("n" * 2049, ""),
        ("name:3", ""),
        ("arn:aws:ssm:us-east-1:123456789012:parameter", "Systems Manager parameter"),
        ("arn:aws:ssm:us-east-1:123456789012:parameter/", "Systems Manager parameter"),
        ("arn:aws:ssm::123456789012:parameter/a", "Systems Manager parameter"),
        ("arn:aws:ssm:us-east-1:123456789012:document/a", "Systems Manager parameter"),
        ("arn:aws:ssm:us-east-1:12:parameter/a", "Systems Manager parameter"),
        ("arn:sw:ssm:us-east-1:123456789012:parameter/a", "Systems Manager parameter"),
        ("arn:aws:secretsmanager:us-east-1:12:secret:a", "Secrets Manager secret"),
        (f"{SECRET}:key", "Secrets Manager secret"),
        (f"{SECRET}:key:", "Secrets Manager secret"),
        (f"{SECRET}:a:b:c:d", "Secrets Manager secret"),
        ("arn:aws:secretsmanager:us-east-1:123456789012:secret:", "Secrets Manager secret"),
        ("arn:aws:secretsmanager:us-east-1::secret:a", "Secrets Manager secret"),
        (f"{SECRET}:k:stage:version", "can't both be specified"),
        ("arn:aws:s3:::bucket/key", "has to be that of"),
        ("arn:", "has to be that of"),
    ],
)
def test_what_is_neither(text: str, why: str) -> None:
    """With what is wrong with it, if it is an ARN."""
    with pytest.raises(BadReference) as caught:
        parse_reference(text)
    assert why in str(caught.value)
    assert bool(why) == bool(str(caught.value))


@given(st.text())
def test_anything_is_one_or_refused(text: str) -> None:
    """No text makes it fail in another way."""
    for prefix in ("", "arn:", "arn:aws:ssm:", "arn:aws:secretsmanager:", SECRET):
        try:
            found = parse_reference(prefix + text)
        except BadReference:
            continue
        assert isinstance(found, ParameterReference | SecretReference)
