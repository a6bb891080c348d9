"""Signatures, judged by botocore's signer: what it signs is let in, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidegate.wire.sigv4 import MISMATCH, UNKNOWN_KEY, Key, SignatureProblem, SignedRequest, sign_headers, verify

REGION, SERVICE = "eu-north-1", "ecs"
ID, SECRET, OWNER = "AKIAIOSFODNN7EXAMPLE", "a-secret/+of-forty", "arn:aws:iam::123456789012:root"
BODY = b'{"tasks": ["a"]}'
TARGET = "AmazonEC2ContainerServiceV20141113.DescribeTasks"
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""How busy the machine is decides nothing."""


class Ring:
    """One key."""

    def find(self, access_key_id: str, session_token: str | None) -> Key | None:
        return Key(SECRET, OWNER) if access_key_id == ID else None


def now() -> datetime:
    return datetime.now(UTC)


def signed_by_botocore(
    *, secret: str = SECRET, key: str = ID, region: str = REGION, token: str | None = None, path: str = "/"
) -> SignedRequest:
    headers = {"X-Amz-Target": TARGET, "Content-Type": "application/x-amz-json-1.1", "Host": "localhost:4566"}
    request = AWSRequest("POST", f"http://localhost:4566{path}", headers, BODY)
    SigV4Auth(Credentials(key, secret, token), SERVICE, region).add_auth(request)
    url = urlsplit(request.prepare().url)
    lower = {name.lower(): value for name, value in request.headers.items()}
    return SignedRequest("POST", url.path, parse_qsl(url.query, keep_blank_values=True), lower, BODY)


def presigned_by_botocore(expires: int = 60) -> SignedRequest:
    request = AWSRequest("GET", "http://localhost:4566/?Action=GetCallerIdentity&Version=2011-06-15&Empty=")
    SigV4QueryAuth(Credentials(ID, SECRET), SERVICE, REGION, expires=expires).add_auth(request)
    query = parse_qsl(urlsplit(request.url).query, keep_blank_values=True)
    return SignedRequest("GET", "/", query, {"host": "localhost:4566"}, b"")


def refusal(request: SignedRequest, at: datetime | None = None, region: str = REGION) -> SignatureProblem:
    with pytest.raises(SignatureProblem) as caught:
        verify(request, Ring(), region, at or now())
    return caught.value


def with_header(request: SignedRequest, name: str, value: str | None) -> SignedRequest:
    headers = {**request.headers, name: value or ""}
    if value is None:
        del headers[name]
    return replace(request, headers=headers)


@pytest.mark.parametrize("path", ["/", "/?b=2&a=1&a=0&a-b=3&c=%20%2F%2B~", "/x%20y/z"])
def test_what_botocore_signs_is_let_in(path: str) -> None:
    """Headers, whatever the path and the query; the key's owner is who asks."""
    claim, key = verify(signed_by_botocore(path=path), Ring(), REGION, now())
    assert (claim.scope.access_key, key.principal) == (ID, OWNER)


def test_what_botocore_presigns_is_let_in() -> None:
    """In the query, without any header but host."""
    claim, _ = verify(presigned_by_botocore(), Ring(), REGION, now())
    assert claim.expires_seconds == 60


def alterations() -> Iterator[tuple[str, Callable[[SignedRequest], SignedRequest]]]:
    yield "body", lambda r: replace(r, body=r.body + b" ")
    yield "method", lambda r: replace(r, method="PUT")
    yield "path", lambda r: replace(r, path="/other")
    yield "query", lambda r: replace(r, query=[("a", "b")])
    for name in ("x-amz-target", "host", "content-type"):
        yield name, lambda r, name=name: with_header(r, name, r.headers[name] + "x")  # type: ignore[misc]
    yield "a signed header is gone", lambda r: with_header(r, "content-type", None)
    yield "signature", lambda r: with_header(r, "authorization", r.headers["authorization"][:-64] + "0" * 64)


@pytest.mark.parametrize("alter", [pytest.param(change, id=name) for name, change in alterations()])
def test_what_was_altered_is_refused(alter: Callable[[SignedRequest], SignedRequest]) -> None:
    """Every part that the signature covers counts."""
    problem = refusal(alter(signed_by_botocore()))
    assert (problem.kind, str(problem)) == ("mismatch", MISMATCH)


@PATIENT
@given(position=st.integers(0, len(BODY) - 1), byte=st.integers(1, 255))
def test_no_byte_of_the_body_can_be_changed(position: int, byte: int) -> None:
    """Any one of them, to any other value."""
    request = signed_by_botocore()
    body = bytearray(request.body)
    body[position] ^= byte
    assert refusal(replace(request, body=bytes(body))).kind == "mismatch"


def test_a_wrong_secret_and_an_unknown_key_are_told_apart_as_aws_does() -> None:
    """The texts are AWS's."""
    assert str(refusal(signed_by_botocore(secret="another"))) == MISMATCH
    problem = refusal(signed_by_botocore(key="AKIANOBODY"))
    assert (problem.kind, str(problem)) == ("unknown-key", UNKNOWN_KEY)


def test_another_region_is_refused() -> None:
    """Even with a good signature."""
    assert str(refusal(signed_by_botocore(region="us-east-1"))).startswith(
        "Credential should be scoped to a valid region"
    )


@pytest.mark.parametrize("minutes, is_late", [(14.9, False), (15.1, True), (-14.9, False), (-15.1, True)])
def test_a_clock_may_be_a_quarter_of_an_hour_off(minutes: float, is_late: bool) -> None:
    """Both ways; the text says which."""
    request, at = signed_by_botocore(), now() + timedelta(minutes=minutes)
    if is_late:
        problem = refusal(request, at)
        assert problem.kind == "expired"
        assert ("is now earlier than" if minutes > 0 else "is still later than") in str(problem)
    else:
        verify(request, Ring(), REGION, at)


def test_a_presigned_request_lasts_as_long_as_it_says() -> None:
    """Not a quarter of an hour."""
    request = presigned_by_botocore(expires=60)
    verify(request, Ring(), REGION, now() + timedelta(seconds=55))
    assert refusal(request, now() + timedelta(seconds=65)).kind == "expired"


@pytest.mark.parametrize("seconds", ["0", "604801", "-1", "a", ""])
def test_a_presigned_request_lasts_at_most_a_week(seconds: str) -> None:
    """And at least a second."""
    request = presigned_by_botocore()
    query = [(name, seconds if name == "X-Amz-Expires" else value) for name, value in request.query]
    assert refusal(replace(request, query=query)).kind == "incomplete"


@pytest.mark.parametrize(
    "name, value", [("Action", "Other"), ("X-Amz-Date", "20200101T000000Z"), ("X-Amz-Expires", "600")]
)
def test_a_presigned_query_cannot_be_altered(name: str, value: str) -> None:
    """Not even in how long it lasts."""
    request = presigned_by_botocore()
    assert refusal(replace(request, query=[(n, value if n == name else v) for n, v in request.query]))
    assert refusal(replace(request, query=[*request.query, ("More", "x")])).kind == "mismatch"


def test_a_presigned_parameter_is_given_once() -> None:
    """Or else the one that is checked might not be the one that is used."""
    request = presigned_by_botocore()
    assert refusal(replace(request, query=[*request.query, ("Action", "Other")])).kind == "incomplete"


@pytest.mark.parametrize("name", ["x-amz-security-token", "x-amz-invented"])
def test_an_amz_header_that_is_not_signed_is_refused(name: str) -> None:
    """What a service may go by must be covered; a token of the session above all."""
    assert f"'{name}' must be a 'SignedHeader'" in str(refusal(with_header(signed_by_botocore(), name, "x")))


@pytest.mark.parametrize("name", ["host", "x-amz-date", "x-amz-target"])
def test_what_must_be_signed(name: str) -> None:
    """A signature that does not cover the host, the date or the target is not looked at further."""
    request = signed_by_botocore()
    text = request.headers["authorization"]
    names = text.partition("SignedHeaders=")[2].partition(",")[0]
    fewer = ";".join(n for n in names.split(";") if n != name)
    assert "must be a 'SignedHeader'" in str(refusal(with_header(request, "authorization", text.replace(names, fewer))))


def test_a_session_token_is_a_header_like_others_once_it_is_signed() -> None:
    """botocore signs it."""
    verify(signed_by_botocore(token="a-token"), Ring(), REGION, now())


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer x",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=" + "0" * 64,
        "AWS4-HMAC-SHA256 Credential=a/20261123/r/s/other, SignedHeaders=host, Signature=" + "0" * 64,
        "AWS4-HMAC-SHA256 Credential=a//r/s/aws4_request, SignedHeaders=host, Signature=" + "0" * 64,
        "AWS4-HMAC-SHA256 Credential=a/20261123/r/s/aws4_request, SignedHeaders=host, Signature=0",
    ],
)
def test_a_malformed_header_is_incomplete(authorization: str) -> None:
    """Whatever is missing of it."""
    assert refusal(SignedRequest("POST", "/", [], {"authorization": authorization}, b"")).kind == "incomplete"


@pytest.mark.parametrize("date", ["", "20261123", "2026-11-23T00:00:00Z", "99999999T999999Z", "20261123T000000Z"])
def test_a_malformed_date_is_refused(date: str) -> None:
    """So is one of another day than the credential's."""
    assert refusal(with_header(signed_by_botocore(), "x-amz-date", date)).kind in ("incomplete", "expired")


@PATIENT
@given(text=st.text(max_size=200), query=st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=5))
def test_any_claim_is_refused_in_order(text: str, query: dict[str, str]) -> None:
    """Nothing but a SignatureProblem comes of what strangers send."""
    refusal(SignedRequest("POST", "/", [], {"authorization": text, "host": "h"}, b""))
    presigned = {"X-Amz-Signature": text, "X-Amz-Credential": text, "X-Amz-SignedHeaders": text, **query}
    refusal(SignedRequest("GET", "/", list(presigned.items()), {"host": "h"}, b""))


def test_no_signature_at_all() -> None:
    """Says so."""
    assert refusal(SignedRequest("POST", "/", [], {}, b"")).kind == "missing"


def test_our_signature_is_botocores() -> None:
    """The same bytes, for the same request at the same second."""
    theirs = signed_by_botocore()
    at = datetime.strptime(theirs.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    covered = ("host", "content-type", "x-amz-target")
    ours = sign_headers(
        method="POST",
        path="/",
        headers={name: theirs.headers[name] for name in covered},
        body=BODY,
        access_key=ID,
        secret_key=SECRET,
        region=REGION,
        service=SERVICE,
        now=at,
    )
    assert ours["authorization"] == theirs.headers["authorization"]
