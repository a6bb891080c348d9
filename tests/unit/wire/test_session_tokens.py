"""Temporary credentials on the wire: their token belongs to the key, and their time runs out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import ModuleType
from urllib.parse import parse_qsl, urlsplit

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tidegate.api import ec2, ecs, iam, sts
from tidegate.api.shape import Session
from tidegate.wire.routing import serve_with
from tidegate.wire.sigv4 import UNKNOWN_KEY, Key, SignatureProblem, SignedRequest, sign_headers, verify

REGION, ID, SECRET, TOKEN = "eu-north-1", "ASIAIOSFODNN7EXAMPLE", "secret", "the/token+=="
ARN = "arn:aws:sts::123456789012:assumed-role/app/me"
BODY = b"Action=GetCallerIdentity&Version=2011-06-15"


def now() -> datetime:
    return datetime.now(UTC)


class Ring:
    """One key for a quarter of an hour, which opens with its token alone."""

    def __init__(self) -> None:
        at = now().timestamp()
        self.session = Session("role", "app", "me", at, at + 900)

    def find(self, access_key_id: str, session_token: str | None) -> Key | None:
        return Key(SECRET, ARN, "AROA:me", self.session) if (access_key_id, session_token) == (ID, TOKEN) else None


def header_request(token: str | None = TOKEN, service: str = "sts", region: str = REGION) -> SignedRequest:
    request = AWSRequest("POST", "http://localhost:4566/", {"Host": "localhost:4566"}, BODY)
    SigV4Auth(Credentials(ID, SECRET, token), service, region).add_auth(request)
    return SignedRequest("POST", "/", (), {name.lower(): value for name, value in request.headers.items()}, BODY)


def presigned_request(token: str | None = TOKEN) -> SignedRequest:
    request = AWSRequest("GET", f"http://localhost:4566/?{BODY.decode()}")
    SigV4QueryAuth(Credentials(ID, SECRET, token), "sts", REGION, expires=3600).add_auth(request)
    query = parse_qsl(urlsplit(request.url).query, keep_blank_values=True)
    return SignedRequest("GET", "/", query, {"host": "localhost:4566"}, b"")


def refusal(request: SignedRequest, at: datetime | None = None) -> tuple[str, str]:
    with pytest.raises(SignatureProblem) as caught:
        verify(request, Ring(), REGION, at or now())
    return caught.value.kind, str(caught.value)


@pytest.mark.parametrize("make", [header_request, presigned_request])
def test_a_session_is_let_in_with_its_token(make) -> None:  # type: ignore[no-untyped-def]
    """In the header and in the query; without it or with another it is nobody's."""
    _, key = verify(make(), Ring(), REGION, now())
    assert (key.principal, key.user_id) == (ARN, "AROA:me")
    assert refusal(make(None)) == ("unknown-key", UNKNOWN_KEY)
    assert refusal(make("another")) == ("unknown-key", UNKNOWN_KEY)


def test_a_token_is_part_of_what_is_signed() -> None:
    """One that was added or changed on the way is refused."""
    added = header_request(None)
    added = replace(added, headers={**added.headers, "x-amz-security-token": TOKEN})
    assert refusal(added)[0] == "mismatch"
    request = presigned_request("another")
    changed = [(n, TOKEN if n == "X-Amz-Security-Token" else v) for n, v in request.query]
    assert refusal(replace(request, query=changed))[0] == "mismatch"


def test_a_session_expires() -> None:
    """To the second, and only whoever has its secret is told so."""
    request = presigned_request()
    verify(request, Ring(), REGION, now() + timedelta(seconds=899))
    expired = ("expired-token", "The security token included in the request is expired")
    assert refusal(request, now() + timedelta(seconds=901)) == expired
    forged = replace(request, query=[(n, "0" * 64 if n == "X-Amz-Signature" else v) for n, v in request.query])
    assert refusal(forged, now() + timedelta(seconds=901))[0] == "mismatch"


@pytest.mark.parametrize(
    "api, code",
    [(ecs, "ExpiredTokenException"), (sts, "ExpiredToken"), (iam, "ExpiredToken"), (ec2, "RequestExpired")],
)
def test_each_protocol_has_its_code(api: ModuleType, code: str) -> None:
    """For what has expired."""
    assert serve_with(api, object()).codec.errors["expired-token"][0] == code


def test_our_signer_sends_the_token() -> None:
    """The command line works with temporary credentials."""
    headers = sign_headers(
        method="POST", path="/", headers={"host": "localhost"}, body=BODY, access_key=ID, secret_key=SECRET,
        region=REGION, service="sts", session_token=TOKEN,
    )  # fmt: skip
    _, key = verify(SignedRequest("POST", "/", (), headers, BODY), Ring(), REGION, now())
    assert key.principal == ARN


def test_services_without_regions_may_be_signed_for_the_first() -> None:
    """IAM and STS are one for all regions of AWS; the others are not."""
    ring = Ring()
    for service in ("iam", "sts"):
        verify(header_request(service=service, region="us-east-1"), ring, REGION, now())
    assert refusal(header_request(service="ecs", region="us-east-1"))[0] == "mismatch"
